/* SPDX-License-Identifier: MIT
 *
 * Stalls: see stall.h.
 */
#include "loop/inside/stall.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loop/inside/holder.h"
#include "loop/inside/incidents.h"
#include "loop/task.h"
#include "loop/inside/watchdog.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    TICKS = 4,              /* in a limit */
    AGAIN = 10,             /* how much longer it has to be until the same one is told again */
    PAUSE_MS = 1000,        /* between two that are told of an executor */
    SIGNAL_FROM_THE_TOP = 4 /* of the real-time signals, behind the holder's */
};

static uint64_t ns_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The id of the task as it is shown is for whoever knows it to tell. */
static uint64_t shown_id(const executor *ex) {
    holder_answer answer = {.id = 0};
    if (ex->holder.kind) {
        ex->holder.kind->name(ex, &answer);
    }
    return answer.id;
}

static void look(executor *ex, task *t) {
    stall *s = &ex->stall;
    uint64_t now_ns = ns_of(CLOCK_THREAD_CPUTIME_ID), id = slab_id(&t->head);
    if (s->task != id || s->resumes != t->place.resumes) {
        s->task = id;
        s->resumes = t->place.resumes;
        s->since_ns = now_ns;
        s->next_ns = s->limit_ns;
    } else if (now_ns - s->since_ns >= s->next_ns && ex->tasks.live > 1 && !atomic_load(&s->to_tell)) {
        s->held_ns = now_ns - s->since_ns;
        s->next_ns = AGAIN * s->held_ns;
        s->id = shown_id(ex);
        atomic_store(&s->to_tell, true);
        watchdog_wake();
    }
}

/* On the executor's thread, wherever that is. */
static void on_tick(int number) {
    (void)number;
    int error = errno;
    executor *ex = executor_running;
    if (ex && ex->stall.runs) {
        if (ex->current) {
            look(ex, ex->current);
        } else {
            ex->stall.task = 0;
        }
    }
    errno = error;
}

void stall_begin(executor *ex) {
    stall *s = &ex->stall;
    if (!s->limit_ns || s->runs || watchdog_start() < 0) {
        return;
    }
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX - SIGNAL_FROM_THE_TOP};
    event.sigev_notify_thread_id = gettid();
    if (sigaction(event.sigev_signo, &action, NULL) < 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &s->timer) < 0) {
        return;
    }
    s->task = 0;
    s->runs = true;
    uint64_t tick_ns = s->limit_ns / TICKS;
    struct timespec tick = {.tv_sec = (time_t)(tick_ns / 1000000000), .tv_nsec = (long)(tick_ns % 1000000000)};
    timer_settime(s->timer, 0, &(struct itimerspec){.it_interval = tick, .it_value = tick}, NULL);
}

/* ---- on the watchdog ---- */

static void say(const stall *s, const holder_answer *a, uint64_t held_ms) {
    char where[HOLDER_SAID] = "", text[2 * HOLDER_SAID], more[64] = "";
    if (a->how > HOLDER_SILENT && a->id == s->id) {
        holder_describe(a, where);
    } else {
        snprintf(where, sizeof where, "task %llu", (unsigned long long)s->id);
    }
    if (s->untold) {
        snprintf(more, sizeof more, " (and %u more since the last one)", s->untold);
    }
    int size = snprintf(text, sizeof text, "momo: stall: for %llu ms no other task could run: %s%s\n",
                        (unsigned long long)held_ms, where, more);
    (void)!write(STDERR_FILENO, text, (size_t)size);
    incidents_add("stall", text + sizeof "momo: stall:");
}

/* One that is to be told. runs: who holds the thread can be asked. */
static void tell_of(executor *ex, bool runs) {
    stall *s = &ex->stall;
    uint64_t now_ms = ns_of(CLOCK_MONOTONIC) / EXECUTOR_NS_PER_MS;
    if (s->told_ms && now_ms - s->told_ms < PAUSE_MS) {
        s->untold++;
    } else {
        holder_answer answer = {.how = HOLDER_SILENT};
        if (runs) {
            holder_ask(ex, &answer);
        }
        say(s, &answer, s->held_ns / EXECUTOR_NS_PER_MS);
        s->told_ms = now_ms;
        s->untold = 0;
    }
    atomic_store(&s->to_tell, false);
}

static void tell(executor *ex, void *unused) {
    (void)unused;
    if (atomic_load(&ex->stall.to_tell)) {
        tell_of(ex, true);
    }
}

void stall_tell_all(void) {
    holder_each(tell, NULL);
}

/* ---- on the executor's thread, once it runs no more ---- */

void stall_end(executor *ex) {
    if (ex->stall.runs) {
        ex->stall.runs = false;
        timer_delete(ex->stall.timer);
        if (atomic_load(&ex->stall.to_tell)) { /* the watchdog has not come to it, and does not any more */
            tell_of(ex, false);
        }
    }
}
