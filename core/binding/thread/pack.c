/* SPDX-License-Identifier: MIT
 *
 * Lua values into bytes: see value.h.
 */
#include "binding/thread/value.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 50,  /* tables in tables, which are packed at once; further ones later */
    WHERE_MAX = 256, /* bytes of "argument 2.handlers[3]" */
    WHY_MAX = 160,   /* and of what is wrong there */
};

typedef struct packer {
    lua_State *L;
    char *bytes; /* a userdata at index `buffer` of the stack, so that an error frees it */
    size_t size, capacity;
    int buffer, seen; /* indices on the stack; seen: [table or end] = its number */
    uint32_t numbered;
    int later; /* how many tables are packed later: seen[-1], ...; and where they are: seen[1], ... */
    bool ends;
    const channel_end *except; /* through which the values are sent, or NULL */
    char where[WHERE_MAX];     /* "argument 2.handlers[3]" */
    char why[WHERE_MAX + WHY_MAX];
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

static void put_tag(packer *p, enum value_tag tag) {
    char byte = (char)tag;
    put(p, &byte, 1);
}

static bool fail(packer *p, const char *why) {
    snprintf(p->why, sizeof p->why, "%s %s", p->where, why);
    return false;
}

/* Adds ".key" or "[key]" to p->where, for the key at `index`: its length before that. */
static size_t enter(packer *p, int index) {
    size_t end = strlen(p->where), left = sizeof p->where - end;
    if (lua_type(p->L, index) == LUA_TSTRING) {
        snprintf(p->where + end, left, ".%s", lua_tostring(p->L, index));
    } else if (lua_type(p->L, index) == LUA_TNUMBER) {
        snprintf(p->where + end, left, "[%.14g]", lua_tonumber(p->L, index));
    } else {
        snprintf(p->where + end, left, "[%s]", luaL_typename(p->L, index));
    }
    return end;
}

/* True: the table or end was packed before, and its number is packed. False: it has been given a number. */
static bool pack_seen(packer *p, int index) {
    lua_State *L = p->L;
    luaL_checkstack(L, 8, "tables in tables");
    lua_pushvalue(L, index);
    lua_rawget(L, p->seen);
    bool seen = lua_isnumber(L, -1);
    uint32_t number = (uint32_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    if (seen) {
        put_tag(p, VALUE_SEEN);
        put(p, &number, sizeof number);
        return true;
    }
    lua_pushvalue(L, index);
    lua_pushnumber(L, p->numbered++);
    lua_rawset(L, p->seen);
    return false;
}

static bool pack(packer *p, int index, int depth);
static bool is_own(packer *p, int index);

/* Of the table at an absolute index. */
static bool pack_contents(packer *p, int index, int depth) {
    lua_State *L = p->L;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        size_t end = enter(p, value - 1);
        if (!pack(p, value - 1, depth) || !pack(p, value, depth)) {
            return false;
        }
        p->where[end] = '\0';
        lua_settop(L, value - 1);
    }
    put_tag(p, VALUE_END);
    return true;
}

static bool pack_table(packer *p, int index, int depth) {
    lua_State *L = p->L;
    if (pack_seen(p, index)) {
        return true;
    }
    if (is_own(p, index)) {
        return false;
    }
    if (depth <= DEPTH_MAX) {
        put_tag(p, VALUE_TABLE);
        return pack_contents(p, index, depth);
    }
    put_tag(p, VALUE_LATER);
    p->later++;
    lua_pushvalue(L, index);
    lua_rawseti(L, p->seen, -p->later);
    lua_pushstring(L, p->where);
    lua_rawseti(L, p->seen, p->later);
    return true;
}

/* Further tables may be put off meanwhile. */
static bool pack_later(packer *p) {
    put_tag(p, VALUE_END);
    for (int i = 1; i <= p->later; i++) {
        lua_rawgeti(p->L, p->seen, i);
        snprintf(p->where, sizeof p->where, "%s", lua_tostring(p->L, -1));
        lua_pop(p->L, 1);
        lua_rawgeti(p->L, p->seen, -i);
        if (!pack_contents(p, lua_gettop(p->L), 0)) {
            return false;
        }
        lua_pop(p->L, 1);
    }
    return true;
}

/* Whether the value is an object of Momo's, which belongs to its thread: then p->why says so. */
static bool is_own(packer *p, int index) {
    lua_State *L = p->L;
    luaL_checkstack(L, 8, "objects");
    if (!luaL_getmetafield(L, index, "__name")) {
        return false;
    }
    const char *name = lua_tostring(L, -1);
    bool own = name && strncmp(name, "momo.", 5) == 0;
    if (own) {
        char why[WHY_MAX];
        bool channel = strcmp(name, "momo.Sender") == 0 || strcmp(name, "momo.Receiver") == 0;
        snprintf(why, sizeof why, "is a %.60s, which belongs to its thread%s", name,
                 channel ? "; momo.thread.channel makes those that can be given away" : "");
        fail(p, why);
    }
    lua_pop(L, 1);
    return own;
}

static bool refuse(packer *p, int index) {
    char why[64];
    if (is_own(p, index)) {
        return false;
    }
    snprintf(why, sizeof why, "is a %s", luaL_typename(p->L, index));
    return fail(p, why);
}

static bool pack_end(packer *p, int index) {
    channel_end **holder = value_to_end(p->L, index);
    if (!holder) {
        return refuse(p, index);
    }
    if (!*holder) {
        return fail(p, "is the end of a channel that was closed or given away; tx:clone() makes another sender");
    }
    if (!channel_can_depart(*holder)) {
        return fail(p, "is a receiver whose message is being received");
    }
    if (p->except && (*holder == p->except || *holder == &p->except->channel->receiver)) {
        return fail(p, "is an end of this very channel; it can't be sent through it");
    }
    if (pack_seen(p, index)) {
        return true;
    }
    put_tag(p, VALUE_CHANNEL_END);
    put(p, &holder, sizeof holder);
    p->ends = true;
    return true;
}

/* ---- 64-bit integers: cdata, of which only Lua code can tell the type ---- */

/* set_integers(is_unsigned, new): is_unsigned(cdata) -> boolean, or nil: no such integer; new(is_unsigned) -> one, zero */
int value_set_integers(lua_State *L) {
    lua_settop(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.new_integer");
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.integer_is_unsigned");
    return 0;
}

static bool pack_integer(packer *p, int index) {
    lua_State *L = p->L;
    luaL_checkstack(L, 8, "integers");
    value_get_registered(L, "momo.integer_is_unsigned");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    bool is_unsigned = lua_toboolean(L, -1), is_integer = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!is_integer) {
        return refuse(p, index);
    }
    put_tag(p, is_unsigned ? VALUE_UINT64 : VALUE_INT64);
    put(p, lua_topointer(L, index), sizeof(int64_t));
    return true;
}

static bool pack(packer *p, int index, int depth) {
    lua_State *L = p->L;
    switch (lua_type(L, index)) {
    case LUA_TNIL: put_tag(p, VALUE_NIL); return true;
    case LUA_TBOOLEAN: put_tag(p, lua_toboolean(L, index) ? VALUE_TRUE : VALUE_FALSE); return true;
    case LUA_TNUMBER: {
        double number = lua_tonumber(L, index);
        put_tag(p, VALUE_NUMBER);
        put(p, &number, sizeof number);
        return true;
    }
    case LUA_TSTRING: {
        size_t size;
        const char *bytes = lua_tolstring(L, index, &size);
        put_tag(p, VALUE_STRING);
        put(p, &size, sizeof size);
        put(p, bytes, size);
        return true;
    }
    case LUA_TTABLE: return pack_table(p, index, depth + 1);
    case LUA_TUSERDATA: return pack_end(p, index);
    case LUA_TCDATA: return pack_integer(p, index);
    default: return refuse(p, index);
    }
}

/* Replaces the handles among the bytes by their ends, once nothing is allocated any more: while values were packed, a
 * finalizer may have closed some, so handles were packed, which `seen` keeps alive. False: one was closed. */
static bool resolve_ends(packer *p) {
    channel_end **holder;
    for (char *pointer, *next = p->bytes; (pointer = value_next_end(&next, p->bytes + p->size));) {
        memcpy(&holder, pointer, sizeof holder);
        if (!*holder) {
            return false;
        }
        memcpy(pointer, holder, sizeof *holder);
    }
    return true;
}

const char *value_pack(lua_State *L, int n, const char *what, int number, const channel_end *except, packed *out) {
    int first = lua_gettop(L) - n + 1;
    packer p = {.L = L, .capacity = 256, .except = except};
    luaL_checkstack(L, 8, "values");
    p.bytes = lua_newuserdata(L, p.capacity);
    p.buffer = lua_gettop(L);
    lua_newtable(L);
    p.seen = p.buffer + 1;
    bool good = true;
    for (int i = 0; i < n && good; i++) {
        snprintf(p.where, sizeof p.where, number == VALUE_ALONE ? "%s" : "%s %d", what, number + i);
        good = pack(&p, first + i, 0);
    }
    if (!good || (p.later && !pack_later(&p))) {
        lua_settop(L, first - 1);
        lua_pushstring(L, p.why);
        return lua_tostring(L, -1);
    }
    if (p.ends && !resolve_ends(&p)) {
        lua_settop(L, first - 1);
        return lua_pushfstring(L, "%s holds an end of a channel that was closed meanwhile", what);
    }
    *out = (packed){p.bytes, p.size, p.ends};
    lua_settop(L, p.buffer);
    lua_replace(L, first);
    lua_settop(L, first);
    return NULL;
}

void value_store(lua_State *L, int n, const char *what, int number, packed *out) {
    packed values;
    const char *why = value_pack(L, n, what, number, NULL, &values);
    if (why) {
        luaL_error(L, "%s%s", why, strchr(why, ';') ? "" : ", and can't be copied to another thread");
    }
    char *bytes = malloc(values.size ? values.size : 1);
    if (!bytes) {
        luaL_error(L, "not enough memory");
    }
    memcpy(bytes, values.bytes, values.size);
    value_depart(&values);
    *out = (packed){bytes, values.size, values.ends};
    lua_pop(L, 1);
}
