/* SPDX-License-Identifier: MIT
 *
 * An OS thread with an executor of its own.
 *
 * A thread belongs to the executor that started it, its parent: the parent's run does not end before the thread has, and
 * its stop stops the thread. The two meet in mail, and in the fields that the lock guards.
 *
 *   parent: on_drain ----> drains = true ----> mail to the child ----> child: drain_begin
 *   child:  its drain is over ---------------> mail to the parent ---> parent: drain_let_go
 *   parent: on_stop -----> stopped = true ---> mail to the child ----> child: executor_stop
 *   child:  its main ended --> over = true ---> mail to the parent ---> parent: thread joined, joiners woken
 *
 * Nobody can end a thread by force. One that computes does not hear of a stop, and is left behind once the stop's grace is
 * over: it goes on in a state of its own, until it or the process ends. So are the threads that do not end in time when the
 * parent's state is closed.
 */
#pragma once
#include <pthread.h>

#include "loop/task.h"

typedef struct thread {
    list link; /* in parent->threads.children, until the parent has seen its end */
    executor *parent;
    pthread_t os;
    int cpu;                       /* that it is pinned to, or -1 */
    cpu_set_t cpus;                /* that the process may use */
    double grace;                  /* that its own threads have, as its parent's */
    list joiners;                  /* the parent's tasks that wait for its end */
    void (*main)(struct thread *); /* on the thread: all that it does */
    void (*seen)(struct thread *); /* on the parent's: the thread has ended, its joiners are about to be woken */
    void (*left)(struct thread *); /* on the parent's, instead of `seen`: the thread is left behind */
    void (*free)(struct thread *); /* on either, or any other */
    mail drain, stop, dismissal;   /* to the thread */
    mail drained, ended, idled;    /* to the parent */
    bool holds;                    /* the parent's stop waits for it to drain. The parent's */
    pthread_mutex_t lock;
    executor *executor;  /* the thread's own, while it has one. Guarded, as all below */
    unsigned references; /* the running thread's, that of the parent's list, and one for each handle */
    bool drains;         /* it was told to drain, */
    bool drain_heard;    /* and has heard of it */
    bool stopped;        /* it was told to stop, */
    bool heard;          /* and has heard of it */
    bool over;           /* it has nothing left to do but to end */
    bool orphaned;       /* the parent has left it behind */
    bool idle;           /* only signals, or a dismissal, can make anything happen there */
    bool dismissed;      /* no thread can do anything but wait for signals: its tasks that do are to be cancelled */
} thread;

/* Starts a thread of which the caller has set cpu and all functions: 0, and the caller has one reference; or a negative
 * UV_E*, and it is as it was. */
int thread_start(thread *, executor *parent);
/* One more reference, which ends by thread_release. */
void thread_retain(thread *);
void thread_release(thread *);

/* Called on the new thread: ties its executor to it, and unties the executor before that is freed. */
void thread_attach(thread *, executor *);
void thread_detach(thread *);

static inline bool thread_seen(const thread *t) {
    return !list_linked(&t->link);
}

/* Stops every thread of the executor, and waits for them, blocking, but not for ever. */
void threads_finish(executor *);
