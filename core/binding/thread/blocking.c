/* SPDX-License-Identifier: MIT
 *
 * spawn_blocking: a function that blocks or computes for long, on a thread of a pool, in a Lua state of that thread.
 *
 *   task: function, arguments --packed--> input ----> worker: momo.portable's call(...)
 *   task: outcome             <---- output <--packed-- ok, results... | error
 */
#include "binding/offload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/state.h"
#include "binding/task/cancellation.h"
#include "binding/thread/value.h"

enum { BLOCKING_THREADS = 8 }; /* of one executor */

typedef struct blocking {
    offload offload;
    char *path, *cpath; /* of package */
    packed input;
    packed output; /* the worker's until it is done */
} blocking;

/* Why a job failed; the text is on the stack. */
struct error {
    blocking *job;
    const char *text;
};

static blocking *of(offload *f) {
    return list_entry(f, blocking, offload);
}

static void free_blocking(offload *f) {
    blocking *b = of(f);
    free(b->path);
    free(b->cpath);
    value_free(&b->input);
    value_free(&b->output);
    free(b);
}

/* ---- on a thread of the pool ---- */

/* (b): keeps momo.portable's call for the jobs to come. */
static int open_worker(lua_State *L) {
    const blocking *b = lua_touserdata(L, 1);
    state_set_paths(L, b->path, b->cpath);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "momo.internal.portable");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "call");
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.call");
    return 0;
}

/* (b): calls the function; keeps true and its results, or false and its error. */
static int call_function(lua_State *L) {
    blocking *b = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "momo.call");
    lua_call(L, value_unpack(L, &b->input), LUA_MULTRET);
    value_store(L, lua_gettop(L), "result", 0, &b->output);
    return 0;
}

/* (job and text): keeps false and the text. */
static int store_error(lua_State *L) {
    const struct error *e = lua_touserdata(L, 1);
    lua_pushboolean(L, 0);
    lua_pushstring(L, e->text);
    value_store(L, 2, "error", 0, &e->job->output);
    return 0;
}

/* Nothing is pushed outside of a protected call: it could run out of memory. */
static bool call(lua_State *L, lua_CFunction function, blocking *b) {
    if (lua_cpcall(L, function, b) == 0) {
        return true;
    }
    struct error e = {b, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(error object)"};
    if (lua_cpcall(L, store_error, &e) != 0) {
        lua_pop(L, 1); /* then there is no output: out of memory */
    }
    lua_pop(L, 1);
    return false;
}

/* The ends of channels that the call still has. Called protected. */
static int close_ends(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "momo.runtime");
    runtime *rt = lua_touserdata(L, -1);
    if (rt) { /* else no call here has needed Momo */
        channel_close_all(&rt->executor);
    }
    return 0;
}

static void run(offload *f, void **state) {
    blocking *b = of(f);
    lua_State *L = *state;
    if (!L) {
        L = state_new();
        if (L && !call(L, open_worker, b)) {
            lua_close(L);
            return;
        }
        *state = L;
    }
    if (L) {
        call(L, call_function, b);
        lua_cpcall(L, close_ends, NULL); /* which can fail for want of memory only: then they wait for the next call */
        lua_settop(L, 0);
    }
}

static void end_worker(void *state) {
    lua_close(state);
}

/* ---- on the executor's ---- */

/* blocking_new(path, cpath, code, modules, n, arguments...) -> job */
static int new_blocking(lua_State *L) {
    static const pool_kind pool = {
        .name = "momo-blocking", .threads_max = BLOCKING_THREADS, .tells = true, .end = end_worker};
    static const offload_kind kind = {.pool = &pool, .run = run, .free = free_blocking};
    executor *ex = open_executor(L);
    offload **slot = push_offload(L);
    lua_insert(L, 1);
    blocking *b = calloc(1, sizeof *b);
    if (!b) {
        return luaL_error(L, "not enough memory");
    }
    offload_init(&b->offload, ex, &kind);
    *slot = &b->offload;
    b->path = strdup(lua_tostring(L, 2));
    b->cpath = strdup(lua_tostring(L, 3));
    if (!b->path || !b->cpath) {
        return luaL_error(L, "not enough memory");
    }
    value_store(L, lua_gettop(L) - 3, "the function's argument", 1 - PORTABLE_ARGUMENTS, &b->input);
    lua_settop(L, 1);
    return 1;
}

static int attempt(lua_State *L, op *o) {
    (void)o;
    offload *f = offload_at(L, 1);
    if (!f->done) {
        int status = f->started ? 0 : offload_start(f);
        return status < 0 ? push_failure(L, status) : UV_EAGAIN; /* no thread may be had, which is EAGAIN too */
    }
    if (!of(f)->output.bytes) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "not enough memory");
        return 2;
    }
    return value_unpack(L, &of(f)->output);
}

static int park(lua_State *L, op *o) {
    offload_wait(offload_at(L, 1), o->task, "spawn_blocking", DEADLINE_NEVER);
    return 0;
}

/* The cancellation, if that is why, says that what was begun goes on. */
static void leave(lua_State *L, op *o) {
    if (leave_offload(L, 1) || !o->task->cancelled) {
        return;
    }
    push_cancellation(L, o->task);
    lua_createtable(L, 0, 2);
    lua_getfield(L, -2, "reason");
    lua_setfield(L, -2, "reason");
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "goes_on");
    lua_pushvalue(L, UP(CANCELLED));
    lua_setmetatable(L, -2);
    lua_rawseti(L, UP(CANCELLATIONS), slot_of(o->task));
}

/* blocking_wait(job) -> true, results... | false, error | nil, err, code */
static int wait(lua_State *L) {
    static const op_kind kind = {.name = "spawn_blocking", .attempt = attempt, .park = park, .leave = leave};
    return op_run(L, &kind);
}

static const function functions[] = {
    {"blocking_new", new_blocking},
    {"blocking_wait", wait},
    {NULL, NULL},
};
const module blocking_module = {.functions = functions};
