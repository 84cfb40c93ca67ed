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

/* What is hot: all else that a function needs it gets from the registry. */
enum upvalue {
    UP_RUNTIME = 1,   /* userdata: runtime */
    UP_COROUTINES,    /* [slot + 1] = the slot's coroutine, from one task to the next, or false */
    UP_HANDLES,       /* [slot + 1] = the handle of the slot's task, or of its last one, or false */
    UP_PARENTS,       /* [slot + 1] = the userdata of the scope that the slot's task is a child of, or false */
    UP_CANCELLATIONS, /* [slot + 1] = what a cancelled task's operations raise, or nil: from here on sparse */
    UP_TRACEBACKS,    /* [slot + 1] = the traceback of an error that is passed on (traceback.h) */
    UP_WAITS,         /* [slot + 1] = the userdata that the slot's task waits in, or has */
    UP_TOPS,          /* [slot + 1] = the coroutine inside of its own that the slot's task runs or waits in, or false */
    UP_FAILURES,      /* handles of tasks that failed in this turn */
    UP_TASK,          /* metatables, from here on */
    UP_CANCELLED,
    UP_STREAM,
    UP_SENDER, /* of channels between threads */
    UP_RECEIVER,
    UP_WATCH,
    UP_MAKE_ROOM, /* functions that are called protected (task.c) */
    UP_STORE_OUTCOME,
    UP_COUNT = UP_STORE_OUTCOME,
};
#define UP(name) lua_upvalueindex(UP_##name)

typedef struct runtime {
    executor executor;             /* a state that closes may still run finalizers that ask for it: see its `closed` */
    driver reports;                /* of failed tasks, after each window */
    lua_State *L;                  /* that called run, while it runs */
    task *main;                    /* the run's first task, until it ends */
    const void *globals;           /* the state's environment */
    const char *own;               /* how the sources of Momo's own Lua modules begin; a string of the registry */
    const char *why;               /* why the executor is stopping */
    struct http_build *http_build; /* where heads are built, or NULL (http_build.c) */
    struct http_memo *http_memos;  /* of servers' connections; NULL until there is a server (message.c) */
    struct sealed_shared *tls;     /* of the streams that speak TLS; NULL until the first (tls.c) */
    struct compiled *compiled;     /* code whose place is known, or NULL: nobody wants to know (holder.c) */
    struct trace *trace;           /* what its tasks do is recorded there; NULL: it is not (trace.c) */
    unsigned idle;                 /* coroutines that wait for a task */
    int room;                      /* slots that have a place in UP_COROUTINES and UP_HANDLES */
    unsigned failed;               /* entries of UP_FAILURES */
    struct lua_thread *failed_threads; /* that are to be told of, as is done with UP_FAILURES */
    unsigned unjoined;                 /* tasks and threads that failed and that nobody has joined */
    uint32_t random;                   /* where select begins; the same in every run */
    const char *stack_floor; /* of the thread; what is beneath is spared; NULL: nobody has asked yet (coroutine.c) */
    bool stopped;            /* the run was stopped before main ended */

    struct { /* the hook that asks who holds the thread is set; and what was set before it */
        bool hooked;
        lua_Hook hook;
        int mask, count;
    } asks;
} runtime;

static inline runtime *runtime_of(lua_State *L) {
    return lua_touserdata(L, UP(RUNTIME));
}

/* The same, where most often a task asks: without a look at the upvalue. */
static inline runtime *runtime_of_task(lua_State *L) {
    executor *ex = executor_running;
    return ex && ex->current && ex->current->user == L ? ex->user : runtime_of(L);
}

/* The task that runs in this state, or NULL. */
task *running_task(lua_State *);
/* The state's executor, if it can still take something new; else raises. */
executor *open_executor(lua_State *);

/* A module: what one file of the binding offers. init.c lists them. */

typedef struct function {
    const char *name;   /* in the table that require returns */
    lua_CFunction call; /* a closure over the upvalues */
} function;

typedef struct metatable {
    const char *name;      /* in the registry; without "momo.", in `metatables` of the table that require returns */
    lua_CFunction collect; /* __gc, or NULL */
    enum upvalue up;       /* or 0: only in the registry */
} metatable;

/* A function that is itself an upvalue, so that to call it allocates nothing. */
typedef struct protected_call {
    enum upvalue up;
    lua_CFunction call;
} protected_call;

typedef struct module {
    const function *functions;             /* a NULL name ends the list */
    const metatable *const *metatables;    /* NULL ends the list, which may be NULL */
    const protected_call *protected_calls; /* a NULL call ends the list, which may be NULL */
    void (*close)(runtime *);              /* the state is closing, and the executor still open; may be NULL */
} module;

void push_metatable(lua_State *, const metatable *);
/* Pushes a userdata with this metatable, its bytes all 0. */
void *push_object(lua_State *, size_t size, const metatable *);

/* A task's place in the tables above. */
static inline int slot_of(const task *t) {
    return (int)t->head.index + 1;
}
/* Empties the task's place in a sparse table. Allocates nothing. */
void forget(lua_State *, enum upvalue table, const task *);

/* Where a coroutine is, in the innermost or the outermost Lua function that is not Momo's own: "?" and 0 if in none. Allocates
 * nothing. */
void find_place_in(const runtime *, lua_State *co, bool outermost, lua_Debug *place);
void find_place(lua_State *, lua_State *co, bool outermost, lua_Debug *place);
/* Raises "FILE:LINE: text", with the place where the user's code called Momo. */
int throw(lua_State *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The error on top, for a place where no Lua can run. */
const char *error_text(lua_State *);
/* Pushes nil, "CODE: text", "CODE": returns 3. */
int push_failure(lua_State *, int code);
/* Argument 1 as an object of this metatable; else raises that the method wants a colon. */
void *check_self(lua_State *, const metatable *, const char *object, const char *method);
/* An optional number of seconds: -1 when absent; NaN and negative ones throw. */
double check_seconds(lua_State *, int index, const char *function);
