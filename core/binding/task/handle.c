/* SPDX-License-Identifier: MIT
 *
 * The methods of tasks, but join.
 */
#include "binding/task/handle.h"

#include "binding/task/cancellation.h"
#include "binding/task/stack_text.h"

void push_fields(lua_State *L, int index, int array) {
    handle *h = lua_touserdata(L, index);
    if (!h->fields) {
        lua_createtable(L, array, 0); /* may run a finalizer, which makes them */
        if (!h->fields) {
            lua_pushvalue(L, -1);
            lua_setfenv(L, index);
            h->fields = true;
            return;
        }
        lua_pop(L, 1);
    }
    lua_getfenv(L, index);
}

bool keep_only_result(handle *h, lua_State *co) {
    int type = lua_gettop(co) == 1 ? lua_type(co, 1) : LUA_TNONE;
    if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL) {
        return false;
    }
    h->only = (int8_t)type;
    h->number = type == LUA_TNUMBER ? lua_tonumber(co, 1) : lua_toboolean(co, 1);
    h->results = 1;
    lua_settop(co, 0);
    return true;
}

void note_place(lua_State *L) {
    lua_Debug place;
    int child = lua_gettop(L);
    find_place(L, L, false, &place);
    if (place.currentline > 0) {
        push_fields(L, child, 0);
        lua_pushfstring(L, "%s:%d", place.short_src, place.currentline);
        lua_setfield(L, -2, "spawned_at");
        lua_settop(L, child);
    }
}

/* The slots of a state that is closing are gone. */
static handle *look(lua_State *L, handle *h) {
    if (h->task && !executor_running && runtime_of(L)->executor.closed) {
        h->task = NULL;
        h->outcome = OUTCOME_CANCELLED;
    }
    return h;
}

static handle *self(lua_State *L, const char *method) {
    return look(L, check_self(L, &task_metatable, "task", method));
}

/* cancel(task, reason): Lua has checked that it is a task. */
static int task_cancel_with(lua_State *L) {
    handle *h = look(L, lua_touserdata(L, 1));
    task *t = h->task;
    if (!t || t->cancel_requested) {
        return 0;
    }
    if (lua_isnoneornil(L, 2)) {
        if (t->has_cancellation) {
            forget(L, UP_CANCELLATIONS, t);
            t->has_cancellation = false;
        }
        t->without_reason = true;
        task_cancel(t);
        return 0;
    }
    make_cancellation(L, 2);
    if (h->task) { /* an allocation runs finalizers, which may end tasks */
        lua_rawseti(L, UP(CANCELLATIONS), slot_of(t));
        t->has_cancellation = true;
        task_cancel(t);
    }
    return 0;
}

/* status(task) */
static int task_status(lua_State *L) {
    static const char *const live[] = {
        [TASK_READY] = "ready",
        [TASK_RUNNING] = "running",
        [TASK_WAITING] = "waiting",
        [TASK_ENDED] = "running", /* its end is being noted, which may run a finalizer that asks */
    };
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
        push_stack_text(L, h->task->top, 0);
    } else if (h->outcome == OUTCOME_DONE || !h->fields) {
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

/* set_name(task, name): the fields keep it */
static int task_set_name(lua_State *L) {
    const handle *h = self(L, "set_name");
    push_fields(L, 1, 0);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "name");
    if (h->task && task_give_name(h->task, lua_tostring(L, 2)) < 0) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

/* fields(task) -> its table: name, locals */
static int task_fields(lua_State *L) {
    self(L, "fields");
    push_fields(L, 1, 0);
    return 1;
}

/* has_locals(task): from here on, the tasks that it spawns inherit them */
static int task_has_locals(lua_State *L) {
    self(L, "locals")->locals = true;
    return 0;
}

const metatable task_metatable = {"momo.task", NULL, UP_TASK};
static const metatable cancelled_metatable = {"momo.cancelled", NULL, UP_CANCELLED};
static const metatable *const metatables[] = {&task_metatable, &cancelled_metatable, NULL};
static const function functions[] = {
    {"cancel", task_cancel_with},  {"status", task_status},         {"id", task_id},
    {"traceback", task_traceback}, {"task_name", task_name},        {"set_name", task_set_name},
    {"fields", task_fields},       {"has_locals", task_has_locals}, {NULL, NULL},
};
const module handle_module = {.functions = functions, .metatables = metatables};
