/* SPDX-License-Identifier: MIT
 *
 * Signals that tasks wait for. The first wait takes a signal over for the life of the process: from then on its action is
 * to be told to every thread that took it. One that comes between two waits is kept, once, as the system does.
 */
#pragma once
#include "loop/task.h"

static inline uint64_t signal_bit(int number) {
    return UINT64_C(1) << (number - 1);
}
/* The lowest number in a set, which must not be empty. */
static inline int signal_lowest(uint64_t set) {
    return __builtin_ctzll(set) + 1;
}

/* Takes over a set of signals: 0, or negative when the system refuses one. */
int signals_take(executor *, uint64_t set);
/* Parks the task until one of the set has come: it is in executor.signals.kept then. */
void signals_wait(task *, uint64_t set);
/* What an executor that is gone has taken over stays so. */
void signals_outlive(const executor *);
/* Whether a task of any thread has ever taken it over. */
bool signals_are_taken(int number);
/* For a process that is nothing but a program of Momo's. The first SIGINT or SIGTERM stops the executor, and the process if a thread does not hear of it in time (grace.h); the second
 * one kills. SIGPIPE keeps its default action but for what streams write, unless to stdout or stderr. 0, or negative. */
int signals_stop(executor *, double grace_seconds);
