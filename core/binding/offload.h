/* SPDX-License-Identifier: MIT
 *
 * Calls on the pool as Lua has them: each is a userdata that points at its offload, until it is left.
 */
#pragma once
#include "binding/op.h"
#include "loop/offload.h"

/* Pushes one that is empty. */
offload **push_offload(lua_State *);
static inline offload *offload_at(lua_State *L, int index) {
    return *(offload **)lua_touserdata(L, index);
}
/* As offload_leave; the userdata is empty from now on. */
bool leave_offload(lua_State *, int index);
