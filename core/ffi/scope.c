/* SPDX-License-Identifier: MIT
 *
 * The FFI API of scopes: see loop/scope.h.
 */
#include "loop/executor.h"
#include "loop/scope.h"

int momo_scope_enter(executor *ex, scope *s, double seconds) {
    if (!ex->current) {
        return UV_EPERM;
    }
    scope_enter(s, ex->current, executor_deadline_ms(ex, seconds), false);
    return 0;
}

int momo_scope_leave(scope *s) {
    if (!s->task || s->cancelled || s->reached) {
        return 0;
    }
    scope_leave(s);
    return 1;
}
