/* SPDX-License-Identifier: MIT
 *
 * Calls on the pool without Lua: tasks wait for them, cancel them, leave them behind, beside counters that say how often each was
 * run and freed. What each call does is to wait for a gate, so that the test knows what is under way. */
#include "loop/offload.h"

#include <string.h>

#include "fixture.h"

enum { THREADS = 3, ROUNDS = 200, CALLS = 40, JOBS_MAX = 5 };

typedef struct call {
    offload offload;
    uint64_t input, output;
} call;

static atomic_uint ran, freed, states;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* whoever has it holds every call up */
static atomic_uint at_gate;

static void run(offload *f, void **state) {
    call *c = list_entry(f, call, offload);
    if (!*state) {
        *state = malloc(1);
        atomic_fetch_add(&states, 1);
    }
    atomic_fetch_add(&at_gate, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    c->output = c->input * 3 + 1;
    atomic_fetch_add(&ran, 1);
}

static void end_state(void *state) {
    free(state);
    atomic_fetch_sub(&states, 1);
}

static void free_call(offload *f) {
    atomic_fetch_add(&freed, 1);
    free(list_entry(f, call, offload));
}

static const pool_kind some = {.name = "test-some", .threads_max = THREADS, .end = end_state, .tells = true};
static const pool_kind few = {.name = "test-few", .threads_max = 1, .jobs_max = JOBS_MAX, .end = end_state};
static const offload_kind on_some = {.pool = &some, .run = run, .free = free_call};
static const offload_kind on_few = {.pool = &few, .run = run, .free = free_call};

static offload *make(const offload_kind *kind, uint64_t input) {
    call *c = calloc(1, sizeof *c);
    CHECK(c);
    offload_init(&c->offload, ex, kind);
    c->input = input;
    return &c->offload;
}

static void begin_counting(void (*resume)(task *)) {
    begin(resume);
    atomic_store(&ran, 0);
    atomic_store(&freed, 0);
    atomic_store(&at_gate, 0);
}

static void wait_until(const atomic_uint *n, unsigned value) {
    while (atomic_load(n) < value) usleep(100);
}

/* ---- tasks that do anything with their calls ---- */

static unsigned made, answered, never_ran, left_behind;

static void resume_any(task *t) {
    offload *f = t->top;
    enum wake wake = task_take_wake(t);
    if (!f) {
        f = t->top = make(check_below(2) ? &on_some : &on_few, check_random());
        made++;
        if (check_below(20) == 0) { /* it never begins */
            CHECK(offload_leave(f));
            never_ran++;
            task_end(t);
            return;
        }
        int status = offload_start(f);
        CHECK(status == 0 || (status == UV_ENOBUFS && f->kind == &on_few && !f->started));
        if (status < 0) {
            CHECK(offload_leave(f));
            never_ran++;
            task_end(t);
            return;
        }
    }
    if (wake == WAKE_READY) {
        const call *c = list_entry(f, call, offload);
        CHECK(f->done && c->output == c->input * 3 + 1 && offload_leave(f));
        answered++;
        task_end(t);
    } else if (wake == WAKE_NONE) {
        offload_wait(f, t, "test",
                     check_below(2) ? executor_deadline_ms(ex, (double)check_below(3) / 1e3) : DEADLINE_NEVER);
        if (check_below(10) == 0) task_cancel(t);
    } else {
        CHECK(wake == WAKE_TIMEOUT || wake == WAKE_CANCEL);
        bool done = f->done; /* meanwhile */
        if (offload_leave(f)) {
            *(done ? &answered : &never_ran) += 1;
        } else {
            left_behind++;
        }
        task_end(t);
    }
}

static void each_call_is_freed_once(void) {
    begin_counting(resume_any);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CALLS; i++) spawn()->top = NULL;
        CHECK(executor_run(ex));
    }
    unsigned begun = answered + left_behind;
    CHECK(made == ROUNDS * CALLS && begun + never_ran == made);
    wait_until(&ran, begun);
    finish();
    wait_until(&freed, made);
    while (atomic_load(&states) > 0) usleep(100);
    CHECK(atomic_load(&freed) == made && atomic_load(&ran) == begun);
}

/* ---- the threads ---- */

static unsigned at_once;

/* Tasks whose calls are held up until all of them are under way: then another one lets them go. */
static void resume_at_once(task *t) {
    offload *f = t->top;
    if (t->top == &gate) {
        if (atomic_load(&at_gate) < at_once) {
            task_yield(t, WAKE_NONE);
            return;
        }
        pthread_mutex_unlock(&gate);
    } else if (!f) {
        f = t->top = make(&on_some, 1);
        CHECK(offload_start(f) == 0);
        offload_wait(f, t, "test", DEADLINE_NEVER);
        return;
    } else {
        CHECK(task_take_wake(t) == WAKE_READY && offload_leave(f));
    }
    task_end(t);
}

/* A thread that is idle is used again, before another one is started. */
static void threads_are_used_again(void) {
    begin_counting(resume_at_once);
    for (at_once = 1; at_once <= THREADS; at_once++) {
        for (int round = 0; round < 10; round++) {
            atomic_store(&at_gate, 0);
            pthread_mutex_lock(&gate);
            for (unsigned i = 0; i < at_once; i++) spawn()->top = NULL;
            spawn()->top = &gate;
            CHECK(executor_run(ex));
            const pool *p = pool_of(ex, &some);
            CHECK(atomic_load(&states) == at_once && p->threads == at_once && p->idle == at_once && p->queued == 0);
        }
    }
    finish();
    CHECK(atomic_load(&states) == 0); /* idle threads are waited for */
}

