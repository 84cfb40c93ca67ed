/* SPDX-License-Identifier: MIT
 *
 * Who holds a thread, and where: what another thread can learn of an executor whose loop does not come round.
 *
 *   another thread                       the thread that is held
 *     holder_ask ------ a signal ------> looks: the task, and the compiled code that it is in; sets a hook
 *       waits                            hook: the line, as soon as interpreted code goes on
 *       no hook, though it ran or        looks once more: who neither comes to a hook nor is in compiled code is in a
 *       sleeps ------- a signal ------>  function of C, so that the frames above can be read
 *
 * How code is known is the business of whoever set executor.user: a `holder_kind`.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "loop/inbox.h"

enum { HOLDER_TEXT = 64, HOLDER_SAID = 256 }; /* bytes of a name or a file's, and of what holder_describe says */

struct momo_executor;

typedef struct holder_answer {
    enum holder_how {
        HOLDER_NONE,     /* no task runs, */
        HOLDER_SILENT,   /* or the thread has not answered */
        HOLDER_LUA,      /* at that line */
        HOLDER_COMPILED, /* in compiled code that begins at that line */
        HOLDER_CALL,     /* in a function of C that was called there */
    } how;
    char thread[16];        /* "" on the process's first */
    uint64_t id;            /* of the task */
    char name[HOLDER_TEXT]; /* "": it has none */
    char file[HOLDER_TEXT];
    int line; /* 0: unknown */
} holder_answer;

/* What is known of a machine's state when a signal came. */
typedef struct holder_frame {
    uintptr_t pc, stack, stack_end; /* the stack grows down: from `stack` up to `stack_end` is in use */
} holder_frame;

/* Both are called on the thread that is held, within a signal's handler: so they allocate nothing, and take no lock. */
typedef struct holder_kind {
    /* Fills in the task. */
    void (*name)(const struct momo_executor *, holder_answer *);
    /* Fills in how and where as far as that is known, and has holder_tell called when more is. in_call: the thread is in a
     * function of C, unless it is in compiled code. */
    void (*look)(struct momo_executor *, const holder_frame *, bool in_call, holder_answer *);
} holder_kind;

/* What an executor has for this. */
typedef struct holder {
    list link; /* in the process's list of executors that run */
    const holder_kind *kind;
    pthread_t thread;
    pid_t tid;
    uintptr_t stack_end;
    atomic_bool asked; /* whoever sets it to false may answer */
    mail round;        /* that has arrived when the loop has come round */
    atomic_bool round_awaited;
} holder;

/* The executor runs on this thread, until holder_leave. */
void holder_enter(struct momo_executor *);
void holder_leave(struct momo_executor *);

/* Has f called for each executor of the process that runs; none of them ends its run meanwhile. */
void holder_each(void (*f)(struct momo_executor *, void *user), void *user);
/* Who holds the executor's thread; for an f of holder_each. It takes some milliseconds. */
void holder_ask(struct momo_executor *, holder_answer *);
/* Called by a kind, on the thread, outside of a signal's handler: whether an answer is still awaited; then it goes there, and
 * holder_told ends it. */
holder_answer *holder_tell(struct momo_executor *);
void holder_told(void);
/* "task 3 'name' computes at app.lua:7" */
void holder_describe(const holder_answer *, char text[HOLDER_SAID]);

/* Wants to know whether the loop comes round; and whether it has not since. For an f of holder_each. */
void holder_await_round(struct momo_executor *);
bool holder_misses_round(const struct momo_executor *);
