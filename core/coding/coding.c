/* SPDX-License-Identifier: MIT
 *
 * Content codings as Lua sees them: see coding.h. Every function has its coding as upvalue.
 */
#include "coding/coding.h"

#include <stdbool.h>

typedef struct object {
    void *state; /* the library's; NULL: freed */
} object;

static const coding *coding_of(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int free_encoder(lua_State *L) {
    object *o = luaL_checkudata(L, 1, coding_of(L)->encoder);
    if (o->state) {
        coding_of(L)->encoder_free(o->state);
        o->state = NULL;
    }
    return 0;
}

static int free_decoder(lua_State *L) {
    object *o = luaL_checkudata(L, 1, coding_of(L)->decoder);
    if (o->state) {
        coding_of(L)->decoder_free(o->state);
        o->state = NULL;
    }
    return 0;
}

static object *push_object(lua_State *L, const char *metatable) {
    object *o = lua_newuserdata(L, sizeof *o);
    o->state = NULL;
    luaL_getmetatable(L, metatable);
    lua_setmetatable(L, -2);
    return o;
}

/* encoder([level]) -> encoder */
static int new_encoder(lua_State *L) {
    const coding *c = coding_of(L);
    int level = (int)luaL_optinteger(L, 1, c->level);
    object *o = push_object(L, c->encoder);
    o->state = c->encoder_new(level);
    return o->state ? 1 : luaL_error(L, "not enough memory, or no such level");
}

/* decoder() -> decoder */
static int new_decoder(lua_State *L) {
    const coding *c = coding_of(L);
    object *o = push_object(L, c->decoder);
    o->state = c->decoder_new();
    return o->state ? 1 : luaL_error(L, "not enough memory");
}

static object *check_open(lua_State *L, const char *metatable) {
    object *o = luaL_checkudata(L, 1, metatable);
    if (!o->state) {
        luaL_error(L, "it is closed");
    }
    return o;
}

/* encoder:encode(bytes[, operation]) -> bytes; operation: "flush": all that went in comes out, "finish": and the end */
static int encode(lua_State *L) {
    static const char *const operations[] = {"process", "flush", "finish", NULL};
    const coding *c = coding_of(L);
    object *o = check_open(L, c->encoder);
    size_t size;
    const char *bytes = luaL_checklstring(L, 2, &size);
    enum operation operation = luaL_checkoption(L, 3, "process", operations);
    pieces p = {.in = (const uint8_t *)bytes, .in_left = size};
    luaL_Buffer output;
    luaL_buffinit(L, &output);
    int progress;
    do {
        p.out = (uint8_t *)luaL_prepbuffer(&output);
        p.out_left = LUAL_BUFFERSIZE;
        progress = c->encode(o->state, &p, operation);
        luaL_addsize(&output, LUAL_BUFFERSIZE - p.out_left);
    } while (progress == PROGRESS_MORE);
    if (progress == PROGRESS_FAILED) {
        return luaL_error(L, "encoding failed");
    }
    luaL_pushresult(&output);
    return 1;
}

/* decoder:decode(bytes, from, max) -> bytes, next, ended | nil: what came is malformed. It begins at the byte `from`, and
 * ends before the byte `next`; where it gave max bytes, it may have more without further input. */
static int decode(lua_State *L) {
    const coding *c = coding_of(L);
    object *o = check_open(L, c->decoder);
    size_t size;
    const char *bytes = luaL_checklstring(L, 2, &size);
    size_t from = (size_t)luaL_checkinteger(L, 3) - 1, max = (size_t)luaL_checkinteger(L, 4), given = 0;
    luaL_argcheck(L, from <= size, 3, "beyond the end");
    pieces p = {.in = (const uint8_t *)bytes + from, .in_left = size - from};
    luaL_Buffer output;
    luaL_buffinit(L, &output);
    int progress = PROGRESS_MORE;
    bool stuck = false;
    while (progress == PROGRESS_MORE && given < max && !stuck) {
        size_t room = max - given < LUAL_BUFFERSIZE ? max - given : LUAL_BUFFERSIZE, before = p.in_left;
        p.out = (uint8_t *)luaL_prepbuffer(&output);
        p.out_left = room;
        progress = c->decode(o->state, &p);
        stuck = p.out_left == room && p.in_left == before;
        given += room - p.out_left;
        luaL_addsize(&output, room - p.out_left);
    }
    if (progress == PROGRESS_FAILED) {
        lua_pushnil(L);
        return 1;
    }
    luaL_pushresult(&output);
    lua_pushinteger(L, (lua_Integer)(size - p.in_left) + 1);
    lua_pushboolean(L, progress == PROGRESS_DONE);
    return 3;
}

static void set_function(lua_State *L, const coding *c, const char *name, lua_CFunction call) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)c);
    lua_pushcclosure(L, call, 1);
    lua_setfield(L, -2, name);
}

static void make_class(lua_State *L, const coding *c, const char *metatable, const char *method, lua_CFunction call,
                       lua_CFunction release) {
    luaL_newmetatable(L, metatable);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    set_function(L, c, "__gc", release);
    set_function(L, c, "close", release);
    set_function(L, c, method, call);
    lua_pop(L, 1);
}

int coding_open(lua_State *L, const coding *c) {
    make_class(L, c, c->encoder, "encode", encode, free_encoder);
    make_class(L, c, c->decoder, "decode", decode, free_decoder);
    lua_newtable(L);
    set_function(L, c, "encoder", new_encoder);
    set_function(L, c, "decoder", new_decoder);
    return 1;
}
