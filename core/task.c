/* SPDX-License-Identifier: MIT
 *
 * Tasks as states: see task.h.
 */
#include "task.h"

int task_new(executor *ex, task **out) {
    void *slot = NULL;
    int status = slab_take(&ex->tasks, &slot);
    task *t = *out = slot;
    if (status < 0) {
        return UV_ENOMEM;
    }
    list_init(&t->link);
    list_init(&t->joiners);
    wheel_timer_init(&t->timer);
    t->executor = ex;
    t->handle = NULL;
    t->wake = WAKE_NONE;
    t->started = t->cancelled = t->external = false;
    t->raises = 0;
    return 0;
}

void task_drop(task *t) {
    slab_release(&t->executor->tasks, t);
}

void task_start(task *t) {
    executor *ex = t->executor;
    ex->spawned++;
    t->cancelled = ex->stopping;
    t->state = TASK_READY;
    list_push(&ex->ready, &t->link);
}

void task_park(task *t, const char *waits_for, uint64_t deadline_ms, enum wake expiry) {
    list_init(&t->link);
    t->state = TASK_WAITING;
    t->waits_for = waits_for;
    t->deadline_ms = deadline_ms;
    t->expiry = (int8_t)expiry;
    if (deadline_ms != DEADLINE_NEVER) {
        wheel_insert(&t->executor->wheel, &t->timer, deadline_ms);
    }
}

void task_wait_outside(task *t) {
    t->external = true;
    t->executor->external++;
}

void task_wake(task *t, enum wake wake) {
    executor *ex = t->executor;
    ex->woken++;
    ex->external -= t->external;
    t->external = false;
    wheel_remove(&ex->wheel, &t->timer);
    list_remove(&t->link);
    t->state = TASK_READY;
    t->wake = (int8_t)wake;
    list_push(&ex->ready, &t->link);
}

void task_cancel(task *t) {
    if (t->cancelled || t->state == TASK_ENDED) {
        return;
    }
    t->cancelled = true;
    if (t->state == TASK_WAITING) {
        task_wake(t, WAKE_CANCEL);
    }
}

void task_end(task *t) {
    t->state = TASK_ENDED;
    while (!list_empty(&t->joiners)) {
        task_wake(list_entry(t->joiners.next, task, link), WAKE_READY);
    }
    slab_release(&t->executor->tasks, t);
}
