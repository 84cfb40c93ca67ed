/* SPDX-License-Identifier: MIT
 *
 * Plain Lua values as bytes, to be copied from one Lua state to another: nil, booleans, numbers, strings, and tables of
 * these, shared and cyclic ones too. Metatables stay behind.
 */
#pragma once
#include <lua.h>
#include <stddef.h>

typedef struct packed {
    char *bytes; /* malloc'ed; NULL when there are none */
    size_t size;
} packed;

/* Packs the n values on top and pops them: NULL, and *out is the caller's to free. Otherwise nothing is packed, and what
 * is returned says why, such as "argument 2.handlers[3] is a function"; it stands on the stack, in place of the values.
 * Raises only for want of memory. what, number: how to call the first value, as in "argument", 1. */
const char *value_pack(lua_State *, int n, const char *what, int number, packed *out);
/* Pushes the values: how many. Raises only for want of memory. */
int value_unpack(lua_State *, const packed *);
/* The first value's bytes where that is a string, else "(error object)"; needs no Lua. */
const char *value_text(const packed *, size_t *size);
