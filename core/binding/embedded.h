/* SPDX-License-Identifier: MIT
 *
 * Momo's Lua modules are embedded as bytecode: to compile them takes most of a start. Which source they show, in
 * errors and tracebacks, is that which require would find.
 */
#pragma once
#include <lua.h>
#include <stdint.h>

enum { BYTECODE_HEAD = 5 }; /* bytes before the length and the text of the chunk's name */

/* One of the index, which stands behind its own length; behind it are the entries: each its name, its code's head, the code's rest. */
typedef struct embedded_entry {
    uint32_t hash; /* of its name */
    uint32_t at;   /* the name, behind the index */
    uint32_t size; /* of the code's rest */
} embedded_entry;

static inline uint32_t embedded_hash(const char *name) {
    uint32_t hash = 2166136261; /* FNV-1a */
    while (*name) {
        hash = (hash ^ (unsigned char)*name++) * 16777619;
    }
    return hash;
}

/* From now on require finds them; where this LuaJIT takes the bytecode for none of its own, it compiles the sources. */
void embedded_add_loader(lua_State *);
