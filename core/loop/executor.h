/* SPDX-License-Identifier: MIT
 *
 * The executor: one thread's ready queue, clock, timers and poll.
 *
 *   ready queue --first in, first out, 128 a window--> resume(task) --> parks | yields | ends
 *        ^                                                               |        |
 *        |  <---- expired deadlines ---- wheel <---- deadline -----------+        |
 *        |  <---- readiness ----------- poller <---- descriptor ---------+        |
 *        +------------------------------------------------------------------------+
 *
 * It knows a task as a slot and one function that runs it, and so runs without Lua. Nothing here is shared: every
 * function belongs to the thread that calls executor_run; other threads have its inbox.
 */
#pragma once
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "include/momo.h"
#include "loop/inside/dump.h"
#include "loop/inside/holder.h"
#include "loop/inbox.h"
#include "loop/poller/poller.h"
#include "loop/inside/snapshot.h"
#include "loop/inside/stall.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/wheel.h"

enum {
    EXECUTOR_WINDOW = 128,        /* resumes before I/O and timers get their turn, */
    EXECUTOR_WINDOW_NS = 1000000, /* or fewer, when they take longer than this */
    EXECUTOR_NS_PER_MS = 1000000,
    EXECUTOR_TIMER_BUDGET = 4096,               /* timers moved in one turn */
    EXECUTOR_SIGNALS = 31,                      /* that there are; no real-time ones */
    EXECUTOR_SCRATCH = 64 * 1024,               /* the most that one read returns, where it names no other limit; */
    EXECUTOR_BEYOND = 4 * 1024,                 /* room behind: so much exactly would look like a part of more */
    EXECUTOR_GRACE = 3,                         /* seconds that a thread has to hear of a stop, where nothing is said */
    EXECUTOR_FAILURE = 1024,                    /* bytes of the text of a failure */
    EXECUTOR_BATCH = 16,                        /* datagrams that one call takes, */
    EXECUTOR_DATAGRAM = EXECUTOR_SCRATCH + 256, /* and the place of each: its bytes, and what is known of it */
    EXECUTOR_STAMP_SHIFT = 24,                  /* bits of a stamp that are 0 */
};
#define DEADLINE_NEVER UINT64_MAX

typedef struct momo_executor executor;
struct task;
struct io;
struct thread;

/* A pending deadline, and what is to happen then. A task's timer has its executor in place of a function. */
typedef struct timer {
    wheel_timer wheel;
    union {
        void (*expired)(struct timer *);
        executor *wakes;
    };
} timer;

/* What takes part in an executor's turns. Each function may be NULL. */
typedef struct driver {
    list link; /* in executor.drivers */
    void (*after_window)(executor *);
    void (*on_drain)(executor *); /* the first phase of a stop has begun (drain.h) */
    void (*on_stop)(executor *);  /* the executor's tasks have been cancelled */
    /* idle: nothing but signals can wake a task. Whether to wait, for a signal or for other threads. Not idle: it has waited,
     * and something came. */
    bool (*on_idle)(executor *, bool idle);
} driver;

struct momo_executor {
    list ready;
    struct task *current; /* the task that runs now; NULL between resumes */
    void (*resume)(struct task *);
    void *user; /* of who set resume */
    list drivers;

    uint64_t stamp;      /* the clock in ms, as it was last read for a window, << EXECUTOR_STAMP_SHIFT: see task.turn */
    struct meter *meter; /* while what each task runs is measured (meter.h); else NULL */

    slab tasks;
    struct {
        const char **of; /* by the task's index: task_name_of */
        uint32_t count;
    } names;
    slab ios;
    wheel wheel;
    struct io *io_closed; /* those that were closed while a task ran */
    list io_idle;         /* those that nobody uses for now (io.h) */

    bool running;
    bool stopping;      /* until the run ends: tasks are cancelled from birth */
    bool closed;        /* deinit has been called */
    bool dismissed;     /* tasks that waited for signals were cancelled, since nothing else could happen */
    unsigned window;    /* resumes in the next one */
    unsigned skipped;   /* windows since the last poll */
    unsigned keepalive; /* tasks that wait for what comes from outside: descriptors, look-ups */
    unsigned daemons;   /* tasks that keep no run alive */

    struct {
        bool begun;               /* until the run ends: a stop has begun, by its first phase or without one */
        unsigned serving;         /* those who serve */
        unsigned holds;           /* of those who serve, and threads that do: the second phase waits for them */
        void (*over)(executor *); /* what ends the first phase; NULL: there is none */
        list *waiters;            /* tasks that wait for `begun`, and then for the second phase; NULL: none yet */
    } drain;

    struct {
        list waiters;       /* tasks whose work takes long (heavy.h) */
        unsigned steps;     /* that were made in this round, or are promised */
        uint64_t round_end; /* when there were so many resumes */
        uint64_t step_ns;   /* that one is expected to take */
    } heavy;

    struct {
        const char *name; /* of the last failure that has words of its own (IO_FAILURE), or NULL */
        char text[EXECUTOR_FAILURE];
    } failure;

    struct {
        bool virtual;       /* time stands still while a task is ready, and then moves straight to the next deadline */
        uint64_t now_ms;    /* the time, if it is virtual */
        uint64_t origin_ms; /* the time that is shown as 0 */
        double wall;        /* seconds since 1970 when that was 0 */
    } clock;

