/* SPDX-License-Identifier: MIT
 *
 * The loop: a window of resumes, then timers, then the poll.
 */
#include "loop/executor.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/heavy.h"
#include "loop/dismiss.h"
#include "loop/drain.h"
#include "loop/io.h"
#include "loop/libuv.h"
#include "loop/pool.h"
#include "loop/scope.h"
#include "loop/inside/turn.h"

enum {
    IDLE_WINDOWS = 16,  /* in so many, one poll that nothing but a signal or another thread could use */
    FIRST_WINDOW = 8,   /* resumes: nobody knows yet how long the tasks of a run compute */
    CLOCK_RESUMES = 64, /* between two looks at the clock within a window */
    FETCHED = 384,      /* bytes of what task.user points at: a coroutine and most of its stack, put behind it */
    CACHE_LINE = 64,
};

_Thread_local executor *executor_running;

int executor_init(executor *ex) {
    memset(ex, 0, sizeof *ex);
    ex->scratch.bytes = malloc((size_t)EXECUTOR_BATCH * EXECUTOR_DATAGRAM);
    int status = ex->scratch.bytes ? libuv_open(&ex->loop) : UV_ENOMEM;
    if (status < 0) {
        free(ex->scratch.bytes);
        return status;
    }
    status = inbox_init(&ex->inbox);
    if (status == 0) {
        status = io_poll_init(ex);
        if (status < 0) {
            inbox_deinit(&ex->inbox);
        }
    }
    if (status < 0) {
        libuv_close(&ex->loop);
        free(ex->scratch.bytes);
        return status;
    }
    if (sched_getaffinity(0, sizeof ex->cpus, &ex->cpus) < 0) {
        CPU_ZERO(&ex->cpus);
        CPU_SET(0, &ex->cpus);
    }
    list_init(&ex->ready);
    list_init(&ex->heavy.waiters);
    list_init(&ex->drivers);
    list_init(&ex->dirty);
    list_init(&ex->ends);
    ex->threads.grace = EXECUTOR_GRACE;
    list_init(&ex->threads.children);
    list_init(&ex->processes.owned);
    wheel_timer_init(&ex->threads.drain_grace.wheel);
    wheel_timer_init(&ex->threads.stop_grace.wheel);
    list_init(&ex->threads.driver.link);
    list_init(&ex->signals.waiters);
    list_init(&ex->holder.link);
    dump_init(&ex->dump);
    snapshot_init(&ex->snapshot);
    slab_init(&ex->tasks, sizeof(task));
    slab_init(&ex->ios, sizeof(io));
    wheel_init(&ex->wheel, executor_now_ms(ex));
    return 0;
}

/* Takes every task out of what it waits in and belongs to: queues, scopes and what select waits in live on, as long as they
 * are known to somebody else. */
static void end_tasks(executor *ex) {
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor));) {
        if (t->state == TASK_WAITING) {
            task_wake(t, WAKE_NONE);
        }
        if (t->state != TASK_ENDED) { /* else there was no memory to start it, and it has no place */
            list_remove(&t->place.link);
        }
        task_end(t);
    }
}

void executor_deinit(executor *ex) {
    if (ex->running) { /* os.exit(code, true) in a task: other threads must not ask what is being taken down */
        holder_leave(ex);
    }
    snapshot_deinit(ex);
    end_tasks(ex);
    io_close_all(ex);
    poller_deinit(&ex->poller);
    pools_leave(ex);
    if (!ex->poller.failed) { /* else libuv, which aborts where it can't poll, might have lost its descriptors too */
        libuv_close(&ex->loop);
    }
    inbox_deinit(&ex->inbox);
    slab_deinit(&ex->tasks);
    free(ex->names.of);
    slab_deinit(&ex->ios);
    free(ex->scratch.burst);
    free(ex->scratch.bytes);
    if (ex->spare_pipe.there) {
        close(ex->spare_pipe.ends[0]);
        close(ex->spare_pipe.ends[1]);
    }
    drain_reset(ex);
    list_init(&ex->ready);
    ex->current = NULL;
    stall_end(ex);
    dump_deinit(&ex->dump);
    ex->running = false;
    ex->closed = true;
}

/* What the tasks that ran have written for other threads is told them. */
static void flush_dirty(executor *ex) {
    if (!list_empty(&ex->dirty)) {
        inbox_flush(&ex->dirty);
    }
}

