/* SPDX-License-Identifier: MIT
 *
 * Watched children: see child.h.
 */
#include "process/child.h"

#include <signal.h>
#include <stdlib.h>

static void tell_end(child *c) {
    if (c->on_end) {
        c->on_end(c);
    } else {
        free(c);
    }
}

static void came(io *o) {
    child *c = list_entry(o->hooks, child, hooks);
    if (process_reap(&c->process, &c->end) != UV_EAGAIN) {
        io_close(o);
    }
}

/* Also when the run ends. */
static void on_closing(io *o) {
    child *c = list_entry(o->hooks, child, hooks);
    c->ended = c->end.status >= 0 || c->end.signal > 0 || process_reap(&c->process, &c->end) == 0;
    c->token = (momo_token){0, 0};
    tell_end(c);
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

void child_release(child *c) {
    c->on_end = NULL;
    if (!child_runs(c)) {
        free(c);
    }
}

int child_kill(const child *c, int signal) {
    return child_runs(c) ? process_kill(&c->process, signal, c->group) : UV_ESRCH;
}
