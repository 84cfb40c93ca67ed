/* SPDX-License-Identifier: MIT
 *
 * LuaJIT's string.buffer, as C uses it: by its own methods, since what it looks like inside is LuaJIT's affair.
 *
 * A pointer into a buffer is asked for anew at each try, and used before anything of Lua runs: so while a task is parked, its
 * buffer may be put into, emptied or freed, and no memory is touched that it has not.
 */
#pragma once
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

bool is_buffer(lua_State *, int index);

/* Of a buffer at an index of the stack. No step of the collector runs in these, so what they allocate has to be told to it
 * behind them, where the operation is at its end: buffer_account. */

/* Room behind its bytes, for n or more. False: there is no memory. */
bool buffer_reserve(lua_State *, int index, size_t n, char **into, size_t *room);
/* The first n bytes of that room are its own now. */
void buffer_commit(lua_State *, int index, size_t n);
/* Its bytes. False: there is no memory. */
bool buffer_bytes(lua_State *, int index, char **bytes, size_t *size);
/* Drops the first n of them, or all if there are not so many. */
void buffer_skip(lua_State *, int index, size_t n);
/* A step of the collector, if one is due. */
void buffer_account(lua_State *);
