/* SPDX-License-Identifier: MIT
 *
 * Scopes as Lua builds on them: a userdata whose environment holds the first child that failed.
 */
#pragma once
#include "binding/runtime.h"
#include "loop/scope.h"

typedef struct lua_scope {
    scope scope;
    bool failed; /* a child has; its handle is environment[1] */
    bool lost;   /* a child's end is not known: out of memory */
} lua_scope;

/* The child's scope, whose userdata is on top, is told that it failed. */
void scope_failed(lua_State *, task *);
/* The same, where there is no memory to say more. */
void scope_lost(task *);
