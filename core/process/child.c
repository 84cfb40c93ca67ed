/* SPDX-License-Identifier: MIT
 *
 * Watched children: see child.h.
 */
#include "process/child.h"

#include <signal.h>
#include <stdlib.h>

static void tell_end(child *c) {
    list_remove(&c->owned);
    task_wake_all(&c->waiters, WAKE_READY);
    if (c->on_end) {
        c->on_end(c);
    } else {
        free(c);
    }
}

static void came(io *o) {
    child *c = list_entry(o->hooks, child, hooks);
    if (c->finishing && c->group) { /* its number is the group's until it is reaped */
        process_kill(&c->process, SIGKILL, true);
    }
    if (process_reap(&c->process, &c->end) != UV_EAGAIN) {
        io_close(o);
    }
}

/* Also when the run ends, which is the end of any grace. */
static void on_closing(io *o) {
    child *c = list_entry(o->hooks, child, hooks);
    c->ended = c->end.status >= 0 || c->end.signal > 0 || process_reap(&c->process, &c->end) == 0;
    if (!c->ended && child_is_ending(c) && process_kill(&c->process, SIGKILL, c->group) == 0) {
        process_discard(&c->process);
    }
    wheel_remove(&c->executor->wheel, &c->timer.wheel);
    c->token = (momo_token){0, 0};
    tell_end(c);
}

static void on_grace_over(timer *timer) {
    child *c = list_entry(timer, child, timer);
    if (process_kill(&c->process, SIGKILL, c->group) < 0) {
        c->beyond_reach = true;
        list_remove(&c->owned);
        task_wake_all(&c->waiters, WAKE_READY);
    }
}

/* The pidfd's io; on failure the child is killed. */
static int watch(child *c) {
    io *o;
    int status = io_open_idle(c->executor, c->process.fd, &c->hooks, came, &o);
    if (status < 0) {
        kill(c->process.pid, SIGKILL);
        process_discard(&c->process);
        return status;
    }
    c->token = io_token(o);
    return 0;
}

int child_spawn(executor *ex, const process_plan *plan, child **out, enum process_step *step) {
    *step = PROCESS_START;
    child *c = *out = calloc(1, sizeof *c);
    if (!c) {
        return UV_ENOMEM;
    }
    c->hooks.closing = on_closing;
    c->executor = ex;
    wheel_timer_init(&c->timer.wheel);
    c->timer.expired = on_grace_over;
    list_init(&c->owned);
    list_init(&c->waiters);
    c->group = plan->group || plan->session;
    c->end.status = -1;
    int status = process_spawn(plan, &c->process, step);
    if (status == 0) {
        *step = PROCESS_START;
        status = watch(c);
    }
    if (status < 0) {
        free(c);
        *out = NULL;
    }
    return status;
}

void child_belongs(child *c, task *t) {
    c->number = ++t->executor->processes.spawned;
    c->owner = t;
    t->has_processes = true;
    list_push(&t->executor->processes.owned, &c->owned);
    for (scope *s = t->scope; s && !s->processes; s = s->outer) {
        s->processes = c->number;
    }
}

void child_release(child *c) {
    c->on_end = NULL;
    if (!child_runs(c)) {
        free(c);
    }
}

int child_kill(const child *c, int signal) {
    return child_runs(c) ? process_kill(&c->process, signal, c->group) : UV_ESRCH;
}

void child_kill_rest(const child *c) {
    if (c->group && c->ended) {
        process_kill(&c->process, SIGKILL, true);
    }
}

void child_finish(child *c) {
    if (c->finishing || !child_runs(c)) {
        return;
    }
    c->finishing = true;
    process_kill(&c->process, SIGTERM, c->group);
    wheel_insert(&c->executor->wheel, &c->timer.wheel, executor_deadline_ms(c->executor, c->grace));
}

/* The next one that the task owns, or NULL. */
static child *next_owned(const task *t, list **at) {
    list *end = &t->executor->processes.owned;
    while (t->has_processes && *at != end) {
        child *c = list_entry(*at, child, owned);
        *at = c->owned.next;
        if (c->owner == t) {
            return c;
        }
    }
    return NULL;
}

child *child_finish_from(const task *t, uint64_t number) {
    child *first = NULL;
    list *at = t->executor->processes.owned.next;
    for (child *c; (c = next_owned(t, &at));) {
        if (c->number >= number) {
            child_finish(c);
            first = first ? first : c;
        }
    }
    return first;
}

void child_leave_all(task *t) {
    list *at = t->executor->processes.owned.next;
    for (child *c; (c = next_owned(t, &at));) {
        list_remove(&c->owned);
    }
    t->has_processes = false;
}
