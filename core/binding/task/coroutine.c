/* SPDX-License-Identifier: MIT
 *
 * Coroutines inside of a task that may suspend it, for lua/momo/coroutine.lua.
 *
 * An operation parks the task and yields; that yield reaches whoever resumed the coroutine, who sees that the task is
 * parked and hands the wait on by yielding too, outwards until the loop is reached. The answer comes back the same way.
 */
#include "loop/scope.h"
#include "binding/task/handle.h"

/* The coroutine at the index is what t runs now. It is kept: nothing else may refer to it any more while t waits in it, where
 * somebody else has resumed t's own coroutine, or an error has ended that one's wait. */
static void set_top(lua_State *L, task *t, int index) {
    lua_State *co = lua_tothread(L, index);
    if (co == t->user) {
        lua_pushboolean(L, 0);
    } else {
        lua_pushvalue(L, index);
    }
    lua_rawseti(L, UP(TOPS), slot_of(t)); /* may raise */
    t->top = co;
}

enum { STACK_SPARE = 256 * 1024 }; /* bytes that what runs in a coroutine may need: C functions, finalizers */

/* Each coroutine that is resumed inside of another one takes some of the thread's stack, and the VM does not see its end. */
static bool has_stack(runtime *rt) {
    char here;
    if (!rt->stack_floor) {
        pthread_attr_t attributes;
        void *lowest = NULL;
        size_t size = 0;
        if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
            pthread_attr_getstack(&attributes, &lowest, &size);
            pthread_attr_destroy(&attributes);
        }
        rt->stack_floor = (char *)lowest + (size / 2 < STACK_SPARE ? size / 2 : STACK_SPARE);
    }
    return &here > rt->stack_floor;
}

/* enter(co) -> what leave wants, if operations in co may suspend the task; nothing, if not; false: the stack is at its end */
static int enter(lua_State *L) {
    if (!has_stack(runtime_of(L))) {
        lua_pushboolean(L, 0);
        return 1;
    }
    task *t = running_task(L);
    if (!t || t->top != L || !lua_isyieldable(L)) {
        return 0;
    }
    set_top(L, t, 1);
    lua_pushlightuserdata(L, t->scope ? (void *)t->scope : (void *)t);
    return 1;
}

/* leave(what enter returned) -> whether scopes were left behind, which the coroutine has not left: they are cancelled. The
 * caller runs again. */
static int leave(lua_State *L) {
    task *t = running_task(L);
    void *before = lua_touserdata(L, 1);
    bool left = false;
    lua_pushthread(L);
    set_top(L, t, -1);
    while (t->scope && t->scope != before) {
        scope_cancel(t->scope, "its coroutine has yielded");
        scope_leave(t->scope);
        left = true;
    }
    lua_pushboolean(L, left);
    return 1;
}

/* misled(task): the coroutine that calls, in which the task waited for one further in, was resumed by somebody else. The task
 * is here from now on: the one further in suspends it no more. */
static int misled(lua_State *L) {
    const handle *h = lua_touserdata(L, 1);
    if (h->task && !runtime_of(L)->executor.closed) {
        lua_pushthread(L);
        set_top(L, h->task, -1);
    }
    return 0;
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
    {"enter", enter}, {"leave", leave}, {"misled", misled}, {"parked", parked}, {"pass", pass}, {NULL, NULL},
};
const module coroutine_module = {.functions = functions};
