/* SPDX-License-Identifier: MIT
 *
 * A task: one thread of control of an executor, known here as a slot with a state.
 *
 *             spawn            turn comes             park
 *   (free) ----------> READY <------------> RUNNING ---------> WAITING
 *                        ^   yield             |                  |
 *                        |                     | end              | wake: event, deadline, cancel
 *                        +---------------------|------------------+
 *                                              v
 *                                           (free)
 *
 * A task waits for one thing at a time. What wakes it only says why (enum wake); the operation is then entered again
 * by the task itself, with that answer, and goes on, gives up or cleans up there.
 */
#pragma once
#include "loop/executor.h"

enum task_state { TASK_READY, TASK_WAITING, TASK_RUNNING, TASK_ENDED };

enum wake {
    WAKE_NONE = 0,     /* not woken: a fresh call, or a wait that ends without an answer (sleep, yield) */
    WAKE_READY = 1,    /* what it waits for may be there */
    WAKE_AGAIN = 2,    /* it only let others have a turn: the call begins anew */
    WAKE_DONE = 3,     /* its operation is over: task.done is what it returns */
    WAKE_TIMEOUT = -1, /* its deadline passed first */
    WAKE_CLOSED = -2,  /* what it waited on was closed */
    WAKE_CANCEL = -3,  /* it was cancelled while it waited */
};

/* A place in a queue: of what the task waits for, or of the ready queue. Whose it is: waiter_task. */
typedef struct waiter {
    list link;
    uint32_t number;  /* 0: a task's own; else which one of a wait_set, from 1 */
    uint32_t resumes; /* a task's own: how often that was resumed; it begins anew at 2^32 */
} waiter;

/* The places of a task that waits in several queues at once; the first that is woken ends them all. */
typedef struct wait_set {
    struct task *task;
    unsigned count;
    unsigned fired; /* which place was woken, or count: none */
    bool keepalive; /* one of them is woken from outside of the executor, whatever other threads do */
    waiter places[];
} wait_set;

/* A line of the cache each: what a switch touches; what a wait and an end do besides; the rest. At its end a task leaves what
 * it waited in, what waited for it, and its scopes, so those fields are clean for the next one. */
typedef struct task {
    slab_head head;
    uint8_t state; /* enum task_state */
    int8_t wake;   /* enum wake: what to tell the task when it runs next */
    bool started;
    bool cancelled; /* its operations raise: see task_refresh */
    void *user;     /* kept with the slot from one task to the next */
    void *top;      /* what runs now: user, or a coroutine inside of it; of those who set user, who keep it alive */
    union {
        struct {                  /* its coop budget, since it was last resumed */
            uint8_t spent;        /* operations that it has begun */
            bool raised;          /* a cancellation was raised */
            bool raised_by_yield; /* and by yield_now */
        };
        uint64_t stamp; /* executor.stamp when it was resumed, or spawned: sets the above to 0, and its time */
    } coop;
    waiter place; /* READY: in the executor's queue; WAITING: in what it waits for, or alone */

    /* Pending while it waits with a deadline, which is the operation's under way: it is kept over spurious wake-ups. */
    wheel_timer timer;
    executor *executor;    /* behind timer, as in struct timer */
    const char *waits_for; /* the operation's name, while WAITING */
    void *handle;
    int8_t expiry;         /* enum wake: what an expired deadline tells it */
    bool keepalive;        /* what it waits for comes from outside of the executor: see executor.keepalive */
    bool selecting;        /* it waits in several queues */
    bool cancel_requested; /* the whole task was cancelled, by task_cancel */
    bool daemon;           /* it keeps no run alive: see executor.daemons */
    bool has_processes;    /* some in executor.processes may be its own */
    bool has_name;         /* see task_name_of */
    uint8_t raises;        /* how often a cancellation of the whole task was raised */
    bool has_cancellation; /* of those who set user: what its operations raise is known */
    bool without_reason;   /* of the same: it was cancelled, and no reason was given */
    bool has_traceback;    /* of those who set user: of an error that is passed on */
    bool adopted;          /* of the same, with the slot: it has served a child */

    list joiners;              /* waiters for its end */
    struct momo_scope *scope;  /* the innermost that it is in, or NULL */
    struct momo_scope *parent; /* that it is a child of, or NULL */
    list sibling;              /* in parent->children */
    union {
        int arguments;    /* not started: how many values stand on its coroutine's stack */
        uint64_t signals; /* that it waits for */
        size_t done;      /* WAKE_DONE */
        wait_set *set;    /* selecting: what it waits in; owned by the operation */
    };
    void *kept; /* of those who set user, with the slot as well: what it waits in is kept alive */
} task;

