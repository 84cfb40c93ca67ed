/* SPDX-License-Identifier: MIT
 *
 * Captured tracebacks: where an error came from, kept while it is passed on.
 *
 * Momo catches errors in order to clean up, and raises them again; the traceback of that would show the cleaning. So what
 * catches one captures its traceback, and whoever shows the error in the end takes that, if it is still the same.
 */
#pragma once
#include "binding/task/handle.h"

/* Keeps the traceback of the task whose handle is at handle_index for its error, at err_index, which is raised next. */
void traceback_of_failure(lua_State *, task *, int handle_index, int err_index);
/* Pushes the traceback that was captured for the error at err_index, if that is what co raises at this level of its
 * stack. */
bool push_traceback(lua_State *, const task *, lua_State *co, int level, int err_index);
