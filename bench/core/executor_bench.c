/* SPDX-License-Identifier: MIT
 *
 * The executor in nanoseconds of CPU time, without Lua: what a task costs that does nothing, yields, or sleeps.
 *
 *   spawn   one task starts a thousand, goes to the tail of the queue and does so again: each is run, and ends
 *   yield   N tasks, each of which goes to the tail of the queue
 *   sleep   N tasks, each of which sleeps for 1 to 8 ms again and again: armed, expired, run; the clock and the polls of
 *           an otherwise idle thread are part of it, and shared by all that expire at the same time */
#include "loop/task.h"

#include "bench.h"

enum { BURST = 1000, ROUNDS = 10 };

static uint64_t left; /* operations to go */

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void spawn(executor *ex, bool spawner) {
    task *t;
    if (task_new(ex, &t) < 0) exit(1);
    t->user = spawner ? ex : NULL;
    task_start(t);
}

static void run_spawn(task *t) {
    if (t->user != NULL && left >= BURST) {
        left -= BURST;
        for (int i = 0; i < BURST; i++) spawn(t->executor, false);
        task_yield(t, WAKE_NONE);
    } else {
        task_end(t);
    }
}

static void run_yield(task *t) {
    if (left > 0) {
        left--;
        task_yield(t, WAKE_NONE);
    } else {
        task_end(t);
    }
}

static void run_sleep(task *t) {
    if (left > 0) {
        left--;
        double seconds = 0.001 * (double)(1 + bench_random() % 8);
        task_park(t, "sleep", executor_deadline_ms(t->executor, seconds), WAKE_NONE);
    } else {
        task_end(t);
    }
}

/* The minimum over the rounds of what one of `count` operations takes, shared among so many tasks. */
static double measure(void (*resume)(task *), int tasks, uint64_t count) {
    executor *ex = bench_alloc(1, sizeof *ex);
    if (executor_init(ex) < 0) exit(1);
    ex->resume = resume;
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        left = count;
        double begin_ns = cpu_ns();
        for (int i = 0; i < tasks; i++) spawn(ex, true);
        executor_run(ex);
        double ns = (cpu_ns() - begin_ns) / (double)count;
        if (best_ns == 0 || ns < best_ns) best_ns = ns;
    }
    executor_deinit(ex);
    free(ex);
    return best_ns;
}

int main(void) {
    printf("executor, tasks without Lua                  ns\n");
    printf("  spawn + run, bursts of %d           %7.1f\n", BURST, measure(run_spawn, 1, 1000000));
    printf("  yield, 1 task                         %7.1f\n", measure(run_yield, 1, 2000000));
    printf("  yield, 1000 tasks                     %7.1f\n", measure(run_yield, 1000, 2000000));
    printf("  sleep, 1000 tasks                     %7.1f\n", measure(run_sleep, 1000, 50000));
    printf("  sleep, 100000 tasks                   %7.1f\n", measure(run_sleep, 100000, 1000000));
    return 0;
}
