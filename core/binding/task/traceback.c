/* SPDX-License-Identifier: MIT
 *
 * Captured tracebacks: see traceback.h. Each is { error, traceback, joined }, in UP_TRACEBACKS.
 */
#include "binding/task/traceback.h"

#include "binding/task/stack_text.h"

static int rethrow(lua_State *L);

/* Whether co is at this level in rethrow. */
static bool passes_on(lua_State *L, lua_State *co, int level) {
    lua_Debug where;
    if (!lua_getstack(co, level, &where)) {
        return false;
    }
    lua_getinfo(co, "f", &where);
    lua_xmove(co, L, co == L ? 0 : 1);
    bool same = lua_tocfunction(L, -1) == rethrow;
    lua_pop(L, 1);
    return same;
}

bool push_traceback(lua_State *L, const task *t, lua_State *co, int level, int err_index) {
    if (!t->has_traceback) {
        return false;
    }
    lua_rawgeti(L, UP(TRACEBACKS), slot_of(t));
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 3);
    bool good = lua_rawequal(L, -2, err_index) && (lua_toboolean(L, -1) || passes_on(L, co, level));
    lua_pop(L, 2);
    if (good) {
        lua_rawgeti(L, -1, 2);
        lua_remove(L, -2);
    } else {
        lua_pop(L, 1);
    }
    return good;
}

/* The traceback is on top. joined: whoever joined a task may raise its error by error or assert. */
static void keep(lua_State *L, task *t, int err_index, bool joined) {
    lua_createtable(L, 3, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushboolean(L, joined);
    lua_rawseti(L, -2, 3);
    lua_pushvalue(L, err_index);
    lua_rawseti(L, -2, 1);
    lua_rawseti(L, UP(TRACEBACKS), slot_of(t));
    t->has_traceback = true;
}

/* rethrow(err): raises again an error whose traceback was captured, and is passed on. */
static int rethrow(lua_State *L) {
    lua_settop(L, 1);
    return lua_error(L);
}

/* traceback_capture(err) -> err: an xpcall handler */
static int capture(lua_State *L) {
    task *t = running_task(L);
    lua_settop(L, 1);
    if (t && !push_traceback(L, t, L, 1, 1)) {
        push_stack_text(L, L, 1);
        keep(L, t, 1, false);
    }
    lua_settop(L, 1);
    return 1;
}

void traceback_of_failure(lua_State *L, task *t, int handle_index, int err_index) {
    lua_pushliteral(L, "in ");
    push_task_name(L, handle_index);
    lua_pushliteral(L, "\n");
    lua_getfenv(L, handle_index);
    lua_rawgeti(L, -1, 2);
    lua_remove(L, -2);
    lua_concat(L, 4);
    keep(L, t, err_index, true);
}

static const function functions[] = {{"traceback_capture", capture}, {"rethrow", rethrow}, {NULL, NULL}};
const module traceback_module = {.functions = functions};
