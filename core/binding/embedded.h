/* SPDX-License-Identifier: MIT
 *
 * Momo's Lua modules are embedded as bytecode: to compile them takes most of a start. Which source they show, in
 * errors and tracebacks, is that which require would find.
 */
#pragma once
#include <lua.h>
#include <stdint.h>

enum { BYTECODE_HEAD = 5 }; /* bytes before the length and the text of the chunk's name */

/* From now on require finds them; where this LuaJIT takes the bytecode for none of its own, it compiles the sources. */
void embedded_add_loader(lua_State *);
