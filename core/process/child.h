/* SPDX-License-Identifier: MIT
 *
 * A child process that the loop watches: it is reaped as soon as it has ended, whether or not anybody waits for it.
 *
 *   child_spawn --> runs --pidfd readable--> reaped: ended --child_release--> freed
 *                     '----child_release----> abandoned --pidfd readable--> reaped and freed
 *
 * The pidfd keeps no run alive. A child that outlives the run goes on by itself, and nobody learns how it ended.
 *
 * A child may belong to the task that has spawned it: when that task ends and is cancelled, or leaves a scope that is, the
 * child is to end as well, and the task waits for that. A task that ends otherwise leaves its children behind.
 *
 *   runs --child_finish: SIGTERM--> has its grace --SIGKILL--> ended
 *
 * The rest of a group that a child leads gets SIGKILL as soon as such a child has ended.
 */
#pragma once
#include "loop/scope.h"
#include "loop/io.h"
#include "process/process.h"

typedef struct child {
    io_hooks hooks; /* of its pidfd's io, which finds the child by them */
    executor *executor;
    momo_token token; /* of its pidfd; dead once the child has ended, or the run before it */
    process process;
    process_end end;
    timer timer;                    /* pending while it has its grace */
    double grace;                   /* seconds from SIGTERM to SIGKILL */
    list owned;                     /* in executor.processes, or nobody's */
    task *owner;                    /* while it is owned */
    uint64_t number;                /* counted by the executor from 1; 0: it never belonged to a task */
    list waiters;                   /* tasks, for child_is_ending to become false */
    bool group;                     /* kill reaches the group that it leads */
    bool ended;                     /* `end` is valid */
    bool finishing;                 /* it was told to end */
    bool beyond_reach;              /* and runs as a user whom we may not kill */
    void (*on_end)(struct child *); /* it has ended, or nobody will learn how; NULL once it was released */
    void *user;
} child;

/* Starts it: 0, and *out is owned until child_release. Negative: *step says what failed. */
int child_spawn(executor *, const process_plan *, child **out, enum process_step *step);
/* It belongs to the task, and to the scopes that it is in. */
void child_belongs(child *, task *);
/* Its owner goes; the child runs on. */
void child_release(child *);
/* Whether its end is yet to come, and will be told. */
static inline bool child_runs(const child *c) {
    return !c->ended && io_get(c->executor, c->token);
}
/* Sends it a signal: 0; UV_ESRCH: it has ended. */
int child_kill(const child *, int signal);
/* Kills what is left of the group that a child has led which has ended. Only where somebody of the group is known to live, as
 * its number may be another's otherwise. */
void child_kill_rest(const child *);
/* Makes it end. Doing it again does nothing. */
void child_finish(child *);
/* Whether it was told to end, and will. */
static inline bool child_is_ending(const child *c) {
    return c->finishing && !c->beyond_reach && child_runs(c);
}
/* Makes those end that belong to the task, from the one of this number on: the first that is ending, or NULL. */
child *child_finish_from(const task *, uint64_t number);
/* The task's children are nobody's from now on. */
void child_leave_all(task *);
