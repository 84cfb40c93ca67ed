/* SPDX-License-Identifier: MIT
 *
 * The FFI API of an executor: its clock, what it counts, and how it is stopped.
 */
#include "loop/signals.h"

const char *momo_version(void) {
    return MOMO_VERSION;
}

double momo_now(const momo_executor *ex) {
    return executor_now(ex);
}

double momo_wall(const momo_executor *ex) {
    return ex->clock.virtual ? ex->clock.wall + momo_now(ex) : executor_wall();
}

static uint64_t length(const list *head) {
    uint64_t n = 0;
    for (const list *node = head->next; node != head; node = node->next) {
        n++;
    }
    return n;
}

void momo_get_metrics(const momo_executor *ex, momo_metrics *m) {
    *m = (momo_metrics){
        .tasks = ex->tasks.live,
        .ready = length(&ex->ready),
        .spawned = ex->counters.spawned,
        .timers = ex->wheel.count,
        .handles = ex->ios.live,
        .threads = ex->threads.count,
        .polls = ex->counters.polls,
        .resumes = ex->counters.resumes,
        .stale_events = ex->counters.stale_events,
        .collected = ex->counters.collected,
    };
}

int momo_draining(const momo_executor *ex) {
    return ex->drain.begun;
}

void momo_stop(momo_executor *ex) {
    executor_stop(ex);
}

int momo_stop_on_signals(momo_executor *ex, double grace_seconds) {
    return signals_stop(ex, grace_seconds);
}
