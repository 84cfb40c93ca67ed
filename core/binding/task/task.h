/* SPDX-License-Identifier: MIT
 *
 * A task's life in Lua, for those who run tasks.
 */
#pragma once
#include "binding/task/handle.h"

/* Spawns the function and arguments that stand from index `first` to the top, pushes the handle. parent: the scope whose
 * userdata stands at index 1, or NULL. */
task *spawn(lua_State *, runtime *, int first, struct momo_scope *parent);
/* Empties the task's place in a table that is not sparse, by false, so that no later store allocates. */
static inline void task_clear(lua_State *L, enum upvalue table, const task *t) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, lua_upvalueindex(table), slot_of(t));
}
/* Cancels every task, once. */
void stop_all(runtime *, const char *why);
/* Ends every task where it is: those that wait for ever beneath a shield. */
void give_up_all(runtime *);
/* What the executor calls. */
void resume_task(task *);
