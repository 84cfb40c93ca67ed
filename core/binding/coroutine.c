/* SPDX-License-Identifier: MIT
 *
 * Coroutines inside of a task that may suspend it, for lua/momo/coroutine.lua.
 *
 * An operation parks the task and yields; that yield reaches whoever resumed the coroutine, who sees that the task is
 * parked and hands the wait on by yielding too, outwards until the loop is reached. The answer comes back the same way.
 */
#include "loop/scope.h"
#include "binding/runtime.h"

/* enter(co) -> what leave wants, if operations in co may suspend the task; else nothing */
static int enter(lua_State *L) {
    task *t = running_task(L);
    if (!t || t->top != L || !lua_isyieldable(L)) {
        return 0;
    }
    t->top = lua_tothread(L, 1);
    lua_pushlightuserdata(L, t->scope ? (void *)t->scope : (void *)t);
    return 1;
}

/* leave(what enter returned) -> whether scopes were left behind, which the coroutine has not left: they are cancelled. The
 * caller runs again. */
static int leave(lua_State *L) {
    task *t = running_task(L);
    void *before = lua_touserdata(L, 1);
    bool left = false;
    t->top = L;
    while (t->scope && t->scope != before) {
        scope_cancel(t->scope, "its coroutine has yielded");
        scope_leave(t->scope);
        left = true;
    }
    lua_pushboolean(L, left);
    return 1;
}

/* parked() -> whether the task has been parked by what was resumed */
static int parked(lua_State *L) {
    const task *t = running_task(L);
    lua_pushboolean(L, t && t->state != TASK_RUNNING);
    return 1;
}

/* pass() -> the loop's answer */
static int pass(lua_State *L) {
    return lua_yield(L, 0);
}

static const function functions[] = {
    {"enter", enter}, {"leave", leave}, {"parked", parked}, {"pass", pass}, {NULL, NULL},
};
const module coroutine_module = {.functions = functions};
