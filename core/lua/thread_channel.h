/* SPDX-License-Identifier: MIT
 *
 * What select needs of a channel between threads.
 */
#pragma once
#include <lua.h>

#include "../list.h"

/* The receiver at `index`, which is open, is told that a task is about to wait: where. */
list *receiver_wait(lua_State *, int index);
