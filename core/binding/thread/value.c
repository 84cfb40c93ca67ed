/* SPDX-License-Identifier: MIT
 *
 * Bytes into Lua values, and what is done with them without Lua: see value.h.
 */
#include "binding/thread/value.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void value_get_registered(lua_State *L, const char *key) {
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "momo.internal.thread_channel");
    bool loaded = !lua_isnil(L, -1);
    lua_pop(L, 2);
    lua_getfield(L, LUA_REGISTRYINDEX, key);
    if (!loaded) { /* nothing has needed them in this state yet: a metatable may still be empty */
        lua_getglobal(L, "require");
        lua_pushliteral(L, "momo.internal.thread_channel");
        lua_call(L, 1, 0);
        lua_getfield(L, LUA_REGISTRYINDEX, key);
        lua_remove(L, -2);
    }
}

static void push_integer(lua_State *L, bool is_unsigned, const char *bytes) {
    value_get_registered(L, "momo.new_integer");
    lua_pushboolean(L, is_unsigned);
    lua_call(L, 1, 1);
    memcpy((void *)(uintptr_t)lua_topointer(L, -1), bytes, sizeof(int64_t));
}

typedef struct unpacker {
    lua_State *L;
    char *next;
    int seen; /* stack index of a table: [number + 1] = table or end; [-1], ... = tables that are filled later */
    int numbered, later;
} unpacker;

static void get(unpacker *u, void *bytes, size_t size) {
    memcpy(bytes, u->next, size);
    u->next += size;
}

static bool unpack(unpacker *u);

static void push_table(unpacker *u) {
    luaL_checkstack(u->L, 8, "tables in tables");
    lua_newtable(u->L);
    lua_pushvalue(u->L, -1);
    lua_rawseti(u->L, u->seen, ++u->numbered);
}

/* The table on top. */
static void fill_table(unpacker *u) {
    while (unpack(u)) {
        unpack(u);
        lua_rawset(u->L, -3);
    }
}

/* Pushes the next value; false, and nothing pushed, for VALUE_END. */
static bool unpack(unpacker *u) {
    lua_State *L = u->L;
    char tag;
    get(u, &tag, 1);
    switch ((enum value_tag)tag) {
    case VALUE_NIL: lua_pushnil(L); return true;
    case VALUE_FALSE:
    case VALUE_TRUE: lua_pushboolean(L, tag == VALUE_TRUE); return true;
    case VALUE_NUMBER: {
        double number;
        get(u, &number, sizeof number);
        lua_pushnumber(L, number);
        return true;
    }
    case VALUE_STRING: {
        size_t size;
        get(u, &size, sizeof size);
        lua_pushlstring(L, u->next, size);
        u->next += size;
        return true;
    }
    case VALUE_TABLE:
        push_table(u);
        fill_table(u);
        return true;
    case VALUE_LATER:
        push_table(u);
        lua_pushvalue(L, -1);
        lua_rawseti(L, u->seen, -++u->later);
        return true;
    case VALUE_SEEN: {
        uint32_t number;
        get(u, &number, sizeof number);
        lua_rawgeti(L, u->seen, (int)number + 1);
        return true;
    }
    case VALUE_INT64:
    case VALUE_UINT64:
        luaL_checkstack(L, 8, "integers");
        push_integer(L, tag == VALUE_UINT64, u->next);
        u->next += sizeof(int64_t);
        return true;
    case VALUE_CHANNEL_END: {
        luaL_checkstack(L, 8, "ends");
        value_push_end(L, u->next);
        u->next += sizeof(channel_end *);
        lua_pushvalue(L, -1);
        lua_rawseti(L, u->seen, ++u->numbered);
        return true;
    }
    case VALUE_END: break;
    }
    return false;
}

int value_unpack(lua_State *L, packed *values) {
    unpacker u = {.L = L, .next = values->bytes};
    lua_newtable(L);
    u.seen = lua_gettop(L);
    int n = 0;
    const char *limit = values->bytes + values->size;
    for (bool more = true; more && u.next < limit; n += more) {
        luaL_checkstack(L, 8, "values");
        more = unpack(&u);
    }
    for (int i = 1; u.next < limit; i++) {
        lua_rawgeti(L, u.seen, -i);
        fill_table(&u);
        lua_pop(L, 1);
    }
    lua_remove(L, u.seen);
    return n;
}

char *value_next_end(char **next, const char *limit) {
    static const char sizes[] = {[VALUE_NUMBER] = 8,
                                 [VALUE_SEEN] = 4,
                                 [VALUE_INT64] = 8,
                                 [VALUE_UINT64] = 8,
                                 [VALUE_CHANNEL_END] = sizeof(void *)};
    while (*next < limit) {
        char *value = *next + 1, tag = **next;
        size_t size = (size_t)sizes[(enum value_tag)tag];
        if (tag == VALUE_STRING) {
            memcpy(&size, value, sizeof size);
            size += sizeof size;
        }
        *next = value + size;
        if (tag == VALUE_CHANNEL_END) {
            return value;
        }
    }
    return NULL;
}

/* Finds the next end that was not taken out, from *next on; or NULL. */
static channel_end *next_end(const packed *values, char **next) {
    channel_end *end = NULL;
    char *pointer;
    while (!end && values->ends && (pointer = value_next_end(next, values->bytes + values->size))) {
        memcpy(&end, pointer, sizeof end);
    }
    return end;
}

void value_depart(const packed *values) {
    char *next = values->bytes;
    for (channel_end *end; (end = next_end(values, &next));) {
        channel_depart(end);
    }
}

void value_close(const packed *values, list *closing) {
    char *next = values->bytes;
    for (channel_end *end; (end = next_end(values, &next));) {
        list_push(closing, &end->own);
    }
}

const char *value_text(const packed *values, size_t *size) {
    if (!values->bytes || values->bytes[0] != VALUE_STRING) {
        const char *other = values->bytes ? "(error object)" : "not enough memory"; /* to keep it */
        *size = strlen(other);
        return other;
    }
    memcpy(size, values->bytes + 1, sizeof *size);
    return values->bytes + 1 + sizeof *size;
}

void value_free(packed *values) {
    list closing;
    list_init(&closing);
    value_close(values, &closing);
    channel_close_list(&closing);
    free(values->bytes);
    *values = (packed){NULL, 0, false};
}