    struct {
        uint64_t spawned, resumes, polls, stale_events, collected, bytes_in, bytes_out, accepts, accept_failures,
            handshakes, handshake_failures, requests, responses[MOMO_STATUS_CLASSES];
        momo_histogram turns, delays;
    } counters; /* as momo_metrics has them */

    struct {
        const struct task *watched;   /* the one whose turn is waited for, or NULL; */
        uint32_t generation, resumes; /* its own, before that; */
        uint64_t since_ns;
    } turn; /* turn.h */

    struct {
        char *bytes;         /* where reads land: what is not written to costs no memory */
        struct io *holder;   /* whose unread bytes lie there, or NULL */
        struct burst *burst; /* what recvmmsg(2) is told (net/udp.c); or NULL: nothing was received yet */
        bool lent;           /* a datagram is being copied, there or elsewhere: what a finalizer does may not move it */
    } scratch;

    struct {
        int ends[2]; /* an empty pipe for copies (net/copy.h) */
        bool there;
    } spare_pipe;

    poller poller;
    inbox inbox;        /* what other threads tell this one */
    holder holder;      /* what they can learn of it while it is in a task */
    dump dump;          /* what somebody outside asks of it */
    stall stall;        /* who holds its thread for long */
    snapshot snapshot;  /* what it counts, for others */
    list dirty;         /* dirty_entry: what its tasks have written for other threads since the last flush */
    list ends;          /* of channels between threads */
    cpu_set_t cpus;     /* that the process may use; a pinned thread's own set is smaller */
    struct pool *pools; /* threads for calls that block (pool.h) */
    struct {
        uint64_t spawned; /* by its tasks: the last one's number */
        list owned; /* those that run and whose end their tasks wait for, but for detached ones: process/child.h */
    } processes;

    struct {
        double grace;       /* seconds that those it started have to hear of a stop */
        struct thread *own; /* that this executor runs on, where another one started it */
        list children;      /* that this executor started and whose end it has not seen yet */
        unsigned count;     /* of these: they keep a run alive */
        timer drain_grace;  /* pending after they were told to drain; who has not heard by then is not waited for */
        timer stop_grace;   /* pending after they were told to stop; who has not heard by then is left behind */
        driver driver;
    } threads;

    /* For signals. No uv_timer_t (we have a wheel), no handle whose start would make it watch a further descriptor (that takes
     * effect in uv_run only), and none that is unreferenced (uv_run does nothing for those alone). */
    uv_loop_t loop;
    struct {
        list waiters;                           /* tasks that wait for some, which keeps no run alive (signals.c) */
        uint64_t kept;                          /* that came and that no task has taken yet: bit number - 1 */
        uint64_t watched;                       /* for which there is a watcher */
        uv_signal_t watchers[EXECUTOR_SIGNALS]; /* each at number - 1 */
        bool pipe_expected;                     /* SIGPIPE is of a stream's write, which fails (net/transport.h) */
        uv_signal_t stop[2];                    /* SIGINT, SIGTERM (signals_stop) */
    } signals;
};

/* The executor that runs on this thread, or NULL. */
extern _Thread_local executor *executor_running;

/* 0, or a negative UV_E*; then nothing is left behind. It must not move. */
int executor_init(executor *);
/* Closes what is open and frees everything; tasks that have not ended are forgotten. Tokens stay safe to ask for. */
void executor_deinit(executor *);

/* Takes the real clock again, or a virtual one that begins at 0. No timer may be pending. */
void executor_set_virtual(executor *, bool);
/* Runs until every task and thread has ended: true. Tasks that wait for signals are cancelled when nothing else can
 * happen, on any thread. False: every task waits for another one, and nothing can happen that
 * would wake any; they stay parked, and a further call goes on with what was changed meanwhile. So too where the poller
 * has failed for good (poller.failed): a call that comes after a stop runs what is ready. */
bool executor_run(executor *);

/* Cancels every task, those yet to be spawned too. A stop that lets those who serve come to an end first: drain_begin. */
void executor_stop(executor *);
/* From now on the driver, whose link is on no list or on this one, takes part. It must live as long as the executor. */
void executor_add_driver(executor *, driver *);

static inline uint64_t executor_now_ms(const executor *ex) {
    return ex->clock.virtual ? ex->clock.now_ms : uv_hrtime() / EXECUTOR_NS_PER_MS;
}
/* The clock was read. */
static inline void executor_stamp(executor *ex, uint64_t now_ms) {
    ex->stamp = now_ms << EXECUTOR_STAMP_SHIFT;
}
/* The time that tasks are told, in seconds. */
double executor_now(const executor *);
/* Seconds since 1970, of the real clock. */
double executor_wall(void);
/* What lasts until this time (30 million years), or longer, has no end: DEADLINE_NEVER. */
#define EXECUTOR_NEVER_SECONDS 1e15
/* The tick at which `seconds` from now have passed, never earlier. */
uint64_t executor_deadline_ms(const executor *, double seconds);
/* What executor_now says at a tick. */
double executor_time_of(const executor *, uint64_t ms);
/* The tick at which executor_now is `at`, or a little more. */
uint64_t executor_tick_ms(const executor *, double at);
