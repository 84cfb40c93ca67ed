/* SPDX-License-Identifier: MIT
 *
 * A random workload for the executor: tasks spawn, yield, park, join, wake, cancel and end. An oracle that knows nothing
 * but an array of tasks and one queue says which of them must be next, and what it must be told. */
#include "loop/task.h"

#include "fixture.h"

#include <string.h>

enum { TASKS = 64, STEPS = 1000000 };
enum state { FREE, READY, WAITING };

/* The oracle. The slab hands out the slot released last, so that TASKS slots are all there are. */
static struct record {
    enum state state;
    task *task;
    uint64_t id;
    enum wake wake;       /* READY: what it must be told */
    bool cancelled;       /* cancellation was asked for */
    uint64_t deadline_ms; /* WAITING: or DEADLINE_NEVER */
    enum wake expiry;
    struct record *joins; /* WAITING: for the end of that one, or NULL */
    uint64_t since;       /* WAITING: its number among all waits */
} records[TASKS];

static struct record *queue[TASKS];
static unsigned queued, live;
static uint64_t waits, steps, expired, deadlocks, stops, in_window;
static uint64_t turn_end_ms;
static bool timers_due; /* the window has ended: deadlines are looked at before the next resume */

static void enqueue(struct record *r, enum wake wake) {
    r->state = READY;
    r->wake = wake;
    queue[queued++] = r;
}

static struct record *dequeue(void) {
    struct record *first = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    return first;
}

static struct record *any(enum state state) {
    struct record *r = &records[check_below(TASKS)];
    return r->state == state ? r : NULL;
}

static void add_task(void) {
    if (live == TASKS) return;
    task *t = spawn();
    CHECK(t->head.index < TASKS && t->state == TASK_READY && t->wake == WAKE_NONE);
    struct record *r = &records[t->head.index];
    CHECK(r->state == FREE && r->id != slab_id(&t->head));
    *r = (struct record){.task = t, .id = slab_id(&t->head), .cancelled = ex->stopping};
    CHECK(t->cancelled == r->cancelled && task_get(ex, r->id) == t);
    t->user = r;
    live++;
    enqueue(r, WAKE_NONE);
}

static void cancel(struct record *r) {
    task_cancel(r->task);
    if (!r->cancelled && r->state == WAITING) enqueue(r, WAKE_CANCEL);
    r->cancelled = true;
}

/* All are cancelled, in the order of their slots. */
static void stop(void) {
    stops++;
    executor_stop(ex);
    for (struct record *r = records; r < records + TASKS; r++) {
        if (r->state == FREE) continue;
        if (!r->cancelled && r->state == WAITING) enqueue(r, WAKE_CANCEL);
        r->cancelled = true;
    }
}

static void end(struct record *r) {
    task_end(r->task);
    r->state = FREE;
    live--;
    CHECK(task_get(ex, r->id) == NULL);
    for (;;) { /* those who join it, first come first */
        struct record *first = NULL;
        for (struct record *j = records; j < records + TASKS; j++) {
            if (j->state == WAITING && j->joins == r && (!first || j->since < first->since)) first = j;
        }
        if (!first) return;
        enqueue(first, WAKE_NONE);
    }
}

static void park(struct record *r) {
    static const enum wake expiries[] = {WAKE_NONE, WAKE_TIMEOUT, WAKE_READY};
    r->state = WAITING;
    r->since = waits++;
    r->expiry = expiries[check_below(3)];
    r->deadline_ms = check_below(4) == 0 ? DEADLINE_NEVER : executor_deadline_ms(ex, (double)check_below(3000) / 1e6);
    struct record *other = check_below(3) == 0 ? &records[check_below(TASKS)] : NULL;
    r->joins = other && other != r && other->state != FREE ? other : NULL;
    task_park(r->task, "test", r->deadline_ms, r->expiry);
    if (r->joins) list_push(&r->joins->task->joiners, &r->task->place.link);
    CHECK(r->task->state == TASK_WAITING);
}

/* Those whose deadline has passed are ready, in the order of their deadlines. None is early; none that was due when the
 * last window ended is missing. */
static void see_expired(void) {
    uint64_t now_ms = executor_now_ms(ex);
    timers_due = false;
    for (;;) {
        struct record *first = NULL;
        for (struct record *r = records; r < records + TASKS; r++) {
            if (r->state != WAITING || r->task->state == TASK_WAITING) continue;
            if (!first || r->deadline_ms < first->deadline_ms ||
                (r->deadline_ms == first->deadline_ms && r->since < first->since))
                first = r;
        }
        if (!first) break;
        CHECK(first->deadline_ms <= now_ms);
        expired++;
        enqueue(first, first->expiry);
    }
    for (struct record *r = records; r < records + TASKS; r++) {
        if (r->state == WAITING) CHECK(r->deadline_ms > turn_end_ms);
    }
}

