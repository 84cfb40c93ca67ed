/* SPDX-License-Identifier: MIT
 *
 * Offloading: see offload.h.
 */
#include "loop/offload.h"

static void release(offload *f) {
    if (atomic_fetch_sub(&f->holders, 1) == 1) {
        f->kind->free(f);
    }
}

static void on_run(job *j, void **state) {
    offload *f = list_entry(j, offload, job);
    f->kind->run(f, state);
}

static void on_done(job *j) {
    offload *f = list_entry(j, offload, job);
    task *waiter = task_get(f->executor, f->waiter);
    f->done = true;
    /* It may have been cancelled, or its time be over, and it has not run yet. */
    if (waiter && waiter->state == TASK_WAITING) {
        task_wake(waiter, WAKE_READY);
    }
    release(f);
}

static void on_drop(job *j) {
    release(list_entry(j, offload, job));
}

void offload_init(offload *f, executor *ex, const offload_kind *kind) {
    *f = (offload){.kind = kind, .executor = ex, .holders = 1};
    f->job = (job){.run = on_run, .done = on_done, .drop = on_drop};
}

int offload_start(offload *f) {
    pool *p = pool_of(f->executor, f->kind->pool);
    if (!p) {
        return UV_ENOMEM;
    }
    f->holders = 2;
    int status = pool_submit(p, &f->job);
    f->started = status == 0;
    if (status < 0) {
        f->holders = 1;
    }
    return status;
}

void offload_wait(offload *f, task *t, const char *waits_for, uint64_t deadline_ms) {
    f->waiter = slab_id(&t->head);
    task_park(t, waits_for, deadline_ms, WAKE_TIMEOUT);
    task_keep_alive(t);
}

bool offload_leave(offload *f) {
    bool over = !f->started || f->done;
    f->waiter = 0;
    if (!over && !f->executor->closed && pool_cancel(&f->job)) { /* a closed executor has left its pools */
        release(f);
        over = true;
    }
    release(f);
    return over;
}
