/* SPDX-License-Identifier: MIT
 *
 * Notes: see note.h. Each is { error, traceback }, in UP_NOTES.
 */
#include "note.h"

bool push_note(lua_State *L, const task *t, int err_index) {
    if (!t->noted) {
        return false;
    }
    lua_rawgeti(L, UP(NOTES), slot_of(t));
    lua_rawgeti(L, -1, 1);
    bool same = lua_rawequal(L, -1, err_index);
    lua_pop(L, 1);
    if (same) {
        lua_rawgeti(L, -1, 2);
        lua_remove(L, -2);
    } else {
        lua_pop(L, 1);
    }
    return same;
}

/* The traceback is on top. */
static void keep(lua_State *L, task *t, int err_index) {
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 2);
    lua_pushvalue(L, err_index);
    lua_rawseti(L, -2, 1);
    lua_rawseti(L, UP(NOTES), slot_of(t));
    t->noted = true;
}

int note_raise(lua_State *L) {
    task *t = suspend_running(L);
    lua_settop(L, 1);
    if (t) {
        t->passing = true;
    }
    return lua_error(L);
}

int note_error(lua_State *L) {
    task *t = suspend_running(L);
    lua_settop(L, 1);
    if (t) {
        bool passing = t->passing && push_note(L, t, 1);
        t->passing = false;
        if (!passing) {
            luaL_traceback(L, L, NULL, 1);
            keep(L, t, 1);
        }
    }
    lua_settop(L, 1);
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

void note_failure(lua_State *L, task *t, int handle_index, int err_index) {
    lua_pushliteral(L, "in ");
    push_task_name(L, handle_index);
    lua_pushliteral(L, "\n");
    lua_getfenv(L, handle_index);
    lua_rawgeti(L, -1, 2);
    lua_remove(L, -2);
    lua_concat(L, 4);
    keep(L, t, err_index);
    t->passing = true;
}
