/* SPDX-License-Identifier: MIT
 *
 * The two phases of a stop: see drain.h.
 */
#include "loop/drain.h"

#include <stdatomic.h>

/* How many serve, on all threads of the process. */
static atomic_uint serving;

void drain_begin_serving(executor *ex) {
    drain_hold(ex);
    ex->drain.serving++;
    atomic_fetch_add(&serving, 1);
}

void drain_end_serving(executor *ex) {
    ex->drain.serving--;
    atomic_fetch_sub(&serving, 1);
    drain_let_go(ex);
}

bool drain_others_serve(const executor *ex) {
    return atomic_load(&serving) > ex->drain.serving;
}

void drain_reset(executor *ex) {
    atomic_fetch_sub(&serving, ex->drain.serving);
    ex->drain.begun = false;
    ex->drain.serving = ex->drain.holds = 0;
    ex->drain.over = NULL;
}

bool drain_announce(executor *ex) {
    bool awaited = ex->drain.waiters && !list_empty(ex->drain.waiters);
    ex->drain.begun |= awaited || drain_stops(ex);
    if (awaited) {
        task_wake_all(ex->drain.waiters, WAKE_NONE);
    }
    return awaited;
}

void drain_begin(executor *ex, void (*over)(executor *)) {
    if (ex->stopping) {
        return;
    }
    bool goes_on = ex->drain.over != NULL;
    ex->drain.over = over; /* a thread that was to drain, and now stops by itself, does not wait for its parent */
    drain_hold(ex);
    if (!goes_on) {
        drain_announce(ex);
        for (list *node = ex->drivers.next; node != &ex->drivers; node = node->next) {
            const driver *d = list_entry(node, driver, link);
            if (d->on_drain) {
                d->on_drain(ex);
            }
        }
    }
    drain_let_go(ex);
}

void drain_let_go(executor *ex) {
    if (--ex->drain.holds == 0 && ex->drain.over && !ex->stopping) {
        ex->drain.over(ex);
    }
}
