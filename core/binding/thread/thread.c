/* SPDX-License-Identifier: MIT
 *
 * Threads as Lua sees them: a Lua state on a thread of its own, which runs one function in a runtime of its own.
 *
 *   parent: package paths, code, arguments --packed--> input ----> child: momo.internal.child
 *   parent: outcome(handle)          <---- output <--packed-- ok, results... | error
 */
#include "thread/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/inside/snapshot.h"
#include "binding/thread/thread.h"
#include "binding/state.h"
#include "binding/op.h"
#include "binding/thread/value.h"

/* Where a child's state keeps its lua_thread. */
static const char registry_key;

static lua_thread *lua_thread_of(lua_State *L) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_thread *t = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return t;
}

/* ---- on the child's thread ---- */

/* Keeps the n results on top as the outcome. Called protected: (t, results...). */
static int store_results(lua_State *L) {
    lua_thread *t = lua_touserdata(L, 1);
    bool failed = t->failed;
    value_store(L, lua_gettop(L) - 1, failed ? "the error" : "result", failed ? VALUE_ALONE : 1, &t->output);
    return 0;
}

/* (t): runs the thread's function, and returns what it returned. Called protected. */
static int child_main(lua_State *L) {
    lua_thread *t = lua_touserdata(L, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
    lua_pushvalue(L, 1);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_settop(L, 0);
    state_set_paths(L, t->path, t->cpath);
    lua_gc(L, LUA_GCSTOP, 0); /* what is loaded stays */
    lua_getglobal(L, "require");
    lua_pushvalue(L, -1);
    lua_pushliteral(L, "momo.native"); /* it has the others embedded */
    lua_call(L, 1, 0);
    lua_pushliteral(L, "momo.internal.child");
    lua_call(L, 1, 1);
    lua_gc(L, LUA_GCRESTART, -1); /* when the heap has doubled */
    int n = value_unpack(L, &t->input);
    lua_call(L, n, LUA_MULTRET);
    return lua_gettop(L);
}

/* (t): runs it, and keeps its results or its error. Called protected. */
static int child_protected(lua_State *L) {
    lua_thread *t = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_pushcfunction(L, store_results);
    lua_pushlightuserdata(L, t);
    lua_pushcfunction(L, child_main);
    lua_pushlightuserdata(L, t);
    t->failed = lua_pcall(L, 1, LUA_MULTRET, 0) != 0;
    if (lua_pcall(L, lua_gettop(L) - 1, 0, 0) != 0) {
        t->failed = true;
        lua_pushcfunction(L, store_results);
        lua_pushlightuserdata(L, t);
        lua_pushstring(L, lua_tostring(L, -3));
        lua_call(L, 2, 0);
    }
    return 0;
}

static void run_child(thread *base) {
    lua_thread *t = (lua_thread *)base;
    char short_name[16];
    snprintf(short_name, sizeof short_name, "%.15s", t->name); /* what the system takes */
    pthread_setname_np(pthread_self(), short_name);
    lua_State *L = state_new();
    t->failed = true; /* without memory to say why, this is all that is known */
    if (L) {
        if (lua_cpcall(L, child_protected, t) != 0) {
            t->failed = true;
        }
        snapshots_retire_state(L);
        lua_close(L);
    }
    value_free(&t->input); /* a state that could not even take them leaves nobody waiting */
}

/* ---- on the parent's ---- */

/* A failure that nobody waits for is told after the window, by Lua; by C where the state closes, which may have collected the
 * handle by then. */
static void on_seen(thread *base) {
    lua_thread *t = (lua_thread *)base;
    runtime *rt = base->parent->user;
    bool is_told = t->failed && list_empty(&base->joiners);
    if (is_told && rt->L) {
        lua_thread **end = &rt->failed_threads;
        while (*end) {
            end = &(*end)->next_failed;
        }
        *end = t;
        thread_retain(base);
    } else if (rt->L) {
        thread_forget_handle(rt->L, t);
    } else if (is_told) {
        thread_tell(t);
    }
}

static void on_left(thread *base) {
    lua_thread *t = (lua_thread *)base;
    runtime *rt = base->parent->user;
    t->left_behind = true;
    if (rt->L) {
        thread_forget_handle(rt->L, t);
    }
    fprintf(stderr, "momo: thread %s goes on computing, and is left behind\n", t->name);
}

static void free_thread(thread *base) {
    lua_thread *t = (lua_thread *)base;
    free(t->path);
    free(t->cpath);
    free(t->failure);
    value_free(&t->input);
    value_free(&t->output);
    free(t);
}

static const metatable thread_metatable;

/* __gc of handles */
static int thread_collect(lua_State *L) {
    lua_thread **handle = check_self(L, &thread_metatable, "thread", "__gc");
    lua_thread *t = *handle;
    *handle = NULL;
    if (!t) {
        return 0;
    }
    if (t->started) {
        thread_release(&t->thread);
    } else {
        free_thread(&t->thread);
    }
    return 0;
}

static const metatable thread_metatable = {"momo.thread", thread_collect, 0};

/* thread_start(index, name, cpu or nil, path, cpath, code, modules, n, arguments...) -> handle | nil, err, code */
static int thread_start_child(lua_State *L) {
    runtime *rt = runtime_of(L);
    lua_thread **handle = push_object(L, sizeof *handle, &thread_metatable);
    lua_insert(L, 1);
    lua_thread *t = calloc(1, sizeof *t);
    if (!t) {
        return luaL_error(L, "not enough memory");
    }
    list_init(&t->thread.link);
    t->index = (unsigned)lua_tointeger(L, 2);
    snprintf(t->name, sizeof t->name, "%s", lua_tostring(L, 3));
    t->thread.cpu = lua_isnil(L, 4) ? -1 : (int)lua_tointeger(L, 4);
    t->watched = rt->compiled;
    t->thread.main = run_child;
    t->thread.seen = on_seen;
    t->thread.free = free_thread;
    *handle = t;
    t->thread.left = on_left;
    t->path = strdup(lua_tostring(L, 5));
    t->cpath = strdup(lua_tostring(L, 6));
    if (!t->path || !t->cpath) {
        return luaL_error(L, "not enough memory");
    }
    value_store(L, lua_gettop(L) - 6, "the function's argument", 1 - PORTABLE_ARGUMENTS, &t->input);
    thread_keep_handle(L, t);
    int status = thread_start(&t->thread, &rt->executor);
    if (status < 0) {
        thread_forget_handle(L, t);
        return push_failure(L, status);
    }
    t->started = true;
    lua_settop(L, 1);
    return 1;
}

static lua_thread *self(lua_State *L) {
    return *(lua_thread **)check_self(L, &thread_metatable, "thread", "join");
}

static void check_join(lua_State *L, op *o) {
    self(L);
    o->timeout = check_seconds(L, 2, "join");
}

static int attempt_join(lua_State *L, op *o) {
    (void)o;
    return thread_seen(&self(L)->thread) ? 0 : UV_EAGAIN;
}

static int park_join(lua_State *L, op *o) {
    return op_park_in(o, &self(L)->thread.joiners);
}

/* thread_join(handle, timeout) -> nothing: it has ended | err, code */
static int thread_join(lua_State *L) {
    static const op_kind kind = {.name = "join",
                                 .silent = true,
                                 .check = check_join,
                                 .attempt = attempt_join,
                                 .park = park_join,
                                 .fail = op_push_error};
    return op_run(L, &kind);
}

/* thread_failure(handle) -> text, error: of one that has failed */
static int thread_failure(lua_State *L) {
    lua_thread *t = self(L);
    size_t size;
    const char *text = thread_failure_text(t, &size);
    lua_pushlstring(L, text, size);
    if (value_unpack(L, &t->output) == 0) {
        lua_pushvalue(L, -1);
    }
    return 2;
}

/* thread_outcome(handle) -> true, results... | false, error: how it ended */
static int thread_outcome(lua_State *L) {
    lua_thread *t = self(L);
    if (t->left_behind) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "the thread goes on computing, and was left behind");
        return 2;
    }
    t->joined = true;
    if (t->unjoined) {
        t->unjoined = false;
        runtime_of(L)->unjoined--;
    }
    lua_pushboolean(L, !t->failed);
    int n = value_unpack(L, &t->output);
    if (t->failed && n == 0) {
        lua_pushliteral(L, "not enough memory");
        n = 1;
    }
    return n + 1;
}

