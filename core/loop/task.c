/* SPDX-License-Identifier: MIT
 *
 * Tasks as states: see task.h.
 */
#include "loop/task.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop/scope.h"

_Static_assert(sizeof(task) <= 192 && offsetof(task, timer) <= 64,
               "a task takes three lines of the cache, a switch one");
_Static_assert(offsetof(task, executor) - offsetof(task, timer) == offsetof(timer, wakes), "a task's timer is a timer");

int task_new(executor *ex, task **out) {
    void *slot = NULL;
    int status = slab_take(&ex->tasks, &slot);
    task *t = *out = slot;
    if (status < 0) {
        return UV_ENOMEM;
    }
    if (!t->executor) { /* the slot's first */
        t->executor = ex;
        list_init(&t->joiners);
        wheel_timer_init(&t->timer);
    }
    t->state = TASK_ENDED; /* until task_start */
    t->wake = WAKE_NONE;
    t->place.resumes = 0;
    t->coop.stamp = ex->stamp;
    t->started = t->cancelled = false;
    t->expiry = WAKE_NONE;
    t->raises = 0;
    t->cancel_requested = t->keepalive = t->selecting = t->daemon = t->has_processes = t->has_name = false;
    t->has_cancellation = t->without_reason = t->has_traceback = false;
    return 0;
}

void task_drop(task *t) {
    slab_release(&t->executor->tasks, t);
}

void task_become_daemon(task *t) {
    t->daemon = true;
    t->executor->daemons++;
}

void task_start(task *t) {
    executor *ex = t->executor;
    ex->counters.spawned++;
    t->cancel_requested |= ex->stopping && !t->parent; /* a child's scope knows: it may be beneath a shield */
    t->cancelled = t->cancel_requested;
    t->state = TASK_READY;
    list_push(&ex->ready, &t->place.link);
}

void task_park(task *t, const char *waits_for, uint64_t deadline_ms, enum wake expiry) {
    list_init(&t->place.link);
    t->state = TASK_WAITING;
    t->waits_for = waits_for;
    t->expiry = (int8_t)expiry;
    if (deadline_ms != DEADLINE_NEVER) {
        wheel_insert(&t->executor->wheel, &t->timer, deadline_ms);
    } else {
        t->timer.deadline_ms = DEADLINE_NEVER;
    }
}

void task_keep_alive(task *t) {
    t->keepalive = true;
    t->executor->keepalive++;
}

void task_wake(task *t, enum wake wake) {
    executor *ex = t->executor;
    ex->keepalive -= t->keepalive;
    t->keepalive = false;
    if (t->selecting) {
        for (unsigned i = 0; i < t->set->count; i++) {
            list_remove(&t->set->places[i].link);
        }
        t->selecting = false;
    }
    if (list_linked(&t->timer.link)) {
        wheel_remove(&ex->wheel, &t->timer);
    }
    list_remove(&t->place.link);
    t->state = TASK_READY;
    t->wake = (int8_t)wake;
    list_push(&ex->ready, &t->place.link);
}

task *task_wake_first(list *queue, enum wake wake) {
    if (list_empty(queue)) {
        return NULL;
    }
    const waiter *first = list_entry(list_first(queue), waiter, link);
    task *t = waiter_task(first);
    if (first->number) {
        waiter_set(first)->fired = first->number - 1;
        wake = WAKE_READY; /* it has to ask which */
    }
    task_wake(t, wake);
    return t;
}

void task_wake_all(list *queue, enum wake wake) {
    while (task_wake_first(queue, wake)) {
    }
}

void task_apply_cancellation(task *t) {
    const scope *s = t->scope;
    while (s && !s->cancelled && !s->shield) {
        s = s->outer;
    }
    t->cancelled = s ? s->cancelled : t->cancel_requested;
    if (t->cancelled && t->state == TASK_WAITING) {
        task_wake(t, WAKE_CANCEL);
    }
}

void task_refresh(task *t) {
    scope_reach_children(t);
    task_apply_cancellation(t);
}

void task_cancel(task *t) {
    if (!t->cancel_requested && t->state != TASK_ENDED) {
        t->cancel_requested = true;
        task_refresh(t);
    }
}

/* The table that was is freed only when the new one is there, for the sake of signal handlers. */
static int make_room_for_names(executor *ex) {
    uint32_t count = ex->tasks.chunk_count * SLAB_CHUNK_SLOTS;
    const char **old = ex->names.of, **of = malloc(count * sizeof *of);
    if (!of) {
        return UV_ENOMEM;
    }
    if (old) {
        memcpy(of, old, ex->names.count * sizeof *of);
    }
    ex->names.count = count;
    ex->names.of = of;
    atomic_signal_fence(memory_order_seq_cst);
    free(old);
    return 0;
}

int task_give_name(task *t, const char *name) {
    executor *ex = t->executor;
    if (t->head.index >= ex->names.count && make_room_for_names(ex) < 0) {
        return UV_ENOMEM;
    }
    ex->names.of[t->head.index] = name;
    t->has_name = true;
    return 0;
}

void task_end(task *t) {
    t->state = TASK_ENDED;
    if (t->daemon) {
        t->executor->daemons--;
    }
    while (t->scope) { /* it was given up inside of them */
        scope_cancel(t->scope, "its task was given up");
        scope_leave(t->scope);
    }
    if (t->parent) {
        scope_remove(t);
    }
    if (!list_empty(&t->joiners)) {
        task_wake_all(&t->joiners, WAKE_NONE); /* there is no more to say */
    }
    slab_release(&t->executor->tasks, t);
}
