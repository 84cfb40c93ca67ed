/* SPDX-License-Identifier: MIT
 *
 * The executor without Lua: tasks are C functions behind the resume hook. */
#include "loop/task.h"

#include "fixture.h"
#include "loop/io.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t order[8];
static int resumed;

static void resume_and_end(task *t) {
    order[resumed++] = slab_id(&t->head);
    task_end(t);
}

static void first_in_first_out(void) {
    begin(resume_and_end);
    CHECK(executor_run(ex)); /* without tasks it has ended */
    uint64_t ids[8];
    resumed = 0;
    for (int i = 0; i < 8; i++) ids[i] = slab_id(&spawn()->head);
    CHECK(executor_run(ex) && resumed == 8 && memcmp(ids, order, sizeof ids) == 0);
    CHECK(ex->counters.resumes == 8 && ex->counters.spawned == 8);
    finish();
}

static uint64_t deadlines_ms[8];

static void resume_and_sleep(task *t) {
    uint64_t *deadline_ms = t->user;
    if (*deadline_ms) {
        CHECK(executor_now_ms(ex) >= *deadline_ms);
        task_end(t);
        return;
    }
    *deadline_ms = executor_deadline_ms(ex, 0.001 * (double)(deadline_ms - deadlines_ms));
    task_park(t, "sleep", *deadline_ms, WAKE_NONE);
}

/* A deadline that is far away is not waited for by turning round and round. */
static void sleeping_costs_no_polls(void) {
    begin(resume_and_sleep);
    memset(deadlines_ms, 0, sizeof deadlines_ms);
    for (int i = 0; i < 8; i++) spawn()->user = &deadlines_ms[i];
    CHECK(executor_run(ex) && ex->counters.resumes == 16);
    CHECK(ex->counters.polls <= 3 * 16);
    finish();
}

static void deadlines_round_up(void) {
    begin(resume_and_end);
    for (int i = 0; i < 10000; i++) {
        double seconds = (double)check_any_size(40) / 1e9;
        uint64_t before_ns = uv_hrtime();
        uint64_t deadline_ms = executor_deadline_ms(ex, seconds);
        CHECK((double)deadline_ms * 1e6 + 1 >= (double)before_ns + seconds * 1e9);
        CHECK((double)deadline_ms * 1e6 <= (double)uv_hrtime() + seconds * 1e9 + 1e6 + 1);
    }
    CHECK(executor_deadline_ms(ex, 1e15) == DEADLINE_NEVER && executor_deadline_ms(ex, 1e300) == DEADLINE_NEVER);
    CHECK(executor_deadline_ms(ex, INFINITY) == DEADLINE_NEVER);
    finish();
}

static int ends[2];
static uint64_t yields;
static io *reader;

/* The first task yields for ever, until the second has read what the first wrote. */
static void resume_busy(task *t) {
    char byte = 'x';
    if (t->user == NULL) {
        if (++yields == 1000) CHECK(write(ends[1], &byte, 1) == 1);
        CHECK(yields < 1000 + 3 * EXECUTOR_WINDOW);
        if (reader) {
            task_yield(t, WAKE_NONE);
        } else {
            task_end(t);
        }
    } else if (read(reader->fd, &byte, 1) == 1) {
        CHECK(yields >= 1000);
        io_close(reader);
        reader = NULL;
        task_end(t);
    } else {
        CHECK(io_wait(reader, t, UV_READABLE, "read", DEADLINE_NEVER, true) == 0);
    }
}

static void yielding_does_not_starve_io(void) {
    begin(resume_busy);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(io_open(ex, ends[0], &reader) == 0);
    yields = 0;
    spawn()->user = NULL;
    spawn()->user = &reader;
    CHECK(executor_run(ex));
    close(ends[1]);
    finish();
}

static unsigned moments;

/* Its deadline passes at the very moment when the executor asks the system for events. */
static void resume_at_the_edge(task *t) {
    if (t->user && t->wake != WAKE_CLOSED) {
        CHECK(io_wait(reader, t, UV_READABLE, "read", DEADLINE_NEVER, true) == 0);
        return;
    }
    if (t->user || ++moments == 500) {
        if (!t->user) io_close(reader);
        task_end(t);
        return;
    }
    uint64_t deadline_ms = executor_deadline_ms(ex, 0.0001);
    uint64_t before_ns = check_below(20000);
    while (uv_hrtime() + before_ns < deadline_ms * 1000000) {
    }
    task_park(t, "sleep", deadline_ms, WAKE_NONE);
}

/* With a descriptor that is watched, and silent: nothing else would end the poll. */
static void a_deadline_in_the_moment_before_the_poll(void) {
    begin(resume_at_the_edge);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(io_open(ex, ends[0], &reader) == 0);
    spawn()->user = &reader;
    spawn()->user = NULL;
    CHECK(executor_run(ex) && moments == 500);
    reader = NULL;
    close(ends[1]);
    finish();
}

static task *sleeper;

static void wake_sleeper(mail *m) {
    (void)m;
    CHECK(sleeper && executor_running == ex);
    task_wake(sleeper, WAKE_READY);
}

static mail letter = {.arrived = wake_sleeper};

static void *post(void *unused) {
    inbox_post(&ex->inbox, &letter);
    return unused;
}

static void resume_once_woken(task *t) {
    if (t->wake == WAKE_READY) {
        task_end(t);
        return;
    }
    sleeper = t;
    task_park(t, "test", DEADLINE_NEVER, WAKE_NONE);
    task_keep_alive(t);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, post, NULL) == 0 && pthread_detach(thread) == 0);
}

static void mail_from_another_thread(void) {
    begin(resume_once_woken);
    spawn();
    CHECK(executor_run(ex));
    finish();
}

/* More timers than one turn has a budget for, all due at once. */
static void resume_many(task *t) {
    if (t->user) {
        CHECK(executor_now_ms(ex) >= *(uint64_t *)t->user);
        task_end(t);
    } else {
        t->user = ex->user;
        task_park(t, "sleep", *(uint64_t *)ex->user, WAKE_NONE);
    }
}

static void a_burst_of_timers(void) {
    begin(resume_many);
    uint64_t deadline_ms = executor_deadline_ms(ex, 0.02);
    ex->user = &deadline_ms;
    for (int i = 0; i < 3 * EXECUTOR_TIMER_BUDGET; i++) spawn()->user = NULL;
    CHECK(executor_run(ex) && ex->counters.resumes == 6 * EXECUTOR_TIMER_BUDGET);
    finish();
}

/* Which is what a spawn that raises for want of memory leaves. */
static void closes_over_a_task_that_was_never_started(void) {
    begin(resume_and_end);
    task *t;
    CHECK(task_new(ex, &t) == 0);
    executor_deinit(ex);
}

int main(void) {
    check_begin();
    first_in_first_out();
    sleeping_costs_no_polls();
    deadlines_round_up();
    yielding_does_not_starve_io();
    a_deadline_in_the_moment_before_the_poll();
    mail_from_another_thread();
    a_burst_of_timers();
    closes_over_a_task_that_was_never_started();
    return 0;
}
