/* SPDX-License-Identifier: MIT
 *
 * A pool: OS threads for calls that block, a bounded number of them, for one executor.
 *
 *   pool_submit --> waiting --> a thread takes it: run --> mail to the executor --> done
 *                      |                                    '-- the executor is gone --> drop
 *                      '-- pool_cancel takes it back, if it has not begun
 *
 * A thread is started when a job finds none idle, and ends after a while without a job. An executor that goes waits for the
 * end of the threads that have no job. What a job runs may never return, so nobody waits for the others: the pool is left
 * to them, and the last one frees it. */
#pragma once
#include <pthread.h>

#include "loop/executor.h"

typedef struct pool pool;

/* A job is embedded in what it is about. From pool_submit to `done` or `drop` it is the pool's, else its owner's. */
typedef struct job {
    void (*run)(struct job *, void **state); /* on a thread of the pool; *state is that thread's, NULL at first */
    void (*done)(struct job *);              /* it has run: on the executor's thread */
    void (*drop)(struct job *);              /* the executor is gone: frees the job, on any thread */
    pool *pool;
    list link;    /* in pool.waiting, or pool.finished. Guarded, as is the next */
    bool waiting; /* the job has not begun */
    mail mail;    /* the job has run */
} job;

struct pool {
    executor *executor; /* NULL once it is gone. Guarded, as all below but the next two */
    unsigned threads_max;
    void (*end)(void *state); /* a thread of the pool ends, with the state that its jobs have made */
    pthread_mutex_t lock;
    pthread_cond_t submitted;
    list waiting;
    list finished;                  /* whose mail has not arrived */
    list workers;                   /* the threads */
    unsigned queued, idle, threads; /* jobs in `waiting`; threads without a job; and in all */
};

enum { POOL_THREADS_MAX = 32 };

/* Makes a pool of at most threads_max threads, which is no more than POOL_THREADS_MAX. NULL: out of memory. */
pool *pool_new(executor *, unsigned threads_max, void (*end)(void *state));
/* The executor goes, and leaves its pool behind; NULL: it has none. */
void pool_leave(pool *);
/* Submits a job: 0; or a negative UV_E*: there is no thread for it, and the job is as it was. */
int pool_submit(pool *, job *);
/* Whether the pool (NULL: none) has jobs that run, or wait. */
bool pool_busy(pool *);
/* Takes a job back. True: it had not begun, and will not; it is the caller's again. */
bool pool_cancel(job *);
