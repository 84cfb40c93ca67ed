/* SPDX-License-Identifier: MIT
 *
 * An operation: what may suspend the task that calls it.
 *
 * LuaJIT has no continuations, and nothing may be raised or allocated on a parked coroutine. So an operation tries, parks
 * the task and ends in lua_yield; when the loop resumes the coroutine with `true`, the Lua wrapper calls the operation
 * again, inside the task, where C may raise:
 *
 *   repeat again, bytes, err, code = read(self, max) until not again
 *
 *   call --> check --> attempt --> answer                            fresh: before it has waited
 *                        |  ^
 *                 EAGAIN |  '----------------- woken: what it waits for may be there
 *                        v                   |
 *                       park --> lua_yield --+-- timeout, closed, cancelled --> leave --> fail, or raise
 *
 * Each kind of operation is a constant op_kind, of the functions that are its own; op_run is what all have in common. The
 * first value that it returns says whether to call it again; behind it stands the answer. See docs/design/adding-an-operation.md.
 */
#pragma once
#include "binding/runtime.h"
#include "loop/io.h"

/* A call of an operation. */
typedef struct op {
    const char *name;
    task *task;
    io *io;               /* of those on a descriptor; open */
    void *subject;        /* what op_run_as was given */
    double timeout;       /* how many seconds a fresh call may wait: 0, not at all; negative, for ever */
    uint64_t deadline_ms; /* for park: what comes of it */
    bool woken;           /* the task has waited, and what it waited for may be there; else the call is fresh */
} op;

/* A function of a kind that is worth being compiled into the operation. */
#define OP_HOT static inline __attribute__((always_inline))

typedef struct op_kind {
    const char *name;  /* in errors, and in reports of who waits for what */
    uint8_t token;     /* the argument that holds the token of its descriptor, or 0 */
    uint8_t direction; /* UV_READABLE or UV_WRITABLE: in which the descriptor has to be ready */
    bool waits_first;  /* what it waits for was looked at just now: a fresh call parks at once */
    bool shielded;     /* a cancellation does not end it */
    bool silent;       /* its answer is nothing, and `again` alone says that it has failed: the next call says why */
    /* A fresh call's arguments; sets the timeout, unless it is the stream's. May raise; allocates nothing. */
    void (*check)(lua_State *, op *);
    /* Pushes the answer and nothing else: how many values. Or a negative code; UV_EAGAIN: it has to wait; OP_GIVE_WAY: it
     * goes on when others have had a turn. */
    int (*attempt)(lua_State *, op *);
    /* Parks the task; negative: it could not. NULL: until the descriptor is ready. */
    int (*park)(lua_State *, op *);
    /* Whether what it has begun may be over although its task was cancelled: then it is attempted once more, and what has come
     * of it is answered in place of the cancellation, of which the next operation tells. NULL: never. */
    bool (*settle)(op *);
    /* The operation ends without an answer: it gives back what it holds, such as its turn. */
    void (*leave)(lua_State *, op *);
    /* Somebody else has ended the operation, with this answer (WAKE_DONE). NULL: there is nothing to do. */
    void (*done)(lua_State *, size_t);
    /* Pushes what is returned in place of an answer: how many values. NULL: nil, err, code. */
    int (*fail)(lua_State *, int code);
} op_kind;

enum {
    OP_GIVE_WAY = INT32_MIN, /* no code of libuv's */
    OP_BUDGET = 32,          /* operations that need not wait, after which a task lets the others have a turn */
};

/* The task that runs L, if it may suspend; else raises why it may not. */
task *op_not_here(lua_State *, const char *name);
static inline task *op_check(lua_State *L, const char *name) {
    const executor *ex = executor_running;
    task *t = ex ? ex->current : NULL;
    return t && t->top == L && lua_isyieldable(L) ? t : op_not_here(L, name);
}
/* Raises the task's cancellation; or ends the task, which has caught it too often. The caller returns what this does. */
int op_raise(lua_State *, task *);
/* Counts that the task is told of its cancellation; true: it has caught it so often that it will never end by itself. */
bool op_caught_too_often(task *);
/* Whether a task that was cancelled in its operation can be ended right there. To raise takes more than a microsecond of
 * unwinding, which nobody sees where the operation has nothing to clean up (see task_park) and only Lua functions are on
 * the stack, and so no pcall. */
bool op_ends_unseen(const task *);
/* The executor's running task, if it may do one more operation in this turn without being entered: it has no cancellation to
 * hear of; else NULL. */
static inline task *op_has_budget(const executor *ex) {
    task *t = ex->current;
    return t && !t->cancelled && t->coop.spent < OP_BUDGET ? t : NULL;
}
/* When a limit of `seconds` from now is over; a negative number is no limit. */
static inline uint64_t op_deadline(const task *t, double seconds) {
    return seconds < 0 ? DEADLINE_NEVER : executor_deadline_ms(t->executor, seconds);
}
/* For check: an argument may say how many seconds this call may wait. */
static inline void op_check_timeout(lua_State *L, op *o, int index) {
    if (!lua_isnoneornil(L, index)) {
        o->timeout = check_seconds(L, index, o->name);
    }
}
/* For park: behind the tasks that wait in a queue. */
static inline int op_park_in(op *o, list *queue) {
    task_park(o->task, o->name, o->deadline_ms, WAKE_TIMEOUT);
    list_push(queue, &o->task->place.link);
    return 0;
}

