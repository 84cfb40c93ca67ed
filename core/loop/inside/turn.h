/* SPDX-License-Identifier: MIT
 *
 * What is measured of each turn, by the clock as the loop reads it anyway: how long the turn was, and how long a task that is
 * ready waits for its own. For the latter, one task at a time is watched: the last of the queue at the beginning of a turn.
 */
#pragma once
#include "loop/inside/histogram.h"
#include "loop/task.h"

static inline void turn_begin(executor *ex, uint64_t now_ns) {
    if (!ex->turn.watched && !list_empty(&ex->ready)) {
        const task *last = list_entry(ex->ready.prev, task, place.link);
        ex->turn.watched = last;
        ex->turn.generation = last->head.generation;
        ex->turn.resumes = last->place.resumes;
        ex->turn.since_ns = now_ns;
    }
}

/* Some tasks have run since. */
static inline void turn_look(executor *ex, uint64_t now_ns) {
    const task *t = ex->turn.watched; /* its slot stays where it is, whoever has it now */
    if (t && (t->place.resumes != ex->turn.resumes || t->head.generation != ex->turn.generation)) {
        histogram_add(&ex->counters.delays, now_ns - ex->turn.since_ns);
        ex->turn.watched = NULL;
    }
}

static inline void turn_end(executor *ex, unsigned resumes, uint64_t ns) {
    ex->counters.resumes += resumes;
    if (resumes) {
        histogram_add(&ex->counters.turns, ns);
    }
}
