/* SPDX-License-Identifier: MIT
 *
 * An executor for a test, and what must be true of it in the end. */
#pragma once
#include "check.h"
#include "loop/task.h"

static executor own, *const ex = &own;

static void begin(void (*resume)(task *)) {
    CHECK(executor_init(ex) == 0);
    ex->resume = resume;
}

/* Nothing is left behind. */
static void finish(void) {
    CHECK(ex->tasks.live == 0 && ex->wheel.count == 0 && ex->keepalive == 0 && list_empty(&ex->ready));
    CHECK(!ex->running && !ex->stopping && ex->current == NULL && executor_running == NULL);
    CHECK_INVARIANTS(slab_check(&ex->tasks));
    CHECK_INVARIANTS(slab_check(&ex->ios));
    CHECK_INVARIANTS(wheel_check(&ex->wheel));
    executor_deinit(ex);
}

static inline task *spawn(void) {
    task *t;
    CHECK(task_new(ex, &t) == 0);
    task_start(t);
    return t;
}
