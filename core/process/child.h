/* SPDX-License-Identifier: MIT
 *
 * A child process that the loop watches: it is reaped as soon as it has ended, whether or not anybody waits for it.
 *
 *   child_spawn --> runs --pidfd readable--> reaped: ended --child_release--> freed
 *                     '----child_release----> abandoned --pidfd readable--> reaped and freed
 *
 * The pidfd keeps no run alive. A child that outlives the run goes on by itself, and nobody learns how it ended.
 */
#pragma once
#include "loop/io.h"
#include "process/process.h"

typedef struct child {
    io_hooks hooks; /* of its pidfd's io, which finds the child by them */
    executor *executor;
    momo_token token; /* of its pidfd; dead once the child has ended, or the run before it */
    process process;
    process_end end;
    bool group;                     /* kill reaches the group that it leads */
    bool ended;                     /* `end` is valid */
    void (*on_end)(struct child *); /* it has ended, or nobody will learn how; NULL once it was released */
    void *user;
} child;

/* Starts it: 0, and *out is owned until child_release. Negative: *step says what failed. */
int child_spawn(executor *, const process_plan *, child **out, enum process_step *step);
/* Its owner goes; the child runs on. */
void child_release(child *);
/* Whether its end is yet to come, and will be told. */
static inline bool child_runs(const child *c) {
    return !c->ended && io_get(c->executor, c->token);
}
/* Sends it a signal: 0; UV_ESRCH: it has ended. */
int child_kill(const child *, int signal);
