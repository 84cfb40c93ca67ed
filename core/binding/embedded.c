/* SPDX-License-Identifier: MIT
 *
 * Momo's Lua modules as bytecode, which embed.c writes: see embedded.h.
 */
#include "binding/embedded.h"

#include <lauxlib.h>
#include <string.h>

__asm__(".section .rodata\n"
        ".balign 4\n"
        "momo_bytecode:\n"
        ".incbin \"" MOMO_BYTECODE_PATH "\"\n"
        ".long 0\n" /* the count, where nothing is embedded */
        ".previous\n");
extern const struct {
    uint32_t count;
    embedded_entry index[];
} momo_bytecode __attribute__((visibility("hidden")));

/* What the reader of a chunk is given: its head, the length of its name, its name, the rest. */
enum { PIECES = 4 };
typedef struct pieces {
    const char *at[PIECES];
    size_t size[PIECES];
    unsigned next;
} pieces;

static const char *read_piece(lua_State *L, void *user, size_t *size) {
    (void)L;
    pieces *p = user;
    unsigned i = p->next++;
    *size = i < PIECES ? p->size[i] : 0;
    return i < PIECES ? p->at[i] : NULL;
}

/* Seven bits a byte, the lowest first. */
static size_t put_number(char *into, size_t number) {
    size_t n = 0;
    for (; number > 0x7f; number >>= 7) {
        into[n++] = (char)(0x80 | (number & 0x7f));
    }
    into[n++] = (char)number;
    return n;
}

/* The entry's name, and where its code begins. */
static const char *name_of(const embedded_entry *e) {
    return (const char *)&momo_bytecode.index[momo_bytecode.count] + e->at;
}

static const char *code_of(const embedded_entry *e) {
    return name_of(e) + strlen(name_of(e)) + 1;
}

static const embedded_entry *find(const char *name) {
    uint32_t hash = embedded_hash(name);
    const embedded_entry *e = momo_bytecode.index, *end = e + momo_bytecode.count;
    while (e != end && (e->hash != hash || strcmp(name_of(e), name) != 0)) {
        e++;
    }
    return e != end ? e : NULL;
}

/* Pushes it: the upvalue is what precedes "momo.lua" in the source of momo. */
static void push_source(lua_State *L, const char *name) {
    luaL_gsub(L, name, ".", "/");
    lua_pushfstring(L, "%s%s.lua", lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, -1));
}

/* (name) -> what the chunk returns, which is the upvalue. One that fails, for want of memory, may be asked for again: require
 * has marked it as being loaded, and would say for good that there is a loop. */
static int run_embedded(lua_State *L) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) == 0) {
        return 1;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return lua_error(L);
}

/* One of package.loaders (name) -> what runs the module's chunk, or nothing. Upvalue: see push_source. */
static int load_embedded(lua_State *L) {
    const char *asked = lua_tostring(L, 1);
    const embedded_entry *e = asked ? find(asked) : NULL;
    if (!e) {
        return 0;
    }
    push_source(L, asked);
    size_t length;
    const char *name = lua_tolstring(L, -1, &length), *code = code_of(e);
    char number[sizeof(size_t) * 2];
    pieces p = {.at = {code, number, name, code + BYTECODE_HEAD},
                .size = {BYTECODE_HEAD, put_number(number, length), length, e->size}};
    if (lua_load(L, read_piece, &p, name) != 0) { /* it is of another LuaJIT: the next loader finds the source */
        return 0;
    }
    lua_pushcclosure(L, run_embedded, 1);
    return 1;
}

/* Pushes it: "@" and the path up to "momo.lua". */
static void push_prefix(lua_State *L) {
    const char found[] = "momo/internal/core.lua";
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushliteral(L, "momo.internal.core");
    lua_getfield(L, -3, "path");
    size_t length = 0;
    if (lua_isstring(L, -1) && lua_pcall(L, 2, 1, 0) == 0 && lua_isstring(L, -1)) {
        lua_tolstring(L, -1, &length);
    }
    if (length >= sizeof found && strcmp(lua_tostring(L, -1) + length - (sizeof found - 1), found) == 0) {
        lua_pushliteral(L, "@");
        lua_pushlstring(L, lua_tostring(L, -2), length - (sizeof found - 1));
        lua_concat(L, 2);
    } else { /* there are no sources */
        lua_pushliteral(L, "@");
    }
    lua_insert(L, 1);
    lua_settop(L, 1);
}

static int add_loader(lua_State *L) {
    lua_settop(L, 0);
    push_prefix(L);
    lua_pushcclosure(L, load_embedded, 1);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    int n = (int)lua_objlen(L, -1);
    for (; n > 1; n--) { /* behind the first, which is for package.preload */
        lua_rawgeti(L, -1, n);
        lua_rawseti(L, -2, n + 1);
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 2);
    return 0;
}

void embedded_add_loader(lua_State *L) {
    lua_pushcfunction(L, add_loader);
    lua_call(L, 0, 0);
}
