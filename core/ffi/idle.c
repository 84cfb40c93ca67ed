/* SPDX-License-Identifier: MIT
 *
 * The FFI API of idle streams: see net/idle.h.
 */
#include "net/idle.h"

int momo_begin_idle(executor *ex, const momo_token *token, double seconds) {
    io *o = io_get(ex, *token);
    return o ? idle_begin(o, seconds) : UV_EBADF;
}

int momo_end_idle(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    return o ? idle_end(o) : UV_EBADF;
}

int momo_is_idle(const executor *ex, const momo_token *token) {
    const io *o = io_get(ex, *token);
    return o && o->idle;
}
