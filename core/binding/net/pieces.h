/* SPDX-License-Identifier: MIT
 *
 * What is written: a string, a number or an array of these, its pieces. Nothing here allocates, but for what throws.
 */
#pragma once
#include <lua.h>
#include <stddef.h>

enum { PIECE_NUMBER = 64 }; /* bytes that the text of a number takes at most */

/* A string's bytes, or a number's text as io.write has it, which then stands in `number`. NULL: it is neither. */
const char *piece_text(lua_State *L, int index, char number[PIECE_NUMBER], size_t *size);
/* The i-th piece of the array at the index, from 1. */
const char *piece_at(lua_State *L, int index, unsigned i, char number[PIECE_NUMBER], size_t *size);
/* Looks at further pieces of an array of n, of which *seen were looked at: 0, all are pieces and there is nothing else;
 * UV_EAGAIN, there are more, after `most` of them; UV_EINVAL, one is none, or there is a hole: `#` may lie then, so the keys
 * are counted. */
int pieces_look(lua_State *L, int index, unsigned n, unsigned *seen, unsigned most);
/* Raises what is wrong with such an array; `of`: what its pieces are of, such as "" or " of the body". */
int pieces_throw(lua_State *L, int index, const char *function, const char *of);
/* How many bytes it is, whatever of these it is; raises what is wrong with it. */
size_t pieces_measure(lua_State *L, int index, const char *function, const char *of, const char *what);
