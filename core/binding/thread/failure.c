/* SPDX-License-Identifier: MIT
 *
 * How the failure of a thread that nobody joins is told: its handle is kept until then, for the reporter.
 */
#include <stdio.h>
#include <string.h>

#include "binding/thread/thread.h"

/* Where a parent's state keeps the handles, by lua_thread. */
static const char handles_key;

static void push_handles(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&handles_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

void thread_forget_handle(lua_State *L, lua_thread *t) {
    push_handles(L);
    lua_pushlightuserdata(L, t);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

const char *thread_failure_text(const lua_thread *t, size_t *size) {
    if (!t->failure) {
        return value_text(&t->output, size);
    }
    *size = strlen(t->failure);
    return t->failure;
}

void thread_tell(const lua_thread *t) {
    size_t size;
    const char *text = thread_failure_text(t, &size);
    fprintf(stderr, "momo: thread %s failed: %.*s\n", t->name, (int)size, text);
}

void thread_keep_handle(lua_State *L, lua_thread *t) {
    push_handles(L);
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_replace(L, -2);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&handles_key);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_pushlightuserdata(L, t);
    lua_pushvalue(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void thread_report_failures(lua_State *L, runtime *rt) {
    for (lua_thread *t; (t = rt->failed_threads);) {
        rt->failed_threads = t->next_failed;
        push_handles(L);
        lua_pushlightuserdata(L, t);
        lua_rawget(L, -2);
        lua_remove(L, -2); /* the handle stays here while it is told */
        thread_forget_handle(L, t);
        thread_release(&t->thread);
        if (!t->joined) {
            t->unjoined = true;
            rt->unjoined++;
            lua_pushvalue(L, 1);
            lua_pushvalue(L, -2);
            if (lua_pcall(L, 1, 0, 0) != 0) { /* reporter(thread) */
                fprintf(stderr, "momo: while a failed thread was reported: %s\n", error_text(L));
                lua_pop(L, 1);
            }
        }
        lua_pop(L, 1);
    }
}
