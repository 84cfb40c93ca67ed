/* SPDX-License-Identifier: MIT
 *
 * The text of a stack, as luaL_traceback has it.
 */
#pragma once
#include "binding/runtime.h"

/* Pushes where co is, from this level on. May raise, for want of memory. */
void push_stack_text(lua_State *, lua_State *co, int level);
