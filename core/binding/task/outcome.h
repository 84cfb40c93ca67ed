/* SPDX-License-Identifier: MIT
 *
 * How a task ended: its results, or an error and its traceback, kept in its handle and told to whom it concerns.
 */
#pragma once
#include "binding/task/handle.h"

/* Into a table, by what may raise. */
void outcome_store(lua_State *, task *, int status);
/* status: of the coroutine, 0 when it ended well; LUA_YIELD: it is given up with the outcome that the handle has. Raises
 * nothing: for want of memory, the outcome is lost, and the task has failed. */
static inline void outcome_keep(lua_State *L, task *t, int status) {
    handle *h = t->handle;
    if (status == 0) {
        h->outcome = OUTCOME_DONE;
        if (lua_gettop(t->user) == 0 || keep_only_result(h, t->user)) {
            return;
        }
    } else if (status > LUA_YIELD) {
        h->outcome = OUTCOME_FAILED;
    }
    outcome_store(L, t, status);
}
