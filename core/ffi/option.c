/* SPDX-License-Identifier: MIT
 *
 * The FFI API of the options of sockets: see net/option.h.
 */
#include "net/option.h"

const char *momo_option(int i, int *kind) {
    return option_name(i, kind);
}

int momo_set_option(executor *ex, const momo_token *token, int i, double value, const char *text) {
    io *o = io_get(ex, *token);
    return o ? option_set(o, i, value, text) : UV_EBADF;
}

int momo_get_option(executor *ex, const momo_token *token, int i, double *value, char *text, size_t size) {
    const io *o = io_get(ex, *token);
    return o ? option_get(o, i, value, text, size) : UV_EBADF;
}