/* Of a place in a wait_set. */
static inline wait_set *waiter_set(const waiter *w) {
    return list_entry(w - (w->number - 1), wait_set, places);
}
static inline task *waiter_task(const waiter *w) {
    return w->number ? waiter_set(w)->task : list_entry(w, task, place);
}
/* Makes a task without putting it in the queue: user is what the slot's last task left. UV_ENOMEM: *task is NULL. */
int task_new(executor *, task **);
/* Undoes task_new, for a task that never became ready. */
void task_drop(task *);
/* The task keeps no run alive: it is cancelled when only such tasks are left, and those that wait for signals or for a stop. */
void task_become_daemon(task *);
/* To the tail of the ready queue. */
void task_start(task *);
/* The task that runs, in the executor that runs, goes to the tail of the queue; wake is what it's told when it gets there. */
static inline void task_yield(task *t, enum wake wake) {
    t->state = TASK_READY;
    t->wake = (int8_t)wake;
    list_push(&executor_running->ready, &t->place.link);
}
/* Why the task was woken; it is told once. */
static inline enum wake task_take_wake(task *t) {
    enum wake wake = (enum wake)t->wake;
    t->wake = WAKE_NONE;
    return wake;
}
/* The task that runs waits until task_wake, or until the deadline tells it `expiry`; WAKE_NONE: there is nothing to tell, nor
 * to clean up when it is cancelled. Its place is the caller's to insert where the wake will come from. */
void task_park(task *, const char *waits_for, uint64_t deadline_ms, enum wake expiry);
/* The parked task waits for something that comes from outside, so that the executor is not deadlocked. */
void task_keep_alive(task *);
/* Ends the wait of a WAITING task: unlinks it, disarms the deadline, and puts it at the tail of the ready queue. */
void task_wake(task *, enum wake);
/* Wakes the task of the first waiter in a queue: NULL if there is none. */
task *task_wake_first(list *queue, enum wake);
void task_wake_all(list *queue, enum wake);
/* From now on the task's suspending operations raise; the one it waits in ends with WAKE_CANCEL. */
void task_cancel(task *);
/* Works out anew whether it is cancelled: when that was requested, or one of its scopes was, and no shield is between. */
void task_refresh(task *);
/* The same, but for its children. */
void task_apply_cancellation(task *);
/* Frees the slot and wakes the joiners. */
void task_end(task *);
/* A timer of the executor's has expired. */
static inline void timer_expire(const executor *ex, timer *expired) {
    if (expired->wakes == ex) {
        task *t = list_entry(expired, task, timer);
        task_wake(t, (enum wake)t->expiry);
    } else {
        expired->expired(expired);
    }
}
/* It has this name, which must live as long as it: 0, or UV_ENOMEM. Few tasks have one, so it stands beside the slots. */
int task_give_name(task *, const char *name);
/* Its name, or NULL. A signal handler on its thread may ask. */
static inline const char *task_name_of(const task *t) {
    return t->has_name ? t->executor->names.of[t->head.index] : NULL;
}
/* When it was last resumed, or else spawned: of the executor's clock, as exact as that is read within a window. */
static inline uint64_t task_since_ms(const task *t) {
    return t->coop.stamp >> EXECUTOR_STAMP_SHIFT;
}
/* NULL when that task has ended. */
static inline task *task_get(const executor *executor, uint64_t id) {
    return slab_get(&executor->tasks, id);
}
