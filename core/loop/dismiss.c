/* SPDX-License-Identifier: MIT
 *
 * Tasks that keep no run alive: see dismiss.h.
 */
#include "loop/dismiss.h"

#include "loop/scope.h"

void dismiss_signalled(executor *ex) {
    list waiting;
    list_init(&waiting);
    while (!list_empty(&ex->signals.waiters)) {
        list_push(&waiting, list_pop_front(&ex->signals.waiters));
    }
    while (!list_empty(&waiting)) {
        list *node = list_pop_front(&waiting);
        list_push(&ex->signals.waiters, node); /* it stays there if it is beneath a shield */
        ex->dismissed = true;
        task_cancel(list_entry(node, task, place.link));
    }
}

/* Whether a deadline will end its wait. */
static bool has_limit(const task *t) {
    bool limited = list_linked(&t->timer.link);
    for (const scope *s = t->scope; s && !limited; s = s->outer) {
        limited = list_linked(&s->timer.wheel.link);
    }
    return limited;
}

/* How many waiters of a queue are no daemons, and wait for nothing else. */
static unsigned count_idle(const list *waiters) {
    unsigned n = 0;
    for (const list *node = waiters ? waiters->next : NULL; node && node != waiters; node = node->next) {
        const task *t = waiter_task(list_entry(node, waiter, link));
        n += !t->daemon && !t->selecting && !has_limit(t);
    }
    return n;
}

void dismiss_daemons(executor *ex) {
    unsigned others = (unsigned)ex->tasks.live - ex->daemons;
    if (ex->threads.count || (others && others != count_idle(&ex->signals.waiters) + count_idle(ex->drain.waiters))) {
        return;
    }
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor));) {
        if (t->daemon && !t->parent) { /* a child's parent is one, and cancels it */
            task_cancel(t);
        }
    }
}
