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
 *        | TABLE (key value)* END | SEEN number: one that was packed before | LATER: a table whose contents come later
 *
 * Tables that lie deep are packed later, so that neither side's stack grows with the depth. Behind the values, if there are
 * such tables: END, and then for each of them, in the order in which they were met, (key value)* END. */
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
    VALUE_LATER,
    VALUE_CHANNEL_END
};

/* A function goes to another state as code, modules, n, and then its arguments: see momo.portable. */
enum { PORTABLE_ARGUMENTS = 3 };

typedef struct packed {
    char *bytes; /* NULL when there are none */
    size_t size;
    bool ends; /* there are ends of channels among the values */
} packed;

/* Packs the n values on top of the stack, which are replaced by a userdata that holds the bytes of *out: NULL; the ends among
 * them have not departed. Otherwise nothing is packed, and the answer says why, such as "argument 2.handlers[3] is a
 * function"; it replaces the values on the stack. Raises only for want of memory. what, number: how to call the first value,
 * as in "argument", 1; VALUE_ALONE: by `what` only. except: the end that the values are sent through, or NULL: neither it
 * nor its receiver can be among them. */
const char *value_pack(lua_State *, int n, const char *what, int number, const channel_end *except, packed *out);
/* Packs the n values on top of the stack and pops them: *out has memory of its own and owns all ends, until value_free.
 * Raises what can't be packed. */
void value_store(lua_State *, int n, const char *what, int number, packed *out);
/* Frees the bytes, and closes the ends that nobody has taken out. */
void value_free(packed *);
/* Pushes the values: how many. Takes the ends out: they are this state's, and unpacking the bytes once more makes closed
 * ones. Raises only for want of memory. */
int value_unpack(lua_State *, packed *);
/* Has the ends depart: from here on the bytes own them. */
void value_depart(const packed *);
/* Puts the ends that were not taken out onto the list of those to be closed. */
void value_close(const packed *, list *closing);
/* Finds the text of the first value, if that is a string; else "(error object)". Needs no Lua state. */
const char *value_text(const packed *, size_t *size);

/* Steps over values from *next on to the next end of a channel: the bytes of its pointer; NULL: none before `limit`. */
char *value_next_end(char **next, const char *limit);
/* Pushes what Momo's modules have put into the registry, loading them first where nothing has yet. */
void value_get_registered(lua_State *, const char *key);
/* Hooks for what value.c can't tell by itself: see core.lua and channel_end.c. */
int value_set_integers(lua_State *);
channel_end **value_to_end(lua_State *, int index); /* NULL: the value is no end */
void value_push_end(lua_State *,
                    char *bytes); /* takes the end that the bytes point to, and sets that pointer to NULL */
