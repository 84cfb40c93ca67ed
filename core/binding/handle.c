/* SPDX-License-Identifier: MIT
 *
 * The methods of tasks.
 */
#include "binding/handle.h"

#include "binding/note.h"

static handle *self(lua_State *L, const char *method) {
    handle *h = check_self(L, UP(TASK), "task", method);
    if (h->task && !executor_running && runtime_of(L)->executor.closed) {
        h->task = NULL; /* its slot is gone */
    }
    return h;
}

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
        note_failure(L, t, 1, 4); /* if it is raised again, it keeps its place */
    }
    lua_remove(L, 3);
    return n + 1;
}

/* cancel(task, reason) */
static int task_cancel_with(lua_State *L) {
    handle *h = self(L, "cancel");
    task *t = h->task;
    if (!t || t->asked) {
        return 0;
    }
    lua_settop(L, 2);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "reason");
    lua_pushvalue(L, UP(CANCELLED));
    lua_setmetatable(L, -2);
    lua_rawseti(L, UP(CANCELLATIONS), slot_of(t));
    if (h->task) { /* an allocation runs finalizers, which may end tasks */
        task_cancel(t);
    }
    return 0;
}

/* status(task) */
static int task_status(lua_State *L) {
    static const char *const live[] = {[TASK_READY] = "ready", [TASK_RUNNING] = "running", [TASK_WAITING] = "waiting"};
    static const char *const ended[] = {
        [OUTCOME_DONE] = "done", [OUTCOME_FAILED] = "failed", [OUTCOME_CANCELLED] = "cancelled"};
    const handle *h = self(L, "status");
    lua_pushstring(L, h->task ? live[h->task->state] : ended[h->outcome]);
    return 1;
}

/* id(task): counted up from 1 by each executor */
static int task_id(lua_State *L) {
    lua_pushnumber(L, (lua_Number)self(L, "id")->id);
    return 1;
}

/* traceback(task): where it is; where it failed, when it has; "" when it ended well */
static int task_traceback(lua_State *L) {
    const handle *h = self(L, "traceback");
    if (h->task) {
        luaL_traceback(L, h->task->top, NULL, 0);
    } else if (h->outcome == OUTCOME_DONE) {
        lua_pushliteral(L, "");
    } else {
        lua_getfenv(L, 1);
        lua_rawgeti(L, -1, 2);
    }
    return 1;
}

void push_task_name(lua_State *L, int index) {
    const handle *h = lua_touserdata(L, index);
    lua_pushfstring(L, "task %d", (int)h->id);
    if (h->fields) {
        lua_getfenv(L, index);
        lua_getfield(L, -1, "name");
        lua_remove(L, -2);
        if (lua_isstring(L, -1)) {
            lua_pushfstring(L, "%s '%s'", lua_tostring(L, -2), lua_tostring(L, -1));
            lua_replace(L, -3);
        }
        lua_pop(L, 1);
    }
}

/* task_name(task) -> "task 3 'name'" */
static int task_name(lua_State *L) {
    self(L, "task_name");
    push_task_name(L, 1);
    return 1;
}

/* fields(task) -> its table: name, locals */
static int task_fields(lua_State *L) {
    self(L, "fields");
    push_fields(L, 1);
    return 1;
}

/* has_locals(task): from here on, the tasks that it spawns inherit them */
static int task_has_locals(lua_State *L) {
    self(L, "locals")->locals = true;
    return 0;
}

void register_handle(lua_State *L) {
    static const function functions[] = {
        {"join", task_join},
        {"outcome", task_outcome},
        {"cancel", task_cancel_with},
        {"status", task_status},
        {"id", task_id},
        {"traceback", task_traceback},
        {"task_name", task_name},
        {"fields", task_fields},
        {"has_locals", task_has_locals},
        {NULL, NULL},
    };
    register_functions(L, functions);
}