/* ---- what is left behind ---- */

static offload *first, *second;

/* Leaves the first call behind when its time is over, and waits for the second, which is run after it. */
static void resume_impatient(task *t) {
    enum wake wake = task_take_wake(t);
    if (!first) {
        first = make(&on_few, 1);
        CHECK(offload_start(first) == 0);
        wait_until(&at_gate, 1);
        offload_wait(first, t, "test", executor_deadline_ms(ex, 0.001));
    } else if (!second) {
        CHECK(wake == WAKE_TIMEOUT && !offload_leave(first));
        second = make(&on_few, 2);
        CHECK(offload_start(second) == 0);
        offload_wait(second, t, "test", DEADLINE_NEVER);
        pthread_mutex_unlock(&gate);
    } else {
        CHECK(wake == WAKE_READY && second->done && offload_leave(second));
        task_end(t);
    }
}

static void what_was_left_wakes_nobody(void) {
    begin_counting(resume_impatient);
    pthread_mutex_lock(&gate);
    spawn();
    CHECK(executor_run(ex) && atomic_load(&ran) == 2);
    finish();
    CHECK(atomic_load(&freed) == 2);
}

static task *patient;

/* The first waits for a call; the second cancels it when that has been run, and nobody has looked yet. */
static void resume_cancelling(task *t) {
    if (!first) {
        patient = t;
        first = make(&on_few, 1);
        pthread_mutex_lock(&gate); /* or it could be over, and looked at, before the second comes */
        CHECK(offload_start(first) == 0);
        offload_wait(first, t, "test", DEADLINE_NEVER);
    } else if (t != patient) {
        pthread_mutex_unlock(&gate);
        while (!inbox_has_mail(&ex->inbox)) usleep(100);
        task_cancel(patient);
        task_end(t);
    } else {
        CHECK(task_take_wake(t) == WAKE_CANCEL && first->done && offload_leave(first));
        task_end(t);
    }
}

static void an_answer_undoes_no_cancellation(void) {
    begin_counting(resume_cancelling);
    first = NULL;
    spawn();
    spawn();
    CHECK(executor_run(ex));
    finish();
    CHECK(atomic_load(&freed) == 1);
}

/* ---- the bound of a queue ---- */

/* One call runs, so many wait; a place is free again when one of those is given up. A pool of another kind does not care. */
static void a_full_queue_refuses(void) {
    begin_counting(NULL);
    pthread_mutex_lock(&gate);
    offload *calls[JOBS_MAX + 1], *late = make(&on_few, 0), *other = make(&on_some, 0);
    CHECK(!pools_may_tell(ex));
    for (int i = 0; i <= JOBS_MAX; i++) {
        calls[i] = make(&on_few, 0);
        CHECK(offload_start(calls[i]) == 0);
        wait_until(&at_gate, 1);
    }
    CHECK(offload_start(late) == UV_ENOBUFS && !late->started);
    CHECK(!pools_may_tell(ex) && offload_start(other) == 0 && pools_may_tell(ex));
    CHECK(offload_leave(calls[JOBS_MAX]));
    CHECK(offload_start(late) == 0);
    for (int i = 0; i < JOBS_MAX; i++) CHECK(offload_leave(calls[i]) == (i > 0)); /* the first has begun */
    CHECK(offload_leave(late));
    offload_leave(other);
    pthread_mutex_unlock(&gate);
    finish();
    wait_until(&freed, JOBS_MAX + 3);
}

/* ---- the end of the executor ---- */

/* Calls that run, wait, or are over while nobody has looked: each is freed when both its holders are gone, whoever is last. */
static void calls_outlive_the_executor(void) {
    for (int round = 0; round < 20; round++) {
        begin_counting(NULL);
        offload *over = make(&on_some, 1), *calls[THREADS + 2];
        CHECK(offload_start(over) == 0);
        wait_until(&ran, 1);
        pthread_mutex_lock(&gate);
        for (int i = 0; i < THREADS + 2; i++) {
            calls[i] = make(&on_some, 2);
            CHECK(offload_start(calls[i]) == 0);
        }
        wait_until(&at_gate, 1 + THREADS);
        executor_deinit(ex);
        CHECK(atomic_load(&freed) == 0);
        bool ends_first = check_below(2);
        if (ends_first) {
            pthread_mutex_unlock(&gate);
            while (atomic_load(&states) > 0) usleep(100);
        }
        offload_leave(over);
        for (int i = 0; i < THREADS + 2; i++) CHECK(!offload_leave(calls[i]));
        if (!ends_first) {
            CHECK(atomic_load(&freed) == 3);
            pthread_mutex_unlock(&gate);
        }
        wait_until(&freed, THREADS + 3);
        while (atomic_load(&states) > 0) usleep(100);
    }
}

int main(void) {
    check_begin();
    each_call_is_freed_once();
    threads_are_used_again();
    what_was_left_wakes_nobody();
    an_answer_undoes_no_cancellation();
    a_full_queue_refuses();
    calls_outlive_the_executor();
    return 0;
}
