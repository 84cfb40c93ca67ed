/* SPDX-License-Identifier: MIT
 *
 * Tasks whose steps take long, beside one that sleeps: see heavy.h. */
#include "loop/heavy.h"

#include "fixture.h"

enum { TASKS = 40, STEPS = 3, SLEEPS = 10, STEP_NS = 2000000 };

static int steps[TASKS], made, seen, sleeps;
static bool granted[TASKS];

static void sleep_on(task *t) {
    CHECK(made - seen <= HEAVY_STEPS);
    seen = made;
    if (sleeps++ == SLEEPS) {
        task_end(t);
    } else {
        task_park(t, "sleep", executor_deadline_ms(ex, 0.001), WAKE_NONE);
    }
}

static void resume(task *t) {
    int *own = t->user;
    if (own == NULL) {
        sleep_on(t);
        return;
    }
    bool *may = &granted[own - steps];
    if (!*may && !heavy_begin(ex)) {
        *may = true;
        heavy_wait(t, "work", DEADLINE_NEVER);
        return;
    }
    *may = false;
    made++;
    for (uint64_t end_ns = uv_hrtime() + STEP_NS; uv_hrtime() < end_ns;) {
    }
    if (++*own == STEPS) {
        task_end(t);
    } else {
        task_yield(t, WAKE_READY);
    }
}

/* A task that is due comes before the next steps, which all come in the end, also when nothing else is to be done. */
static void a_sleeper_waits_for_one_round(void) {
    begin(resume);
    for (int i = 0; i < TASKS; i++) spawn()->user = &steps[i];
    spawn();
    CHECK(executor_run(ex) && made == TASKS * STEPS && sleeps == SLEEPS + 1);
    finish();
}

int main(void) {
    check_begin();
    a_sleeper_waits_for_one_round();
    return 0;
}
