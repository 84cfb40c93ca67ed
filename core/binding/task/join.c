/* SPDX-License-Identifier: MIT
 *
 * Waiting for a task's end. Lua has checked that it is a task, which compiled code does in a tenth of the time.
 */
#include "binding/op.h"
#include "binding/task/cancellation.h"
#include "binding/task/traceback.h"

enum { RESULTS_SURE = 10 }; /* values for which every stack has room */

static void check(lua_State *L, op *o) {
    const handle *h = o->subject;
    o->timeout = check_seconds(L, 2, "join");
    if (h->task == o->task) {
        throw(L, "join: a task can't join itself");
    }
}

static int attempt(lua_State *L, op *o) {
    (void)L;
    return ((const handle *)o->subject)->task ? UV_EAGAIN : 0;
}

static int park(lua_State *L, op *o) {
    (void)L;
    return op_park_in(o, &((const handle *)o->subject)->task->joiners);
}

/* join(task, timeout) -> nothing: it has ended | err, code */
static int task_join(lua_State *L) {
    static const op_kind kind = {
        .silent = true, .check = check, .attempt = attempt, .park = park, .fail = op_push_error};
    return op_run_as(L, &kind, "join", lua_touserdata(L, 1));
}

/* has_ended(task). Allocates nothing. */
static int task_has_ended(lua_State *L) {
    lua_pushboolean(L, !((const handle *)lua_touserdata(L, 1))->task);
    return 1;
}

/* outcome(task) -> true, results... | false, error: how it ended */
static int task_outcome(lua_State *L) {
    handle *h = lua_touserdata(L, 1);
    h->joined = true;
    lua_pushboolean(L, h->outcome == OUTCOME_DONE);
    if (h->outcome == OUTCOME_DONE && h->results == 0) {
        return 1;
    }
    if (h->unjoined) {
        h->unjoined = false;
        runtime_of_task(L)->unjoined--;
    }
    switch (h->only) {
    case LUA_TNIL: lua_pushnil(L); return 2;
    case LUA_TBOOLEAN: lua_pushboolean(L, h->number != 0); return 2;
    case LUA_TNUMBER: lua_pushnumber(L, h->number); return 2;
    default: break;
    }
    if (h->lost) {
        lua_pushliteral(L, "not enough memory");
        return 2;
    }
    lua_settop(L, 1);
    lua_getfenv(L, 1);
    lua_pushboolean(L, h->outcome == OUTCOME_DONE);
    int n = h->outcome == OUTCOME_DONE ? h->results : 1;
    if (n > RESULTS_SURE) {
        luaL_checkstack(L, n, "too many results");
    }
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
    }
    if (h->outcome == OUTCOME_CANCELLED && lua_isnil(L, 4)) { /* from now on it is this one */
        make_cancellation(L, 0);
        lua_replace(L, 4);
        lua_pushvalue(L, 4);
        lua_rawseti(L, 2, 1);
    }
    task *current = runtime_of_task(L)->executor.current;
    if (h->outcome == OUTCOME_FAILED && current) {
        traceback_of_failure(L, current, 1, 4); /* if it is raised again, it keeps its place */
    }
    return n + 1;
}

int momo_task_result(void *task, double *number) {
    handle *h = task;
    if (h->outcome != OUTCOME_DONE || (h->results != 0 && h->only != LUA_TNUMBER)) {
        return MOMO_OTHER;
    }
    h->joined = true;
    *number = h->number;
    return h->results == 0 ? MOMO_NOTHING : MOMO_NUMBER;
}

static const function functions[] = {
    {"join", task_join}, {"has_ended", task_has_ended}, {"outcome", task_outcome}, {NULL, NULL}};
const module join_module = {.functions = functions};
