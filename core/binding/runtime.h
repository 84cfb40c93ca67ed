/* SPDX-License-Identifier: MIT
 *
 * What the C functions of one Lua state have in common.
 *
 * Every one of them is a closure over the same upvalues, so that nothing is looked up in the registry on a hot path.
 */
#pragma once
#include <lauxlib.h>
#include <lua.h>

#include "loop/task.h"

enum upvalue {
    UP_RUNTIME = 1,   /* userdata: runtime */
    UP_COROUTINES,    /* [slot + 1] = the slot's coroutine, from one task to the next */
    UP_HANDLES,       /* [slot + 1] = the handle of the slot's task, or of its last one, or false */
    UP_PARENTS,       /* [slot + 1] = the userdata of the scope that the slot's task is a child of, or false */
    UP_CANCELLATIONS, /* [slot + 1] = what a cancelled task's operations raise, or nil: from here on sparse */
    UP_NOTES,         /* [slot + 1] = the traceback of an error that is passed on (note.h) */
    UP_WAITS,         /* [slot + 1] = the userdata that the slot's task waits in, or has */
    UP_FAILURES,      /* handles of tasks that failed in this turn */
    UP_TASK,          /* metatables, from here on */
    UP_CANCELLED,
    UP_STREAM,
    UP_LISTENER,
    UP_UDP,
    UP_LOOKUP,
    UP_COPY,
    UP_WATCH,
    UP_THREAD,
    UP_SCOPE,
    UP_BLOCKING,
    UP_QUEUE,
    UP_SENDER, /* of channels between threads */
    UP_RECEIVER,
    UP_MAKE_COROUTINE, /* functions that are called protected (task.c) */
    UP_STORE_OUTCOME,
    UP_COUNT = UP_STORE_OUTCOME,
};
#define UP(name) lua_upvalueindex(UP_##name)

typedef struct runtime {
    executor executor;         /* a state that closes may still run finalizers that ask for it: see its `closed` */
    lua_State *L;              /* that called run, while it runs */
    task *main;                /* the run's first task, until it ends */
    const void *globals;       /* the state's environment */
    const char *own;           /* how the sources of Momo's own Lua modules begin; a string of the registry */
    const char *why;           /* why the executor is stopping */
    struct own_code *own_code; /* of Momo's modules, for threads; NULL until the first */
    unsigned idle;             /* coroutines that wait for a task */
    unsigned failed;           /* entries of UP_FAILURES */
    unsigned unjoined;         /* tasks and threads that failed and that nobody has joined */
    uint32_t random;           /* where select begins; the same in every run */
    bool stopped;              /* the run was stopped before main ended */
} runtime;

static inline runtime *runtime_of(lua_State *L) {
    return lua_touserdata(L, UP(RUNTIME));
}

/* The same, where most often a task asks: without a look at the upvalue. */
static inline runtime *runtime_of_task(lua_State *L) {
    executor *ex = executor_running;
    return ex && ex->current && ex->current->user == L ? ex->user : runtime_of(L);
}

/* The state's executor, if it can still take something new; else raises. */
executor *open_executor(lua_State *);

typedef struct function {
    const char *name;
    lua_CFunction call;
} function;

/* A task's place in the tables above. */
static inline int slot_of(const task *t) {
    return (int)t->head.index + 1;
}
/* Empties the task's place in a sparse table. Allocates nothing. */
void forget(lua_State *, enum upvalue table, const task *);

/* Adds the functions, each with all upvalues, to the table on top; the list ends with a NULL name. */
void register_functions(lua_State *, const function *);
int make_coroutine(lua_State *); /* UP_MAKE_COROUTINE */
int store_outcome(lua_State *);  /* UP_STORE_OUTCOME */
void register_task(lua_State *);
void register_run(lua_State *);
void register_handle(lua_State *);
void register_scope(lua_State *);
void register_sync(lua_State *);
void register_coroutine(lua_State *);
void register_time(lua_State *);
void register_stream(lua_State *);
void register_net(lua_State *);
void register_open(lua_State *);
void register_copy(lua_State *);
void register_signal(lua_State *);
void register_udp(lua_State *);
void register_watch(lua_State *);
void register_thread(lua_State *);
void own_code_release(struct own_code *); /* thread.c; NULL: nothing */
void register_channel_ends(lua_State *);
void register_thread_channel(lua_State *);
void register_blocking(lua_State *);

/* Where a coroutine is, in the innermost or the outermost Lua function that is not Momo's own: "?" and 0 if in none. */
void find_place(lua_State *, lua_State *co, bool outermost, lua_Debug *place);
/* Raises "FILE:LINE: text", with the place where the user's code called Momo. */
int throw(lua_State *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The error on top, for a place where no Lua can run. */
const char *error_text(lua_State *);
/* Pushes nil, "CODE: text", "CODE": returns 3. */
int push_failure(lua_State *, int code);
/* Argument 1 as an object of this metatable; else raises that the method wants a colon. */
void *check_self(lua_State *, int metatable, const char *object, const char *method);
/* An optional number of seconds: -1 when absent; NaN and negative ones throw. */
double check_seconds(lua_State *, int index, const char *function);
