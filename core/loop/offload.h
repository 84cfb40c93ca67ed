/* SPDX-License-Identifier: MIT
 *
 * A call that blocks, made on a thread of a pool: a task waits for it, cancels it, or leaves it behind.
 *
 *   offload_start --> queue --> thread: run --> mail --> done, and the task that waits is woken
 *                       |                 |
 *   offload_leave: taken back from it     '-- it can't be stopped: goes on, and is freed at its end
 *
 * An offload is the first member of what it works on, which two hold: who made it, until offload_leave, and the pool, while it
 * is there. The last of them frees it.
 */
#pragma once
#include "loop/pool.h"
#include "loop/task.h"

typedef struct offload offload;

typedef struct offload_kind {
    const pool_kind *pool;
    void (*run)(offload *, void **state); /* on a thread of the pool; *state is that thread's, NULL at first */
    void (*free)(offload *);              /* on any thread */
} offload_kind;

struct offload {
    job job;
    const offload_kind *kind;
    executor *executor;
    uint64_t waiter;     /* id of the task that waits for its end, or 0 */
    atomic_uint holders; /* who made it, and the pool */
    bool started;
    bool done;
};

void offload_init(offload *, executor *, const offload_kind *);
/* Gives it to the pool: 0; or a negative UV_E*, and it is as it was. UV_ENOBUFS: too many wait already. */
int offload_start(offload *);
/* Parks the task until it is done. */
void offload_wait(offload *, task *, const char *waits_for, uint64_t deadline_ms);
/* The task waits no more, and nobody else will ask. False: it has begun and goes on; else it never has or is over. */
bool offload_leave(offload *);
