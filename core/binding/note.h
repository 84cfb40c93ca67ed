/* SPDX-License-Identifier: MIT
 *
 * Notes: where an error came from, kept while it is passed on.
 *
 * Momo catches errors in order to clean up, and raises them again; the traceback of that would show the cleaning. So what
 * catches one keeps its traceback beside it, and whoever shows the error in the end takes that, if it is still the same.
 */
#pragma once
#include "binding/handle.h"

/* note(err) -> err: an xpcall handler. */
int note_error(lua_State *);
/* raise(err): raises again what was noted, and is passed on. */
int note_raise(lua_State *);
/* Notes that the error at err_index is the failure of the task whose handle is at handle_index. */
void note_failure(lua_State *, task *, int handle_index, int err_index);
/* Pushes the traceback that was noted for the error at err_index, if that is what co raises at this level of its stack. */
bool push_note(lua_State *, const task *, lua_State *co, int level, int err_index);
