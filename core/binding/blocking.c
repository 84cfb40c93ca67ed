/* SPDX-License-Identifier: MIT
 *
 * spawn_blocking: a function that blocks or computes for long, on a thread of a pool, in a Lua state of that thread.
 *
 *   task: function, arguments --packed--> input ----> worker: momo.portable's call(...)
 *   task: outcome             <---- output <--packed-- ok, results... | error
 */
#include "loop/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/state.h"
#include "binding/cancellation.h"
#include "binding/op.h"
#include "binding/value.h"

enum { BLOCKING_THREADS = 8 }; /* of one executor */

typedef struct blocking {
    job job;
    executor *executor;
    char *path, *cpath; /* of package */
    packed input;
    packed output;         /* the worker's until it is done */
    uint64_t waiter;       /* id of the task that waits for it */
    struct handle *handle; /* NULL: abandoned */
} blocking;

/* Why a job failed; the text is on the stack. */
struct error {
    blocking *job;
    const char *text;
};

/* The userdata that Lua holds. */
typedef struct handle {
    blocking *b;
    bool in_pool; /* it was submitted, and is not done: it may be freed with the pool */
    bool done;
} handle;

static void free_blocking(job *j) {
    blocking *b = list_entry(j, blocking, job);
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

static void run(job *j, void **state) {
    blocking *b = list_entry(j, blocking, job);
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

static void on_done(job *j) {
    blocking *b = list_entry(j, blocking, job);
    task *waiter = task_get(b->executor, b->waiter);
    if (!b->handle) {
        free_blocking(j);
        return;
    }
    b->handle->in_pool = false;
    b->handle->done = true;
    if (waiter && waiter->state == TASK_WAITING) {
        task_wake(waiter, WAKE_READY);
    }
}

/* The handle gives the job up: whether it had not begun, and so never will. */
static bool give_up(handle *h) {
    blocking *b = h->b;
    h->b = NULL;
    bool never = !h->in_pool || pool_cancel(&b->job);
    if (never) {
        free_blocking(&b->job);
    } else {
        b->handle = NULL;
    }
    return never;
}

/* __gc of jobs */
static int collect(lua_State *L) {
    handle *h = lua_touserdata(L, 1);
    if (h->b && !(h->in_pool && runtime_of(L)->executor.closed)) {
        give_up(h);
    }
    return 0;
}

static const metatable blocking_metatable = {"momo.blocking", collect, 0};

/* blocking_new(path, cpath, code, modules, n, arguments...) -> job */
static int new_blocking(lua_State *L) {
    handle *h = push_object(L, sizeof *h, &blocking_metatable);
    lua_insert(L, 1);
    blocking *b = h->b = calloc(1, sizeof *b);
    if (!b) {
        return luaL_error(L, "not enough memory");
    }
    b->job = (job){.run = run, .done = on_done, .drop = free_blocking};
    b->executor = open_executor(L);
    b->handle = h;
    b->path = strdup(lua_tostring(L, 2));
    b->cpath = strdup(lua_tostring(L, 3));
    if (!b->path || !b->cpath) {
        return luaL_error(L, "not enough memory");
    }
    value_store(L, lua_gettop(L) - 3, "the function's argument", 1 - PORTABLE_ARGUMENTS, &b->input);
    lua_settop(L, 1);
    return 1;
}

static int submit(blocking *b) {
    executor *ex = b->executor;
    if (!ex->blocking) {
        ex->blocking = pool_new(ex, BLOCKING_THREADS, end_worker);
    }
    int status = ex->blocking ? pool_submit(ex->blocking, &b->job) : UV_ENOMEM;
    b->handle->in_pool = status == 0;
    return status;
}

static handle *handle_of(lua_State *L) {
    return lua_touserdata(L, 1);
}

static int attempt(lua_State *L, op *o) {
    (void)o;
    handle *h = handle_of(L);
    if (!h->done) {
        int status = h->in_pool ? 0 : submit(h->b);
        return status < 0 ? status : UV_EAGAIN;
    }
    if (!h->b->output.bytes) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "not enough memory");
        return 2;
    }
    return value_unpack(L, &h->b->output);
}

static int park(lua_State *L, op *o) {
    handle_of(L)->b->waiter = slab_id(&o->task->head);
    task_park(o->task, "spawn_blocking", DEADLINE_NEVER, WAKE_TIMEOUT);
    task_wait_outside(o->task);
    return 0;
}

/* The cancellation, if that is why, says that what was begun goes on. */
static void leave(lua_State *L, op *o) {
    if (give_up(handle_of(L)) || !o->task->cancelled) {
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

static const metatable *const metatables[] = {&blocking_metatable, NULL};
static const function functions[] = {
    {"blocking_new", new_blocking},
    {"blocking_wait", wait},
    {NULL, NULL},
};
const module blocking_module = {.functions = functions, .metatables = metatables};
