/* SPDX-License-Identifier: MIT
 *
 * The FFI API of codes: their names and texts.
 */
#include <string.h>

#include "loop/io.h"
#include "loop/libc.h"

/* libuv allocates, and never frees, a text for a code that it does not know. */
static bool libuv_knows(int code) {
    switch (code) {
#define KNOWN(name, text) case UV_##name:
        UV_ERRNO_MAP(KNOWN)
#undef KNOWN
        return true;
    default: return false;
    }
}

/* Of failures that have words of their own, the last one is told: who asks has just got it. */
static const executor *teller_of(int code) {
    return code == IO_FAILURE && executor_running && executor_running->failure.name ? executor_running : NULL;
}

const char *momo_error_name(int code) {
    const executor *teller = teller_of(code);
    if (teller) {
        return teller->failure.name;
    }
    const char *name = libuv_knows(code) ? uv_err_name(code) : libc_error_name(-code);
    return name ? name : "EUNKNOWN";
}

const char *momo_error_text(int code) {
    const executor *teller = teller_of(code);
    if (teller) {
        return teller->failure.text;
    }
    if (code == UV_ETIMEDOUT) { /* not only connections do */
        return "operation timed out";
    }
    const char *text = libuv_knows(code) ? uv_strerror(code) : libc_error_text(-code);
    return text ? text : "unknown error";
}
