/* SPDX-License-Identifier: MIT
 *
 * What the C functions of one Lua state have in common: see runtime.h.
 */
#include "binding/runtime.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void push_metatable(lua_State *L, const metatable *m) {
    if (m->up) {
        lua_pushvalue(L, lua_upvalueindex(m->up));
        return;
    }
    luaL_getmetatable(L, m->name);
}

void *push_object(lua_State *L, size_t size, const metatable *m) {
    void *object = lua_newuserdata(L, size);
    memset(object, 0, size);
    push_metatable(L, m);
    lua_setmetatable(L, -2);
    return object;
}

void find_place_in(const runtime *rt, lua_State *co, bool outermost, lua_Debug *place) {
    const char *own = rt->own;
    lua_Debug where;
    *place = (lua_Debug){.short_src = "?"};
    for (int level = 0; lua_getstack(co, level, &where); level++) {
        lua_getinfo(co, "Sl", &where);
        if (where.currentline > 0 && !(own && strncmp(where.source, own, strlen(own)) == 0)) {
            *place = where;
            if (!outermost) {
                return;
            }
        }
    }
}

void find_place(lua_State *L, lua_State *co, bool outermost, lua_Debug *place) {
    find_place_in(runtime_of(L), co, outermost, place);
}

static void push_place(lua_State *L) {
    lua_Debug place;
    find_place(L, L, false, &place);
    if (place.currentline > 0) {
        lua_pushfstring(L, "%s:%d: ", place.short_src, place.currentline);
    } else {
        lua_pushliteral(L, "");
    }
}

int throw(lua_State * L, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    push_place(L);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 2);
    return lua_error(L);
}

/* fail(text): throws it */
static int native_fail(lua_State *L) {
    return throw(L, "%s", luaL_checkstring(L, 1));
}

/* set_own(prefix): how the sources of Momo's own Lua modules begin */
static int native_set_own(lua_State *L) {
    lua_settop(L, 1);
    runtime_of(L)->own = luaL_checkstring(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.own"); /* keeps it */
    return 0;
}

const char *error_text(lua_State *L) {
    const char *text = lua_tostring(L, -1);
    return text ? text : "(error object)";
}

task *running_task(lua_State *L) {
    executor *ex = executor_running;
    return ex && ex->user == runtime_of(L) ? ex->current : NULL;
}

executor *open_executor(lua_State *L) {
    executor *ex = &runtime_of(L)->executor;
    if (ex->closed) {
        luaL_error(L, "the Lua state is closing");
    }
    return ex;
}

int push_failure(lua_State *L, int code) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", momo_error_name(code), momo_error_text(code));
    lua_pushstring(L, momo_error_name(code));
    return 3;
}

void *check_self(lua_State *L, const metatable *m, const char *object, const char *method) {
    int top = lua_gettop(L);
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
        int expected = lua_upvalueindex((int)m->up);
        if (!m->up) {
            luaL_getmetatable(L, m->name);
            expected = -1;
        }
        bool same = lua_rawequal(L, top + 1, expected);
        lua_settop(L, top);
        if (same) {
            return lua_touserdata(L, 1);
        }
    }
    throw(L, "%s: call it with a colon: %s:%s()", method, object, method);
    return NULL;
}

double check_seconds(lua_State *L, int index, const char *function) {
    if (lua_isnoneornil(L, index)) {
        return -1;
    }
    double seconds = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || isnan(seconds) || seconds < 0) {
        throw(L, "%s: the timeout must be a number of seconds, 0 or more, got %s", function,
              lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    }
    return seconds;
}

void forget(lua_State *L, enum upvalue table, const task *t) {
    lua_rawgeti(L, lua_upvalueindex(table), slot_of(t));
    bool known = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (known) { /* else a nil could make the table grow */
        lua_pushnil(L);
        lua_rawseti(L, lua_upvalueindex(table), slot_of(t));
    }
}

static const function functions[] = {{"fail", native_fail}, {"set_own", native_set_own}, {NULL, NULL}};
const module runtime_module = {.functions = functions};
