/* SPDX-License-Identifier: MIT
 *
 * Notes: see note.h. Each is { error, traceback, joined }, in UP_NOTES.
 */
#include "binding/note.h"

/* Whether co is at this level in the function that raises again what was noted. */
static bool passes_on(lua_State *L, lua_State *co, int level) {
    lua_Debug where;
    if (!lua_getstack(co, level, &where)) {
        return false;
    }
    lua_getinfo(co, "f", &where);
    lua_xmove(co, L, co == L ? 0 : 1);
    bool same = lua_tocfunction(L, -1) == note_raise;
    lua_pop(L, 1);
    return same;
}

bool push_note(lua_State *L, const task *t, lua_State *co, int level, int err_index) {
    if (!t->noted) {
        return false;
    }
    lua_rawgeti(L, UP(NOTES), slot_of(t));
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
    lua_rawseti(L, UP(NOTES), slot_of(t));
    t->noted = true;
}

int note_raise(lua_State *L) {
    lua_settop(L, 1);
    return lua_error(L);
}

int note_error(lua_State *L) {
    task *t = suspend_running(L);
    lua_settop(L, 1);
    if (t && !push_note(L, t, L, 1, 1)) {
        luaL_traceback(L, L, NULL, 1);
        keep(L, t, 1, false);
    }
    lua_settop(L, 1);
    return 1;
}

void note_failure(lua_State *L, task *t, int handle_index, int err_index) {
    lua_pushliteral(L, "in ");
    push_task_name(L, handle_index);
    lua_pushliteral(L, "\n");
    lua_getfenv(L, handle_index);
    lua_rawgeti(L, -1, 2);
    lua_remove(L, -2);
    lua_concat(L, 4);
    keep(L, t, err_index, true);
}
