/* SPDX-License-Identifier: MIT
 *
 * The loop: a window of resumes, then timers, then the poll.
 */
#include "loop/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/heavy.h"
#include "loop/io.h"
#include "loop/pool.h"
#include "loop/scope.h"
#include "loop/task.h"

/* A poll that nothing but a signal or another thread could use is made once in so many windows. */
enum { IDLE_WINDOWS = 16 };

enum { NS_PER_MS = 1000000 };
/* Times below are reckoned in ns, which 64 bits hold; those above in ms. */
#define FINE_SECONDS 9e9

/* The first window of a run is short: nobody knows yet how long its tasks compute. */
enum { FIRST_WINDOW = 8 };

/* Resumes between two looks at the clock within a window. */
enum { CLOCK_RESUMES = 64 };

/* Bytes of what task.user points at: a coroutine and most of its stack, which the allocator puts behind it. */
enum { FETCHED = 384, CACHE_LINE = 64 };

_Thread_local executor *executor_running;

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void close_loop(uv_loop_t *loop) {
    uv_walk(loop, close_handle, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
}

/* libuv aborts the process where there are not descriptors enough for a loop and the pipe that its loops share. */
static int check_descriptors(void) {
    int pipes[2][2];
    int made = 0;
    while (made < 2 && pipe2(pipes[made], O_CLOEXEC) == 0) {
        made++;
    }
    int status = made == 2 ? 0 : uv_translate_sys_error(errno);
    while (made--) {
        close(pipes[made][0]);
        close(pipes[made][1]);
    }
    return status;
}

int executor_init(executor *ex) {
    memset(ex, 0, sizeof *ex);
    int status = check_descriptors();
    if (status < 0) {
        return status;
    }
    ex->scratch = malloc((size_t)EXECUTOR_BATCH * EXECUTOR_DATAGRAM);
    status = ex->scratch ? uv_loop_init(&ex->loop) : UV_ENOMEM;
    if (status < 0) {
        free(ex->scratch);
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
        close_loop(&ex->loop);
        free(ex->scratch);
        return status;
    }
    ex->root = ex;
    if (sched_getaffinity(0, sizeof ex->cpus, &ex->cpus) < 0) {
        CPU_ZERO(&ex->cpus);
        CPU_SET(0, &ex->cpus);
    }
    list_init(&ex->ready);
    list_init(&ex->heavy_waiters);
    list_init(&ex->dirty);
    list_init(&ex->ends);
    list_init(&ex->threads);
    wheel_timer_init(&ex->stop_grace.wheel);
    list_init(&ex->signal_waiters);
    slab_init(&ex->tasks, sizeof(task));
    slab_init(&ex->ios, sizeof(io));
    wheel_init(&ex->wheel, executor_now_ms(ex));
    return 0;
}

void executor_deinit(executor *ex) {
    while (!list_empty(&ex->io_open)) {
        io_close(list_entry(list_first(&ex->io_open), io, open));
    }
    io_release_closed(ex);
    poller_deinit(&ex->poller);
    pool_leave(ex->lookups);
    pool_leave(ex->blocking);
    close_loop(&ex->loop);
    inbox_deinit(&ex->inbox);
    slab_deinit(&ex->tasks);
    slab_deinit(&ex->ios);
    free(ex->scratch);
    if (ex->has_spare_pipe) {
        close(ex->spare_pipe[0]);
        close(ex->spare_pipe[1]);
    }
    list_init(&ex->ready);
    ex->current = NULL;
    ex->running = false;
    ex->closed = true;
}

uint64_t executor_now_ms(const executor *ex) {
    return ex->virtual ? ex->virtual_ms : uv_hrtime() / NS_PER_MS;
}

double executor_now(const executor *ex) {
    return ex->virtual ? (double)(ex->virtual_ms - ex->origin_ms) / 1e3 : (double)uv_hrtime() / 1e9;
}

double executor_wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void executor_set_virtual(executor *ex, bool on) {
    ex->virtual = on;
    slab_sort(&ex->tasks); /* a run of which nothing depends on those before */
    slab_sort(&ex->ios);
    ex->origin_ms = on; /* the wheel's time begins at 1 */
    ex->virtual_ms = ex->origin_ms;
    ex->virtual_wall = executor_wall();
    wheel_init(&ex->wheel, executor_now_ms(ex));
}

static uint64_t in_ms(uint64_t ns) {
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

uint64_t executor_deadline_ms(const executor *ex, double seconds) {
    if (!(seconds < FINE_SECONDS)) {
        return executor_now(ex) + seconds < EXECUTOR_NEVER_SECONDS
                   ? executor_now_ms(ex) + !ex->virtual + (uint64_t)ceil(seconds * 1e3)
                   : DEADLINE_NEVER;
    }
    uint64_t duration_ns = (uint64_t)(seconds * 1e9 + 0.5); /* 0.067 s is a little more than 67 ms; nobody means that */
    return ex->virtual ? ex->virtual_ms + in_ms(duration_ns) : in_ms(uv_hrtime() + duration_ns);
}

uint64_t executor_tick_ms(const executor *ex, double at) {
    if (!(at < EXECUTOR_NEVER_SECONDS)) {
        return DEADLINE_NEVER;
    }
    if (!(at < FINE_SECONDS)) {
        return ex->origin_ms + (uint64_t)ceil(at * 1e3);
    }
    return ex->origin_ms + (at > 0 ? in_ms((uint64_t)(at * 1e9 + 0.5)) : 0);
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
        memset(&t->turn, 0, sizeof t->turn);
        ex->current = t;
        if (!list_empty(&ex->ready)) { /* of many tasks, none is in the cache when its turn comes: fetch the next one */
            uintptr_t user = (uintptr_t)list_entry(ex->ready.next, task, place.link)->user;
            for (uintptr_t i = 0; i < FETCHED; i += CACHE_LINE) {
                __builtin_prefetch((const void *)(user + i));
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
    if (ex->virtual) {
        ex->resumes += resume_some(ex, EXECUTOR_WINDOW);
        return false;
    }
    uint64_t begin_ns = uv_hrtime(), elapsed_ns = 0;
    unsigned done = 0;
    while (done < ex->window && !list_empty(&ex->ready) && elapsed_ns <= EXECUTOR_WINDOW_NS) {
        unsigned left = ex->window - done;
        done += resume_some(ex, left < CLOCK_RESUMES ? left : CLOCK_RESUMES);
        elapsed_ns = uv_hrtime() - begin_ns;
    }
    ex->resumes += done;
    if (elapsed_ns <= EXECUTOR_WINDOW_NS) {
        ex->window = 2 * ex->window < EXECUTOR_WINDOW ? 2 * ex->window : EXECUTOR_WINDOW;
        return false;
    }
    ex->window = (unsigned)(done * EXECUTOR_WINDOW_NS / elapsed_ns);
    ex->window += ex->window == 0;
    return true;
}

/* Returns whether the wheel has done all its work up to now. */
static bool expire_timers(executor *ex) {
    if (!ex->wheel.count) {
        return true;
    }
    list expired;
    list_init(&expired);
    bool done = wheel_advance(&ex->wheel, executor_now_ms(ex), EXECUTOR_TIMER_BUDGET, &expired);
    while (!list_empty(&expired)) {
        timer *t = list_entry(list_pop_front(&expired), timer, wheel.link);
        t->expired(t);
    }
    return done;
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

static void poll_events(executor *ex, bool wait) {
    ex->skipped = 0;
    ex->polls++;
    flush_dirty(ex);
    bool sleeps = wait && inbox_sleep(&ex->inbox);
    poller_wait(&ex->poller, sleeps ? wait_ms(ex) : 0);
    if (sleeps) {
        inbox_awake(&ex->inbox);
    }
    if (inbox_has_mail(&ex->inbox)) {
        inbox_take(&ex->inbox);
    }
}

/* Virtual time moves on to the next deadline, unless something from outside has come meanwhile. */
static void skip_time(executor *ex) {
    if (ex->ios.live || ex->external || ex->thread_count || ++ex->skipped >= IDLE_WINDOWS) {
        poll_events(ex, false);
    }
    if (list_empty(&ex->ready)) {
        ex->virtual_ms = wheel_next_ms(&ex->wheel);
    }
}

/* Cancels the tasks that wait for signals. */
static void dismiss(executor *ex) {
    list waiting;
    list_init(&waiting);
    while (!list_empty(&ex->signal_waiters)) {
        list_push(&waiting, list_pop_front(&ex->signal_waiters));
    }
    while (!list_empty(&waiting)) {
        list *node = list_pop_front(&waiting);
        list_push(&ex->signal_waiters, node); /* it stays there if it is beneath a shield */
        ex->dismissed = true;
        task_cancel(list_entry(node, task, place.link));
    }
}

/* Nothing is left that could wake a task, but threads and signals. False: nor are they. */
static bool wait_idle(executor *ex) {
    poll_events(ex, false); /* a signal may have come, or the last thread's end */
    if (!list_empty(&ex->ready) || (!ex->tasks.live && !ex->thread_count)) {
        return true;
    }
    if (ex->on_idle && ex->on_idle(ex, true)) {
        poll_events(ex, true);
        if (!list_empty(&ex->ready)) {
            ex->on_idle(ex, false);
        }
        return true;
    }
    dismiss(ex);
    return !list_empty(&ex->ready) || ex->thread_count;
}

bool executor_run(executor *ex) {
    executor *outer = executor_running;
    bool ended = false;
    executor_running = ex;
    ex->running = true;
    ex->window = FIRST_WINDOW;
    for (;;) {
        bool took_long = run_window(ex);
        heavy_turn(ex);
        if (ex->turn_end) {
            ex->turn_end(ex);
        }
        io_release_closed(ex);
        ended = !ex->tasks.live && !ex->thread_count;
        if (ended) {
            io_close_idle(ex);
            io_release_closed(ex);
            break;
        }
        bool timers_done = expire_timers(ex);
        if (!list_empty(&ex->ready) || !timers_done) {
            if (took_long || ex->ios.live || ex->external || ++ex->skipped >= IDLE_WINDOWS) {
                poll_events(ex, false);
            }
        } else if (ex->virtual && ex->wheel.count) {
            skip_time(ex);
        } else if (ex->wheel.count || ex->external) {
            poll_events(ex, true);
        } else if (!wait_idle(ex)) {
            break;
        }
    }
    ex->running = false;
    ex->stopping &= !ended;
    executor_running = outer;
    return ended;
}

void executor_stop(executor *ex) {
    ex->stopping = true;
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor));) {
        if (!t->parent || !t->parent->task) { /* a child is reached through its parent, unless a shield is between */
            task_cancel(t);
        }
    }
    if (ex->on_stop) {
        ex->on_stop(ex);
    }
}
