/* SPDX-License-Identifier: MIT
 *
 * Plain values as bytes: see value.h.
 *
 *   value: NIL | FALSE | TRUE | NUMBER double | STRING size bytes | TABLE (key value)* END | SEEN number
 *
 * Tables are numbered in the order in which they begin; SEEN is one that was packed before.
 */
#include "value.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum tag { NIL, FALSE, TRUE, NUMBER, STRING, TABLE, END, SEEN };

enum {
    DEPTH_MAX = 200, /* tables in tables */
    PLACE_MAX = 256, /* bytes of "argument 2.handlers[3]" */
};

typedef struct packer {
    lua_State *L;
    char *bytes; /* a userdata at index `buffer` of the stack, so that an error frees it */
    size_t size, capacity;
    int buffer, seen; /* places on the stack; seen: [table] = its number */
    uint32_t tables;
    char place[PLACE_MAX];
    char why[PLACE_MAX + 64];
} packer;

static void put(packer *p, const void *bytes, size_t size) {
    if (p->capacity - p->size < size) {
        size_t capacity = 2 * p->capacity + size;
        char *larger = lua_newuserdata(p->L, capacity);
        memcpy(larger, p->bytes, p->size);
        lua_replace(p->L, p->buffer);
        p->bytes = larger;
        p->capacity = capacity;
    }
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
}

static void put_tag(packer *p, enum tag tag) {
    char byte = (char)tag;
    put(p, &byte, 1);
}

static bool fail(packer *p, const char *why) {
    snprintf(p->why, sizeof p->why, "%s %s", p->place, why);
    return false;
}

/* Adds ".key" or "[key]" for the key at `index`: where it ended before. */
static size_t enter_place(packer *p, int index) {
    size_t end = strlen(p->place), room = sizeof p->place - end;
    if (lua_type(p->L, index) == LUA_TSTRING) {
        snprintf(p->place + end, room, ".%s", lua_tostring(p->L, index));
    } else if (lua_type(p->L, index) == LUA_TNUMBER) {
        snprintf(p->place + end, room, "[%.14g]", lua_tonumber(p->L, index));
    } else {
        snprintf(p->place + end, room, "[%s]", luaL_typename(p->L, index));
    }
    return end;
}

static bool pack(packer *p, int index, int depth);

static bool pack_table(packer *p, int index, int depth) {
    lua_State *L = p->L;
    lua_pushvalue(L, index);
    lua_rawget(L, p->seen);
    if (lua_isnumber(L, -1)) {
        uint32_t number = (uint32_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
        put_tag(p, SEEN);
        put(p, &number, sizeof number);
        return true;
    }
    lua_pop(L, 1);
    if (depth > DEPTH_MAX) {
        return fail(p, "is nested too deep");
    }
    luaL_checkstack(L, 8, "tables in tables");
    lua_pushvalue(L, index);
    lua_pushnumber(L, p->tables++);
    lua_rawset(L, p->seen);
    put_tag(p, TABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        size_t end = enter_place(p, value - 1);
        if (!pack(p, value - 1, depth) || !pack(p, value, depth)) {
            return false;
        }
        p->place[end] = '\0';
        lua_settop(L, value - 1);
    }
    put_tag(p, END);
    return true;
}

static bool pack(packer *p, int index, int depth) {
    lua_State *L = p->L;
    switch (lua_type(L, index)) {
    case LUA_TNIL: put_tag(p, NIL); return true;
    case LUA_TBOOLEAN: put_tag(p, lua_toboolean(L, index) ? TRUE : FALSE); return true;
    case LUA_TNUMBER: {
        double number = lua_tonumber(L, index);
        put_tag(p, NUMBER);
        put(p, &number, sizeof number);
        return true;
    }
    case LUA_TSTRING: {
        size_t size;
        const char *bytes = lua_tolstring(L, index, &size);
        put_tag(p, STRING);
        put(p, &size, sizeof size);
        put(p, bytes, size);
        return true;
    }
    case LUA_TTABLE: return pack_table(p, index, depth + 1);
    default: {
        char why[64];
        snprintf(why, sizeof why, "is a %s", luaL_typename(L, index));
        return fail(p, why);
    }
    }
}

const char *value_pack(lua_State *L, int n, const char *what, int number, packed *out) {
    int first = lua_gettop(L) - n + 1;
    packer p = {.L = L, .capacity = 256};
    *out = (packed){NULL, 0};
    luaL_checkstack(L, 8, "values");
    p.bytes = lua_newuserdata(L, p.capacity);
    p.buffer = lua_gettop(L);
    lua_newtable(L);
    p.seen = p.buffer + 1;
    for (int i = 0; i < n; i++) {
        snprintf(p.place, sizeof p.place, "%s %d", what, number + i);
        if (!pack(&p, first + i, 0)) {
            lua_settop(L, first - 1);
            lua_pushstring(L, p.why);
            return lua_tostring(L, -1);
        }
    }
    out->bytes = malloc(p.size ? p.size : 1);
    if (!out->bytes) {
        luaL_error(L, "not enough memory");
    }
    memcpy(out->bytes, p.bytes, p.size);
    out->size = p.size;
    lua_settop(L, first - 1);
    return NULL;
}

typedef struct unpacker {
    lua_State *L;
    const char *next;
    int seen; /* place on the stack: [number + 1] = table */
    int tables;
} unpacker;

static void get(unpacker *u, void *bytes, size_t size) {
    memcpy(bytes, u->next, size);
    u->next += size;
}

/* Pushes the next value; false, and nothing pushed, for END. */
static bool unpack(unpacker *u) {
    lua_State *L = u->L;
    char tag;
    get(u, &tag, 1);
    switch ((enum tag)tag) {
    case NIL: lua_pushnil(L); return true;
    case FALSE:
    case TRUE: lua_pushboolean(L, tag == TRUE); return true;
    case NUMBER: {
        double number;
        get(u, &number, sizeof number);
        lua_pushnumber(L, number);
        return true;
    }
    case STRING: {
        size_t size;
        get(u, &size, sizeof size);
        lua_pushlstring(L, u->next, size);
        u->next += size;
        return true;
    }
    case TABLE:
        luaL_checkstack(L, 8, "tables in tables");
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, u->seen, ++u->tables);
        while (unpack(u)) {
            unpack(u);
            lua_rawset(L, -3);
        }
        return true;
    case SEEN: {
        uint32_t number;
        get(u, &number, sizeof number);
        lua_rawgeti(L, u->seen, (int)number + 1);
        return true;
    }
    case END: break;
    }
    return false;
}

int value_unpack(lua_State *L, const packed *values) {
    unpacker u = {.L = L, .next = values->bytes};
    lua_newtable(L);
    u.seen = lua_gettop(L);
    int n = 0;
    while (u.next < values->bytes + values->size) {
        luaL_checkstack(L, 8, "values");
        unpack(&u);
        n++;
    }
    lua_remove(L, u.seen);
    return n;
}

const char *value_text(const packed *values, size_t *size) {
    static const char other[] = "(error object)";
    if (!values->bytes || values->bytes[0] != STRING) {
        *size = sizeof other - 1;
        return other;
    }
    memcpy(size, values->bytes + 1, sizeof *size);
    return values->bytes + 1 + sizeof *size;
}