/* Resumes ready tasks, at most n: how many. Mail is taken between them. */
static unsigned resume_some(executor *ex, unsigned n) {
    unsigned left = n;
    for (; left && !list_empty(&ex->ready); left--) {
        task *t = list_entry(list_take_first(&ex->ready), task, place.link);
        t->state = TASK_RUNNING;
        t->coop.stamp = ex->stamp;
        t->place.resumes++;
        ex->current = t;
        if (!list_empty(&ex->ready)) { /* of many tasks, none is in the cache when its turn comes: fetch the next one */
#pragma GCC unroll 8
            for (unsigned i = 0; i < FETCHED; i += CACHE_LINE) {
                __builtin_prefetch((const char *)list_entry(ex->ready.next, task, place.link)->user + i);
            }
        }
        ex->resume(t);
        flush_dirty(ex);
        if (inbox_has_mail(&ex->inbox)) {
            ex->current = NULL;
            inbox_take(&ex->inbox);
        }
    }
    ex->current = NULL;
    return n - left;
}

/* Runs a window: at most EXECUTOR_WINDOW resumes, and no more than about EXECUTOR_WINDOW_NS. The clock is read now and then,
 * so a window whose tasks compute for long makes the next one shorter. Virtual time knows no such hurry, nor may the order
 * depend on it. Returns whether it took long. */
static bool run_window(executor *ex) {
    if (ex->clock.virtual) {
        executor_stamp(ex, ex->clock.now_ms);
        ex->counters.resumes += resume_some(ex, EXECUTOR_WINDOW);
        return false;
    }
    uint64_t begin_ns = uv_hrtime(), elapsed_ns = 0;
    unsigned done = 0;
    executor_stamp(ex, begin_ns / EXECUTOR_NS_PER_MS);
    turn_begin(ex, begin_ns);
    while (done < ex->window && !list_empty(&ex->ready) && elapsed_ns <= EXECUTOR_WINDOW_NS) {
        unsigned left = ex->window - done;
        done += resume_some(ex, left < CLOCK_RESUMES ? left : CLOCK_RESUMES);
        uint64_t now_ns = uv_hrtime();
        executor_stamp(ex, now_ns / EXECUTOR_NS_PER_MS);
        turn_look(ex, now_ns);
        elapsed_ns = now_ns - begin_ns;
    }
    turn_end(ex, done, elapsed_ns);
    if (elapsed_ns <= EXECUTOR_WINDOW_NS) {
        ex->window = 2 * ex->window < EXECUTOR_WINDOW ? 2 * ex->window : EXECUTOR_WINDOW;
        return false;
    }
    ex->window = (unsigned)(done * EXECUTOR_WINDOW_NS / elapsed_ns);
    ex->window += ex->window == 0;
    return true;
}

