/* SPDX-License-Identifier: MIT
 *
 * Signals: see signals.h; and those that stop an executor.
 */
#include "loop/signals.h"

#include <signal.h>
#include <stdatomic.h>

#include "loop/drain.h"
#include "loop/grace.h"
#include "loop/io.h"

/* Signals that tasks have taken over, on any thread: bit number - 1. The process's own, as their actions are: whoever took one
 * over may be gone, and it stays so. */
static _Atomic uint64_t signals_taken;

bool signals_are_taken(int number) {
    return atomic_load(&signals_taken) & signal_bit(number);
}

/* ---- what tasks wait for ---- */

static void on_taken(uv_signal_t *watcher, int number) {
    executor *ex = watcher->data;
    ex->signals.kept |= signal_bit(number); /* until the task that is woken takes it, or another one does before */
    for (list *node = ex->signals.waiters.next; node != &ex->signals.waiters; node = node->next) {
        task *t = list_entry(node, task, place.link);
        if (t->signals & signal_bit(number)) {
            task_wake(t, WAKE_READY);
            return;
        }
    }
}

int signals_take(executor *ex, uint64_t set) {
    for (uint64_t left = set & ~ex->signals.watched; left; left &= left - 1) {
        int number = signal_lowest(left);
        uv_signal_t *watcher = &ex->signals.watchers[number - 1];
        uv_signal_init(&ex->loop, watcher);
        watcher->data = ex;
        atomic_fetch_or(&signals_taken, signal_bit(number)); /* before it may come: nobody stops for it */
        int status = uv_signal_start(watcher, on_taken, number);
        if (status < 0) {
            uv_close((uv_handle_t *)watcher, NULL);
            uv_run(&ex->loop, UV_RUN_NOWAIT);
            return status;
        }
        ex->signals.watched |= signal_bit(number);
    }
    uv_run(&ex->loop, UV_RUN_NOWAIT); /* from here on its epoll knows of them */
    return 0;
}

void signals_wait(task *t, uint64_t set) {
    task_park(t, "signal.recv", DEADLINE_NEVER, WAKE_TIMEOUT);
    t->signals = set;
    list_push(&t->executor->signals.waiters, &t->place.link);
}

/* libuv gives a signal its default action back when the last watcher is closed. */
void signals_outlive(const executor *ex) {
    for (uint64_t left = ex->signals.watched; left; left &= left - 1) {
        io_survive(signal_lowest(left));
    }
}

/* ---- broken pipes ---- */

static void on_broken_pipe(int number) {
    const executor *ex = executor_running;
    if (!ex ||
        !ex->signals
             .pipe_expected) { /* as it would be without a handler, which programs that it starts don't inherit */
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void keep_broken_pipes_deadly(void) {
    struct sigaction now, action = {.sa_handler = on_broken_pipe, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        sigaction(SIGPIPE, &action, NULL);
    }
}

/* ---- what stops an executor ---- */

static void on_stop_signal(uv_signal_t *watcher, int number) {
    executor *ex = watcher->data;
    if (!signals_are_taken(number)) {
        drain_begin(ex, executor_stop);
    }
}

int signals_stop(executor *ex, double grace_seconds) {
    static const int both[] = {SIGINT, SIGTERM};
    keep_broken_pipes_deadly();
    int numbers[2], count = 0;
    for (int i = 0; i < 2; i++) {
        uv_signal_t *watcher = &ex->signals.stop[i];
        int status = uv_signal_init(&ex->loop, watcher);
        struct sigaction now;
        if (status == 0 && sigaction(both[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
            continue; /* as of a script's background job, which survives Ctrl-C */
        }
        if (status == 0) {
            watcher->data = ex;
            status = uv_signal_start(watcher, on_stop_signal, both[i]);
        }
        if (status < 0) {
            return status;
        }
        numbers[count++] = both[i];
    }
    uv_run(&ex->loop, UV_RUN_NOWAIT);
    return grace_watch(numbers, count, grace_seconds);
}
