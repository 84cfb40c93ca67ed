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

/* What pools there are: an executor has one of each kind, made when it is first used. */
typedef struct pool_kind {
    const char *name;         /* of its threads: 15 bytes at most */
    unsigned threads_max;     /* POOL_THREADS_MAX at most */
    unsigned jobs_max;        /* that wait for a thread; 0: however many */
    bool tells;               /* its jobs may have ends of channels, and so tell tasks something */
    void (*end)(void *state); /* a thread of the pool ends, with the state that its jobs have made; may be NULL */
} pool_kind;

/* Embedded in what it is about; its owner's, but from pool_submit to `done` or `drop`. */
typedef struct job {
    void (*run)(struct job *, void **state); /* on a thread of the pool; *state is that thread's, NULL at first */
    void (*done)(struct job *);              /* it has run: on the executor's thread */
    void (*drop)(struct job *); /* the executor is gone, and it is not the pool's any more: on any thread */
    pool *pool;
    list link;    /* in pool.waiting, or pool.finished. Guarded, as is the next */
    bool waiting; /* it has not begun */
    mail mail;    /* it has run */
} job;

struct pool {
    const pool_kind *kind;
    pool *next;         /* in executor.pools */
    executor *executor; /* NULL once it is gone. Guarded, as all below */
    pthread_mutex_t lock;
    pthread_cond_t submitted;
    list waiting;
    list finished;                  /* whose mail has not arrived */
    list workers;                   /* the threads */
    unsigned queued, idle, threads; /* jobs in `waiting`; threads without a job; and in all */
};

enum { POOL_THREADS_MAX = 32 };

/* The executor's pool of this kind. NULL: out of memory. */
pool *pool_of(executor *, const pool_kind *);
/* The threads that it has, and of these the idle ones; the jobs that wait. */
void pool_count(pool *, unsigned *threads, unsigned *idle, unsigned *queued);
/* The executor goes, and leaves its pools. */
void pools_leave(executor *);
/* 0; or a negative UV_E*, and the job is as it was: there is no thread for it, or (UV_ENOBUFS) too many wait. */
int pool_submit(pool *, job *);
/* True: it had not begun, and will not; it is the caller's again. */
bool pool_cancel(job *);
/* Whether a job of any pool may tell a task something (pool_kind.tells): it runs, or waits. */
bool pools_may_tell(const executor *);
