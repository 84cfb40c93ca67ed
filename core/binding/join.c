/* SPDX-License-Identifier: MIT
 *
 * Waiting for a task's end.
 */
#include "binding/suspend.h"
#include "binding/traceback.h"

/* join(task, timeout): parks until it has ended; outcome tells what came of it. Lua has checked that it is a task, which
 * compiled code does in a tenth of the time. */
static int task_join(lua_State *L) {
    const handle *h = lua_touserdata(L, 1);
    double timeout = check_seconds(L, 2, "join");
    enum wake wake;
    task *t = suspend_enter(L, "join", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    if (!h->task) {
        return timeout != 0 && suspend_let_others(t, wake) ? lua_yield(L, 0) : 0;
    }
    if (h->task == t) {
        return throw(L, "join: a task can't join itself");
    }
    if (timeout == 0) {
        t->wake = WAKE_TIMEOUT;
        return 0;
    }
    task_park(t, "join", suspend_deadline(t, timeout), WAKE_TIMEOUT);
    list_push(&h->task->joiners, &t->place.link);
    return lua_yield(L, 0);
}

/* outcome(task) -> true, results... | false, error | nil, err, code: what join returns */
static int task_outcome(lua_State *L) {
    handle *h = lua_touserdata(L, 1); /* which join, or select, has checked */
    runtime *rt = runtime_of_task(L);
    task *t = rt->executor.current;
    enum wake wake = t ? task_take_wake(t) : WAKE_NONE;
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (wake == WAKE_TIMEOUT) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    h->joined = true;
    lua_pushboolean(L, h->outcome == OUTCOME_DONE);
    if (h->outcome == OUTCOME_DONE && h->results == 0) {
        return 1;
    }
    lua_settop(L, 1);
    if (h->unjoined) {
        h->unjoined = false;
        rt->unjoined--;
    }
    lua_pushboolean(L, h->outcome == OUTCOME_DONE);
    if (h->lost) {
        lua_pushliteral(L, "not enough memory");
        return 2;
    }
    lua_getfenv(L, 1);
    int n = h->outcome == OUTCOME_DONE ? h->results : 1;
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 3, i);
    }
    if (h->outcome == OUTCOME_FAILED && t) {
        traceback_of_failure(L, t, 1, 4); /* if it is raised again, it keeps its place */
    }
    lua_remove(L, 3);
    return n + 1;
}

static const function functions[] = {{"join", task_join}, {"outcome", task_outcome}, {NULL, NULL}};
const module join_module = {.functions = functions};
