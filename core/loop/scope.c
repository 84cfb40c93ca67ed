/* SPDX-License-Identifier: MIT
 *
 * Scopes: see scope.h.
 */
#include "loop/scope.h"

static void on_expired(timer *timer) {
    scope *s = list_entry(timer, scope, timer);
    s->expired = true;
    scope_cancel(s, "timeout");
}

scope *scope_in_force(const task *t) {
    scope *s = t->scope;
    while (s && !s->cancelled && !s->shield) {
        s = s->outer;
    }
    return s && s->cancelled ? s : NULL;
}

void scope_enter(scope *s, task *t, uint64_t deadline_ms, bool shield) {
    s->outer = t->scope;
    s->task = t;
    s->why = NULL;
    s->raises = 0;
    s->cancelled = s->expired = s->supervises = s->reached = s->limited = false;
    s->shield = shield;
    s->processes = 0;
    list_init(&s->children);
    list_init(&s->waiters);
    wheel_timer_init(&s->timer.wheel);
    s->timer.expired = on_expired;
    if (deadline_ms != DEADLINE_NEVER) {
        wheel_insert(&t->executor->wheel, &s->timer.wheel, deadline_ms);
    }
    t->scope = s;
    if (shield) {
        task_refresh(t);
    }
}

void scope_leave(scope *s) {
    task *t = s->task;
    if (!t) {
        return;
    }
    wheel_remove(&t->executor->wheel, &s->timer.wheel);
    struct momo_scope **link = &t->scope;
    while (*link != s) {
        link = &(*link)->outer;
    }
    *link = s->outer;
    s->task = NULL;
    if (s->limited) {
        task_wake_all(&s->places, WAKE_CLOSED);
    }
    if (t->cancelled || s->shield) {
        task_refresh(t);
        if (!t->cancelled) {
            t->coop.raised = t->coop.raised_by_yield = false;
        }
    }
}

/* Whether it is cancelled itself, or from further out. */
static bool is_cancelled(const scope *s, const task *t) {
    while (s && !s->cancelled && !s->shield) {
        s = s->outer;
    }
    return s ? s->cancelled : t->cancel_requested;
}

/* The first scope of the task, from this one outwards, whose children its cancellation reaches only now; or NULL. */
static scope *reach_next(scope *s, const task *t) {
    while (s && (s->reached || list_empty(&s->children) || !is_cancelled(s, t))) {
        s = s->outer;
    }
    if (s) {
        s->reached = true;
    }
    return s;
}

/* The children of a scope, and whom their cancellation reaches in turn. Trees of tasks may be deep, so this does not recurse:
 * at the end of a scope's children it goes back to the task that is in it. */
static void cancel_children(scope *root) {
    scope *s = root;
    list *node = s->children.next;
    while (s != root || node != &root->children) {
        scope *inner;
        task *t;
        if (node == &s->children) {
            t = s->task;
            inner = reach_next(s->outer, t);
        } else {
            t = list_entry(node, task, sibling);
            inner = NULL;
            if (!t->cancel_requested) {
                t->cancel_requested = true;
                task_apply_cancellation(t);
                inner = reach_next(t->scope, t);
            }
        }
        s = inner ? inner : t->parent;
        node = inner ? inner->children.next : t->sibling.next;
    }
}

void scope_reach_children(task *t) {
    for (scope *s = t->scope; (s = reach_next(s, t)); s = s->outer) {
        cancel_children(s);
    }
}

void scope_break_shields(executor *ex) {
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor));) {
        for (scope *s = t->scope; s; s = s->outer) {
            s->shield = false;
        }
        task_refresh(t);
    }
}

void scope_cancel(scope *s, const char *why) {
    if (s->cancelled) {
        return;
    }
    s->cancelled = true;
    s->why = why;
    if (!list_empty(&s->children)) {
        cancel_children(s);
    }
    if (s->task) {
        task_refresh(s->task);
    }
}

void scope_add(scope *s, task *t) {
    t->parent = s;
    t->cancel_requested = s->cancelled || s->reached || (s->task && is_cancelled(s, s->task));
    list_push(&s->children, &t->sibling);
    if (s->task && s->task->daemon) {
        task_become_daemon(t);
    }
}

void scope_limit(scope *s, unsigned places) {
    s->limited = true;
    list_init(&s->places);
    s->room = places;
}

void scope_remove(task *t) {
    scope *s = t->parent;
    t->parent = NULL;
    list_remove(&t->sibling);
    if (s->limited && !task_wake_first(&s->places, WAKE_READY)) {
        s->room++;
    }
    if (list_empty(&s->children)) {
        task_wake_all(&s->waiters, WAKE_READY);
    }
}
