/* SPDX-License-Identifier: MIT
 *
 * Work that takes long for one step of a task, as a handshake of TLS: a few steps, then all others that are ready have their
 * turn. So a thousand such tasks, which become ready at once, hold nobody else up for longer than those few take.
 *
 * Who does not get a turn waits in the order of coming, outside of the ready queue: there it would stand before others.
 */
#pragma once
#include "loop/task.h"

enum {
    HEAVY_STEPS = 8,    /* at most in a round: until the tasks that were ready when it began have run; */
    HEAVY_NS = 2000000, /* and not more than take so long, but for one */
    HEAVY_FORGETS = 8,  /* a step that took less shortens what the next are expected to take by this part */
};

/* How many steps a round has, after what the last ones took. */
static inline unsigned heavy_steps(const executor *ex) {
    uint64_t steps = HEAVY_NS / (ex->heavy.step_ns + 1);
    return steps < 1 ? 1 : steps > HEAVY_STEPS ? HEAVY_STEPS : (unsigned)steps;
}

/* A step has taken so long. The longest counts, until enough of others have come. */
static inline void heavy_took(executor *ex, uint64_t ns) {
    uint64_t *expected = &ex->heavy.step_ns;
    *expected = ns > *expected ? ns : *expected - (*expected - ns) / HEAVY_FORGETS;
    *expected = *expected > HEAVY_NS ? HEAVY_NS : *expected;
}

static inline void heavy_begin_round(executor *ex) {
    ex->heavy.round_end = ex->counters.resumes;
    for (const list *at = ex->ready.next; at != &ex->ready; at = at->next) {
        ex->heavy.round_end++;
    }
}

/* A step is about to be made: true; false: wait with heavy_wait, and make it when woken. */
static inline bool heavy_begin(executor *ex) {
    if (ex->heavy.steps >= heavy_steps(ex) || !list_empty(&ex->heavy.waiters)) {
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
        unsigned most = heavy_steps(ex);
        for (ex->heavy.steps = 0; ex->heavy.steps < most && !list_empty(&ex->heavy.waiters); ex->heavy.steps++) {
            task_wake(list_entry(list_first(&ex->heavy.waiters), task, place.link), WAKE_READY);
        }
        heavy_begin_round(ex);
    }
}
