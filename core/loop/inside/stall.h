/* SPDX-License-Identifier: MIT
 *
 * Stalls: a task that holds its thread for long while others wait.
 *
 * A timer counts the CPU time of the executor's thread, and signals that thread four times in each stall's time: so nothing
 * ticks while the thread sleeps, or waits for a CPU, and no resume looks at a clock. The signal's handler sees whether the
 * task that runs is still in the resume in which it was before, and for how long; what is to be said is the watchdog's.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct momo_executor;

/* What an executor has for this. Its thread's own, but for what is atomic. */
typedef struct stall {
    uint64_t limit_ns; /* 0: nobody wants to know */
    timer_t timer;     /* while it runs */
    bool runs;
    uint64_t task;       /* id of the one that the last tick has seen, or 0; */
    uint32_t resumes;    /* its resumes then; */
    uint64_t since_ns;   /* the thread's CPU time when it was first seen in this one; */
    uint64_t next_ns;    /* how long it has to go on to be told */
    atomic_bool to_tell; /* the watchdog is to tell it: until then what follows is the watchdog's */
    uint64_t id;         /* of the task, as it is shown */
    uint64_t held_ns;
    /* The watchdog's: */
    uint64_t told_ms; /* when one was told last */
    unsigned untold;  /* that came too soon after that */
} stall;

/* The executor is about to run on the thread that calls, and has its limit set: from now on its stalls are told. Nothing, where
 * the system has no such timers. */
void stall_begin(struct momo_executor *);
void stall_end(struct momo_executor *);
/* On the watchdog: tells of those that are to be told. */
void stall_tell_all(void);
