/* SPDX-License-Identifier: MIT
 *
 * Calls on the pool as Lua has them: see offload.h.
 */
#include "binding/offload.h"

bool leave_offload(lua_State *L, int index) {
    offload **slot = lua_touserdata(L, index), *f = *slot;
    *slot = NULL;
    return !f || offload_leave(f);
}

/* __gc */
static int collect(lua_State *L) {
    leave_offload(L, 1);
    return 0;
}

static const metatable offload_metatable = {"momo.offload", collect, 0};

offload **push_offload(lua_State *L) {
    return push_object(L, sizeof(offload *), &offload_metatable);
}

static const metatable *const metatables[] = {&offload_metatable, NULL};
static const function functions[] = {{NULL, NULL}};
const module offload_module = {.functions = functions, .metatables = metatables};
