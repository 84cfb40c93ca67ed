/* SPDX-License-Identifier: MIT
 *
 * The objects that stand for cancellations: what a cancelled task's operations raise.
 */
#pragma once
#include "binding/runtime.h"

/* Pushes a cancellation with the reason at this index; 0: without one. */
void make_cancellation(lua_State *, int reason);
/* Pushes the object that stands for the task's cancellation, made on first use. */
void push_cancellation(lua_State *, task *);
bool is_cancellation(lua_State *, int index);
