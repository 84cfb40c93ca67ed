/* SPDX-License-Identifier: MIT
 *
 * Buffers: see buffer.h.
 */
#include "binding/net/buffer.h"

#include <stdint.h>
#include <string.h>

static const char metatable_key;

/* Keeps what all buffers have as their metatable. Called protected. */
static int learn(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&metatable_key);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "string.buffer");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_getmetatable(L, -1);
    lua_replace(L, 3);
    lua_settop(L, 3);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return 0;
}

static void push_metatable(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&metatable_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

bool is_buffer(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) {
        return false;
    }
    push_metatable(L);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1 + (lua_cpcall(L, learn, NULL) != 0));
        push_metatable(L);
    }
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

/* Calls a method with n, which those that take nothing pass over. False: there was no memory for its results. */
static bool call(lua_State *L, int index, const char *method, size_t n, int results) {
    lua_getmetatable(L, index);
    lua_getfield(L, -1, method);
    lua_replace(L, -2);
    lua_pushvalue(L, index);
    lua_pushnumber(L, (lua_Number)n);
    if (lua_pcall(L, 2, results, 0) == 0) {
        return true;
    }
    lua_pop(L, 1);
    return false;
}

/* A method returns a pointer, which is a cdata, and a number. */
static bool call_for_bytes(lua_State *L, int index, const char *method, size_t n, char **bytes, size_t *size) {
    if (!call(L, index, method, n, 2)) {
        return false;
    }
    memcpy(bytes, lua_topointer(L, -2), sizeof(*bytes));
    *size = (size_t)lua_tonumber(L, -1);
    lua_pop(L, 2);
    return true;
}

bool buffer_reserve(lua_State *L, int index, size_t n, char **into, size_t *room) {
    return call_for_bytes(L, index, "reserve", n, into, room);
}

bool buffer_bytes(lua_State *L, int index, char **bytes, size_t *size) {
    return call_for_bytes(L, index, "ref", 0, bytes, size);
}

void buffer_commit(lua_State *L, int index, size_t n) {
    call(L, index, "commit", n, 0);
}

void buffer_skip(lua_State *L, int index, size_t n) {
    call(L, index, "skip", n, 0);
}

void buffer_account(lua_State *L) {
    lua_pushliteral(L, ""); /* a string of the API's is what makes it look */
    lua_pop(L, 1);
}
