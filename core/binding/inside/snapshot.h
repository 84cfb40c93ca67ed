/* SPDX-License-Identifier: MIT
 *
 * What the states of a process count: see snapshot.c.
 */
#pragma once
#include "binding/runtime.h"

void snapshots_init(runtime *);
/* The state is about to be closed, on a thread that Momo has started: what it has counted counts on. */
void snapshots_retire_state(lua_State *);
