/* SPDX-License-Identifier: MIT
 *
 * A thread that computes when its parent goes is left behind, and outlives the parent's executor: whatever it does from then
 * on, it touches nothing of what the parent had. */
#include "thread/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop/signals.h"

enum { POISON = 0x55 };

static thread child;
static atomic_bool parent_gone, child_done;
static bool left;

static void resume(task *t) {
    if (t->top) {
        CHECK(task_take_wake(t) == WAKE_READY && t->executor->signals.kept == signal_bit(SIGUSR1));
        task_end(t);
        return;
    }
    t->top = t;
    signals_wait(t, signal_bit(SIGUSR1));
    raise(SIGUSR1);
}

/* Computes until the parent is gone, and then runs an executor of its own, takes a signal, and stops others. */
static void compute(thread *t) {
    while (!atomic_load(&parent_gone)) usleep(1000);
    executor *ex = malloc(sizeof *ex);
    CHECK(ex && executor_init(ex) == 0);
    ex->resume = resume;
    thread_attach(t, ex); /* it was told to stop */
    executor_run(ex);
    CHECK(!ex->stopping && signals_take(ex, signal_bit(SIGUSR1)) == 0);
    task *waiting;
    CHECK(task_new(ex, &waiting) == 0);
    waiting->top = NULL;
    task_start(waiting);
    CHECK(executor_run(ex));
    thread_detach(t);
    executor_deinit(ex);
    free(ex);
    atomic_store(&child_done, true);
}

static void on_seen(thread *t) {
    CHECK(t && false);
}

static void on_left(thread *t) {
    CHECK(t == &child);
    left = true;
}

static void on_free(thread *t) {
    CHECK(t == &child);
}

int main(void) {
    check_begin();
    executor *parent = malloc(sizeof *parent);
    CHECK(parent && executor_init(parent) == 0);
    child = (thread){.main = compute, .seen = on_seen, .left = on_left, .free = on_free, .cpu = -1};
    CHECK(thread_start(&child, parent) == 0);
    threads_finish(parent);
    CHECK(left);
    executor_deinit(parent);
    memset(parent, POISON, sizeof *parent);
    atomic_store(&parent_gone, true);
    while (!atomic_load(&child_done)) usleep(1000);
    for (size_t i = 0; i < sizeof *parent; i++) CHECK(((const char *)parent)[i] == POISON);
    free(parent);
    thread_release(&child);
    return 0;
}
