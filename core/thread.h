/* SPDX-License-Identifier: MIT
 *
 * An OS thread with an executor of its own.
 *
 * It belongs to the executor that started it: whose run does not end before the thread has, and whose stop stops it.
 * The two meet in the fields that the lock guards, and in executor_wake; they share nothing else.
 *
 *   parent: thread_stop ----> stop = true ----> executor_wake(child) ----> child: executor_stop
 *   child:  its main ended -> ended = true ---> executor_wake(parent) ---> parent: thread joined, joiners woken
 */
#pragma once
#include <pthread.h>

#include "task.h"

typedef struct thread {
    list link; /* in parent->threads, until the parent has seen its end */
    executor *parent;
    pthread_t os;
    int cpu;             /* that it is pinned to, or -1 */
    unsigned references; /* the parent's: one while it is in the list, one for each handle */
    list joiners;        /* the parent's tasks that wait for its end */
    void (*main)(struct thread *);
    void (*seen)(struct thread *); /* on the parent's thread: its end was seen, its joiners are about to be woken */
    void (*free)(struct thread *); /* frees it */
    pthread_mutex_t lock;
    executor *executor; /* while there is one to wake. Guarded, as all below */
    bool stop;
    bool idle; /* only signals, or a dismissal, can make anything happen there */
    bool
        dismissed; /* the parent has seen that, and so it is on all threads: who waits for signals is to be cancelled */
    bool ended;
} thread;

/* Starts it, with one reference: 0; or a negative UV_E*, and it has none. main, seen, free and cpu are set by the caller. */
int thread_start(thread *, executor *parent);
void thread_release(thread *);

/* On the new thread: ties its executor to it, once it has one, and unties it before that is freed. */
void thread_attach(thread *, executor *);
void thread_detach(thread *);

static inline bool thread_seen(const thread *t) {
    return !list_linked(&t->link);
}

/* Stops every thread of the executor, and waits for all of them, blocking. */
void threads_finish(executor *);
