/* SPDX-License-Identifier: MIT
 *
 * Work that takes long for one step of a task, as a handshake of TLS: a few steps, then all others that are ready have their
 * turn. So a thousand such tasks, which become ready at once, hold nobody else up for longer than those few take.
 *
 * Who does not get a turn waits in the order of coming, outside of the ready queue: there it would stand before others.
 */
#pragma once
#include "loop/task.h"

enum { HEAVY_STEPS = 8 }; /* in a round: until the tasks that were ready when it began have run */

static inline void heavy_begin_round(executor *ex) {
    ex->heavy.round_end = ex->counters.resumes;
    for (const list *at = ex->ready.next; at != &ex->ready; at = at->next) {
        ex->heavy.round_end++;
    }
}

/* A step is about to be made: true; false: wait with heavy_wait, and make it when woken. */
static inline bool heavy_begin(executor *ex) {
    if (ex->heavy.steps >= HEAVY_STEPS || !list_empty(&ex->heavy.waiters)) {
        return false;
    }
    if (ex->heavy.steps++ == 0) {
        heavy_begin_round(ex);
    }
    return true;
}

static inline void heavy_wait(task *t, const char *waits_for, uint64_t deadline_ms) {
    task_park(t, waits_for, deadline_ms, WAKE_TIMEOUT);
    list_push(&t->executor->heavy.waiters, &t->place.link);
}

/* Before each window, behind those that deadlines and events have woken: if the round is over, the next ones have their turn. */
static inline void heavy_turn(executor *ex) {
    if ((ex->heavy.steps || !list_empty(&ex->heavy.waiters)) &&
        (ex->counters.resumes >= ex->heavy.round_end || list_empty(&ex->ready))) {
        for (ex->heavy.steps = 0; ex->heavy.steps < HEAVY_STEPS && !list_empty(&ex->heavy.waiters); ex->heavy.steps++) {
            task_wake(list_entry(list_first(&ex->heavy.waiters), task, place.link), WAKE_READY);
        }
        heavy_begin_round(ex);
    }
}