static void verify(void) {
    CHECK_INVARIANTS(slab_check(&ex->tasks));
    CHECK_INVARIANTS(wheel_check(&ex->wheel));
    size_t timers = 0;
    const list *node = ex->ready.next;
    for (unsigned i = 0; i < queued; i++, node = node->next) CHECK(node == &queue[i]->task->place.link);
    CHECK(node == &ex->ready && ex->tasks.live == live);
    for (struct record *r = records; r < records + TASKS; r++) {
        if (r->state != FREE) CHECK(r->task->cancelled == r->cancelled);
        timers += r->state == WAITING && r->deadline_ms != DEADLINE_NEVER;
    }
    CHECK(ex->wheel.count == timers);
}

static void random_resume(task *t) {
    if (timers_due) see_expired();
    CHECK(++in_window <= EXECUTOR_WINDOW && ex->running && executor_running == ex && ex->current == t);
    CHECK(queued > 0);
    struct record *r = dequeue();
    CHECK(r->task == t && t->user == r && slab_id(&t->head) == r->id);
    CHECK(t->state == TASK_RUNNING && t->wake == (int8_t)r->wake && t->cancelled == r->cancelled);
    t->wake = WAKE_NONE;
    steps++;

    for (unsigned n = (unsigned)check_below(4); n > 0; n--) {
        struct record *other;
        switch (check_below(12)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            if (steps < STEPS) add_task();
            break;
        case 5:
        case 6:
        case 7:
            other = any(WAITING);
            if (other) {
                enum wake wake = check_below(2) == 0 ? WAKE_READY : WAKE_CLOSED;
                task_wake(other->task, wake);
                enqueue(other, wake);
            }
            break;
        case 8:
        case 9:
            other = any(check_below(2) == 0 ? WAITING : READY);
            if (other) cancel(other);
            break;
        case 10: cancel(r); break;
        default:
            if (check_below(2000) == 0) stop();
        }
    }

    unsigned choice = (unsigned)check_below(steps < STEPS ? 8 : 16);
    if (choice < 3 && !(r->cancelled && check_below(2) == 0)) {
        park(r);
    } else if (choice < 6) {
        enum wake wake = check_below(2) == 0 ? WAKE_NONE : WAKE_AGAIN;
        task_yield(t, wake);
        enqueue(r, wake);
    } else {
        end(r);
    }
    if (steps % 16 == 0) verify();
}

static void random_turn_end(executor *of) {
    CHECK(of == ex && ex->current == NULL && (in_window > 0 || queued == 0));
    in_window = 0;
    turn_end_ms = executor_now_ms(ex);
    timers_due = true;
}

/* Everyone waits for somebody else. */
static void deadlock(void) {
    deadlocks++;
    CHECK(live > 0 && queued == 0 && ex->tasks.live == live && !ex->running && executor_running == NULL);
    for (struct record *r = records; r < records + TASKS; r++) {
        CHECK(r->state == FREE || (r->state == WAITING && r->deadline_ms == DEADLINE_NEVER));
    }
    verify();
    CHECK(!executor_run(ex)); /* asked again, it says the same */
    if (check_below(2) == 0) {
        struct record *r;
        while (!(r = any(WAITING))) {
        }
        task_wake(r->task, WAKE_READY);
        enqueue(r, WAKE_READY);
    } else {
        stop();
        for (struct record *r = records; r < records + TASKS; r++) { /* those that were cancelled before still wait */
            if (r->state != WAITING) continue;
            task_wake(r->task, WAKE_CANCEL);
            enqueue(r, WAKE_CANCEL);
        }
    }
}

static void random_workload(void) {
    begin(random_resume);
    static driver d = {.after_window = random_turn_end};
    list_init(&d.link);
    executor_add_driver(ex, &d);
    while (steps < STEPS || !(expired > 0 && deadlocks > 0 && stops > 0)) { /* deadlocks are rare: about two in all */
        CHECK(steps < 100ull * STEPS);
        do add_task();
        while (check_below(TASKS) != 0 && live < TASKS);
        uint64_t resumes = ex->counters.resumes, before = steps;
        while (!executor_run(ex)) deadlock();
        CHECK(live == 0 && queued == 0 && ex->counters.resumes - resumes == steps - before);
    }
    finish();
}

int main(void) {
    check_begin();
    random_workload();
    return 0;
}
