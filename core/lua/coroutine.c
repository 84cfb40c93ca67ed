/* SPDX-License-Identifier: MIT
 *
 * Coroutines inside of a task that may suspend it, for lua/momo/coroutine.lua.
 *
 * An operation parks the task and yields; that yield reaches whoever resumed the coroutine, who sees that the task is
 * parked and hands the wait on by yielding too, outwards until the loop is reached. The answer comes back the same way.
 */
#include "suspend.h"

static task *running_task(lua_State *L) {
    executor *ex = executor_running;
    return ex && ex->current && ex->user == runtime_of(L) ? ex->current : NULL;
}

/* enter(co) -> whether operations in co may suspend the task */
static int enter(lua_State *L) {
    task *t = running_task(L);
    bool can = t && t->top == L && lua_isyieldable(L);
    if (can) {
        t->top = lua_tothread(L, 1);
    }
    lua_pushboolean(L, can);
    return 1;
}

/* leave(): the caller runs again */
static int leave(lua_State *L) {
    running_task(L)->top = L;
    return 0;
}

/* parked() -> whether the task has been parked by what was resumed */
static int parked(lua_State *L) {
    task *t = running_task(L);
    lua_pushboolean(L, t->state != TASK_RUNNING);
    return 1;
}

/* pass() -> the loop's answer */
static int pass(lua_State *L) {
    return lua_yield(L, 0);
}

void register_coroutine(lua_State *L) {
    static const function functions[] = {
        {"enter", enter}, {"leave", leave}, {"parked", parked}, {"pass", pass}, {NULL, NULL},
    };
    register_functions(L, functions);
}
