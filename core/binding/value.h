/* SPDX-License-Identifier: MIT
 *
 * Plain Lua values as bytes, to be copied from one Lua state to another: nil, booleans, numbers, strings, 64-bit
 * integers, the ends of channels between threads, and tables of these, shared and cyclic ones too. Metatables stay behind.
 *
 * The end of a channel is not copied: it moves. Bytes that hold ends own them from value_depart on, until they are
 * unpacked, or given up by value_close.
 */
#pragma once
#include <limits.h>
#include <lua.h>

#include "thread/channel.h"

#define LUA_TCDATA (LUA_TTHREAD + 2) /* LuaJIT's, which its headers keep to themselves */
#define VALUE_ALONE INT_MIN

/* How each value's bytes begin. Tables and ends of channels are numbered in the order in which they begin.
 *
 *   value: NIL | FALSE | TRUE | NUMBER double | STRING size bytes | INT64, UINT64 8 bytes | CHANNEL_END pointer
 *        | TABLE (key value)* END | SEEN number: one that was packed before */
enum value_tag {
    VALUE_NIL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_TABLE,
    VALUE_END,
    VALUE_SEEN,
    VALUE_INT64,
    VALUE_UINT64,
    VALUE_CHANNEL_END
};

/* A function goes to another state as code, modules, n, and then its arguments: see momo.portable. */
enum { PORTABLE_ARGUMENTS = 3 };

typedef struct packed {
    char *bytes; /* NULL when there are none */
    size_t size;
    bool ends; /* there are ends of channels among the values */
} packed;

/* Packs the n values on top: NULL, and a userdata stands in their place, which holds the bytes of *out; the ends among
 * them have not departed. Otherwise nothing is packed, and what is returned says why, such as "argument 2.handlers[3] is
 * a function"; it stands on the stack, in place of the values. Raises only for want of memory. what, number: how to call
 * the first value, as in "argument", 1; VALUE_ALONE: by `what` only. except: the end that they are sent through, or NULL:
 * neither it nor its receiver can be among them. */
const char *value_pack(lua_State *, int n, const char *what, int number, const channel_end *except, packed *out);
/* The same for the n values on top, which then are no more on the stack: *out has memory of its own and all ends, until
 * value_free. Raises what can't be packed. */
void value_store(lua_State *, int n, const char *what, int number, packed *out);
/* Frees the bytes; the ends that nobody has taken out are closed. */
void value_free(packed *);
/* Pushes the values: how many. The ends are taken out: they are this state's, and where the bytes are unpacked again, there
 * are closed ones. Raises only for want of memory. */
int value_unpack(lua_State *, packed *);
/* The ends depart: from here on the bytes own them. */
void value_depart(const packed *);
/* Those that were not taken out come onto the list, to be closed. */
void value_close(const packed *, list *closing);
/* The first value's bytes where that is a string, else "(error object)"; needs no Lua. */
const char *value_text(const packed *, size_t *size);

/* Steps over values from *next on to the next end of a channel: where its pointer is; NULL: there is none before `limit`. */
char *value_next_end(char **next, const char *limit);
/* Pushes what Momo's modules have put into the registry, loading them first where nothing has yet. */
void value_get_registered(lua_State *, const char *key);
/* What Lua's values are, where value.c can't tell: see core.lua and channel_end.c. */
int value_set_integers(lua_State *);
channel_end **value_to_end(lua_State *, int index); /* NULL: it is none */
void value_push_end(lua_State *, char *bytes);      /* whose pointer the bytes hold, which then is NULL */
