/* SPDX-License-Identifier: MIT
 *
 * What select needs of a channel between threads.
 */
#pragma once
#include <lua.h>

#include "../list.h"

/* Where a task waits for the receiver at `index`; NULL: it is closed. And once the task is parked there: */
list *receiver_waiters(lua_State *, int index);
void receiver_parked(list *waiters);
