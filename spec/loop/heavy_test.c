/* SPDX-License-Identifier: MIT
 *
 * Tasks whose steps take long, beside one that sleeps: see heavy.h. */
#include "loop/heavy.h"

#include "fixture.h"

enum { TASKS = 40, STEPS = 3, SLEEPS = 10, STEP_NS = HEAVY_NS };

static int steps[TASKS], made, seen, sleeps;
static bool granted[TASKS];

static void sleep_on(task *t) {
    CHECK(made - seen <= (made <= HEAVY_STEPS ? HEAVY_STEPS : 1)); /* a step takes all the time that a round has */
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
    uint64_t began_ns = uv_hrtime();
    while (uv_hrtime() < began_ns + STEP_NS) {
    }
    heavy_took(ex, uv_hrtime() - began_ns);
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

/* Long steps make rounds short at once; short ones make them long again, but slowly. */
static void a_round_has_as_many_steps_as_there_is_time_for(void) {
    begin(resume);
    CHECK(heavy_steps(ex) == HEAVY_STEPS);
    heavy_took(ex, HEAVY_NS / 3 - 1);
    CHECK(heavy_steps(ex) == 3);
    heavy_took(ex, 100 * (uint64_t)HEAVY_NS);
    CHECK(heavy_steps(ex) == 1);
    heavy_took(ex, 0);
    CHECK(heavy_steps(ex) == 1);
    for (int i = 0; i < 3 * HEAVY_FORGETS; i++) heavy_took(ex, 0);
    CHECK(heavy_steps(ex) == HEAVY_STEPS);
    finish();
}

int main(void) {
    check_begin();
    a_sleeper_waits_for_one_round();
    a_round_has_as_many_steps_as_there_is_time_for();
    return 0;
}