/* For fail, where an answer is nothing: err, code. */
int op_push_error(lua_State *, int code);
/* Where several tasks may wait for an io (io.in_turn), those that wait already come before one that has not waited; the one
 * that was woken is the first of them, also until it runs. */
static inline bool op_is_next(io *o, const task *t, int direction) {
    bool reads = direction == UV_READABLE;
    uint64_t *promised = reads ? &o->reader : &o->writer;
    if (*promised == slab_id(&t->head)) {
        *promised = 0;
    }
    return list_empty(reads ? &o->readers : &o->writers) && !(*promised && task_get(t->executor, *promised));
}
/* The same for attempts. */
static inline bool op_is_first(const op *o, int direction) {
    bool next = op_is_next(o->io, o->task, direction);
    return o->woken || next;
}

/* What is rare of op_run. */
int op_fail(lua_State *, const op_kind *, task *, io *, int code);
int op_done(lua_State *, const op_kind *, const task *);
int op_cancel(lua_State *, const op_kind *, task *, io *);
int op_fail_later(lua_State *, task *);
int op_give_way(lua_State *, task *, enum wake);

OP_HOT bool op_settles(const op_kind *kind, op *o) {
    return kind->settle && o->io && kind->settle(o);
}

/* Runs an operation of a kind that is known when this is compiled, so that only what it needs is left of it. The name may be
 * another one than the kind's, and the subject is passed on to its functions, but for leave. */
static inline __attribute__((always_inline)) int op_run_as(lua_State *L, const op_kind *kind, const char *name,
                                                           void *subject) {
    task *t = op_check(L, name);
    op o = {.name = name, .task = t, .subject = subject, .timeout = -1, .deadline_ms = DEADLINE_NEVER};
    const enum wake wake = task_take_wake(t);
    o.woken = wake == WAKE_READY || (kind->shielded && wake == WAKE_CANCEL);
    if (kind->token) {
        o.io = io_get(t->executor, *(const momo_token *)lua_touserdata(L, kind->token));
    }
    if (wake == WAKE_NONE || wake == WAKE_AGAIN) {
        if (t->cancelled && !kind->shielded && !(o.woken = op_settles(kind, &o))) {
            return t->coop.raised ? op_give_way(L, t, WAKE_CANCEL) : op_cancel(L, kind, t, o.io);
        }
        if (kind->token && o.io) {
            o.timeout = o.io->timeout;
        }
        if (kind->check) {
            kind->check(L, &o);
        }
        if (!kind->waits_first && o.timeout != 0 && ++t->coop.spent > OP_BUDGET) {
            return op_give_way(L, t, WAKE_AGAIN);
        }
        if (kind->token && !o.io) {
            return op_fail(L, kind, t, NULL, UV_EBADF);
        }
        if (kind->token && o.timeout == 0) { /* it won't wait for an event: ask */
            io_ask(o.io, kind->direction);
        }
    } else if (wake == WAKE_CANCEL && !kind->shielded) {
        if (!(o.woken = op_settles(kind, &o))) {
            return op_cancel(L, kind, t, o.io);
        }
    } else if (!o.woken || (kind->token && !o.io)) {
        return wake == WAKE_DONE ? op_done(L, kind, t)
                                 : op_fail(L, kind, t, o.io, wake == WAKE_TIMEOUT ? UV_ETIMEDOUT : UV_ECANCELED);
    }
    int n = UV_EAGAIN;
    if (kind->attempt && (o.woken || !kind->waits_first)) {
        lua_pushnil(L); /* not again */
        n = kind->attempt(L, &o);
        if (n >= 0) {
            return n + 1;
        }
        if (n != UV_EAGAIN && n != OP_GIVE_WAY) {
            return op_fail(L, kind, t, o.io, n);
        }
        if (t->cancelled && !kind->shielded) {
            return op_cancel(L, kind, t, o.io);
        }
    }
    if (o.timeout == 0) {
        return kind->silent ? op_fail_later(L, t) : op_fail(L, kind, t, o.io, UV_ETIMEDOUT);
    }
    if (o.woken) {
        o.deadline_ms = t->timer.deadline_ms;
    } else if (o.timeout > 0) {
        o.deadline_ms = executor_deadline_ms(t->executor, o.timeout);
    }
    if (n == OP_GIVE_WAY) {
        t->timer.deadline_ms = o.deadline_ms;
        return op_give_way(L, t, WAKE_READY);
    }
    n = kind->park ? kind->park(L, &o) : io_wait(o.io, t, kind->direction, name, o.deadline_ms, o.woken);
    return n < 0 ? op_fail(L, kind, t, o.io, n) : lua_yield(L, 0);
}

static inline __attribute__((always_inline)) int op_run(lua_State *L, const op_kind *kind) {
    return op_run_as(L, kind, kind->name, NULL);
}