/* thread_name(handle) */
static int thread_name(lua_State *L) {
    lua_pushstring(L, self(L)->name);
    return 1;
}

/* thread_attach() -> whether its compiled code is to be noted: on the child: from here on its parent can stop it */
static int thread_attach_child(lua_State *L) {
    lua_thread *t = lua_thread_of(L);
    thread_attach(&t->thread, &runtime_of(L)->executor);
    lua_pushboolean(L, t->watched);
    return 1;
}

/* thread_describe_failure(text): on the child: its error as it is reported */
static int thread_describe_failure(lua_State *L) {
    lua_thread *t = lua_thread_of(L);
    free(t->failure);
    t->failure = strdup(luaL_checkstring(L, 1));
    return 0;
}

/* thread_current() -> index, name, cpu | nothing on a thread that Momo did not start */
static int thread_current(lua_State *L) {
    const lua_thread *t = lua_thread_of(L);
    if (!t) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)t->index);
    lua_pushstring(L, t->name);
    if (t->thread.cpu >= 0) {
        lua_pushinteger(L, t->thread.cpu);
    } else {
        lua_pushnil(L);
    }
    return 3;
}

/* Threads that go on computing are left behind. */
static void close_threads(runtime *rt) {
    rt->L = NULL; /* os.exit(code, true) in a task: nothing is told by the state any more */
    for (lua_thread *t; (t = rt->failed_threads);) {
        rt->failed_threads = t->next_failed;
        if (!t->joined) {
            thread_tell(t);
        }
        thread_release(&t->thread);
    }
    threads_finish(&rt->executor);
    if (rt->executor.threads.own) {
        thread_detach(rt->executor.threads.own);
    }
}

static const metatable *const metatables[] = {&thread_metatable, NULL};
static const function functions[] = {
    {"thread_start", thread_start_child},
    {"thread_join", thread_join},
    {"thread_outcome", thread_outcome},
    {"thread_failure", thread_failure},
    {"thread_attach", thread_attach_child},
    {"thread_describe_failure", thread_describe_failure},
    {"thread_current", thread_current},
    {"thread_name", thread_name},
    {NULL, NULL},
};
const module thread_module = {.functions = functions, .metatables = metatables, .close = close_threads};
