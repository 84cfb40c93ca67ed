/* SPDX-License-Identifier: MIT
 *
 * The live tasks of a state: what momo.tasks, the error of a deadlock and a dump are made of.
 */
#pragma once
#include "binding/task/task.h"

/* Pushes an array of what is known of each task that has not ended. */
void push_live(lua_State *, const executor *);