/* How long a poll may wait for the wheel's next deadline. */
static int wait_ms(const executor *ex) {
    if (!ex->wheel.count) {
        return -1;
    }
    uint64_t due_ms = wheel_next_ms(&ex->wheel), now_ms = executor_now_ms(ex);
    uint64_t ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* How many events were told; see poller.h. */
static int poll_events(executor *ex, bool wait) {
    ex->skipped = 0;
    ex->counters.polls++;
    flush_dirty(ex);
    bool sleeps = wait && inbox_sleep(&ex->inbox);
    int told = poller_wait(&ex->poller, sleeps ? wait_ms(ex) : 0);
    inbox_awake(&ex->inbox);
    if (told < 0) {
        poller_count_failure(&ex->poller, ex->counters.polls, told);
    }
    if (inbox_has_mail(&ex->inbox)) {
        inbox_take(&ex->inbox);
    }
    return told;
}

/* Whether the wheel is done up to now. late: tasks have computed for long; what came meanwhile goes before the deadlines that have
 * passed, but for those that were over when the wheel was last asked: else a byte a turn would put one off for ever. */
static bool expire_timers(executor *ex, bool late) {
    for (; ex->wheel.count; late = false) {
        list expired;
        list_init(&expired);
        uint64_t now_ms = late ? ex->wheel.now_ms : executor_now_ms(ex);
        bool done = wheel_advance(&ex->wheel, now_ms, EXECUTOR_TIMER_BUDGET, &expired);
        for (list *node; (node = list_pop_front(&expired));) {
            timer_expire(ex, list_entry(node, timer, wheel.link));
        }
        if (!late) {
            return done;
        }
        for (uint64_t told = 0; told <= ex->ios.live && poll_events(ex, false) == POLLER_EVENTS;) {
            told += POLLER_EVENTS;
        }
    }
    return true;
}

/* Virtual time moves on to the next deadline, unless something from outside has come meanwhile. */
static void skip_time(executor *ex) {
    if (ex->ios.live || ex->keepalive || ex->threads.count || ++ex->skipped >= IDLE_WINDOWS) {
        poll_events(ex, false);
    }
    if (list_empty(&ex->ready)) {
        ex->clock.now_ms = wheel_next_ms(&ex->wheel);
    }
}

static void after_window(executor *ex) {
    for (list *node = ex->drivers.next; node != &ex->drivers; node = node->next) {
        const driver *d = list_entry(node, driver, link);
        if (d->after_window) {
            d->after_window(ex);
        }
    }
}

/* Whether a driver wants to wait. */
static bool tell_idle(executor *ex, bool idle) {
    bool waits = false;
    for (list *node = ex->drivers.next; node != &ex->drivers; node = node->next) {
        const driver *d = list_entry(node, driver, link);
        if (d->on_idle && d->on_idle(ex, idle)) {
            waits = true;
        }
    }
    return waits;
}

/* Nothing is left that could wake a task, but threads and signals. False: nor are they. */
static bool wait_idle(executor *ex) {
    poll_events(ex, false); /* a signal may have come, or the last thread's end */
    if (!list_empty(&ex->ready) || (!ex->tasks.live && !ex->threads.count)) {
        return true;
    }
    if (tell_idle(ex, true)) {
        poll_events(ex, true);
        if (!list_empty(&ex->ready)) {
            tell_idle(ex, false);
        }
        return true;
    }
    if (drain_announce(ex)) {
        return true;
    }
    dismiss_signalled(ex);
    return !list_empty(&ex->ready) || ex->threads.count;
}

bool executor_run(executor *ex) {
    executor *outer = executor_running;
    bool ended = false;
    executor_running = ex;
    ex->running = true;
    if (outer) {
        holder_leave(outer);
    }
    holder_enter(ex);
    snapshot_enter(ex);
    ex->window = FIRST_WINDOW;
    do {
        heavy_turn(ex);
        bool took_long = run_window(ex);
        after_window(ex);
        if (ex->io_closed) {
            io_release_closed(ex);
        }
        if (ex->daemons) {
            dismiss_daemons(ex);
        }
        ended = !ex->tasks.live && !ex->threads.count;
        if (ended) {
            io_close_idle(ex);
            io_release_closed(ex);
            break;
        }
        bool timers_done = expire_timers(ex, took_long);
        if (!list_empty(&ex->ready) || !timers_done || !list_empty(&ex->heavy.waiters)) {
            if (took_long || ex->ios.live || ex->keepalive || ++ex->skipped >= IDLE_WINDOWS) {
                poll_events(ex, false);
            }
        } else if (ex->clock.virtual && ex->wheel.count) {
            skip_time(ex);
        } else if (ex->wheel.count || ex->keepalive) {
            poll_events(ex, true);
        } else if (!wait_idle(ex)) {
            break;
        }
    } while (!ex->poller.failed || (ex->stopping && !list_empty(&ex->ready)));
    snapshot_leave(ex);
    holder_leave(ex);
    if (outer) {
        holder_enter(outer);
    }
    ex->running = false;
    if (ended) {
        ex->stopping = false;
        drain_reset(ex);
    }
    executor_running = outer;
    return ended;
}

void executor_add_driver(executor *ex, driver *d) {
    if (!list_linked(&d->link)) {
        list_push(&ex->drivers, &d->link);
    }
}

void executor_stop(executor *ex) {
    poller_flush(&ex->poller); /* else what was written in this turn were cut */
    ex->stopping = true;
    drain_announce(ex);
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor));) {
        if (!t->parent || !t->parent->task) { /* a child is reached through its parent, unless a shield is between */
            task_cancel(t);
        }
    }
    for (list *node = ex->drivers.next; node != &ex->drivers; node = node->next) {
        const driver *d = list_entry(node, driver, link);
        if (d->on_stop) {
            d->on_stop(ex);
        }
    }
}
