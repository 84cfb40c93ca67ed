/* SPDX-License-Identifier: MIT
 *
 * How a task ended: its results, or an error and its traceback, kept in its handle and told to whom it concerns.
 */
#pragma once
#include "binding/handle.h"

/* status: of the coroutine, 0 when it ended well; LUA_YIELD: it is given up with the outcome that the handle has. Raises
 * nothing: for want of memory, the outcome is lost, and the task has failed. */
void outcome_keep(lua_State *, task *, int status);
