/* SPDX-License-Identifier: MIT
 *
 * An OS thread with an executor of its own.
 *
 * It belongs to the executor that started it: whose run does not end before the thread has, and whose stop stops it.
 * The two meet in mail, and in the fields that the lock guards.
 *
 *   parent: thread_stop --> stopped = true ---> mail to the child ----> child: executor_stop
 *   child:  its main ended --> over = true ---> mail to the parent ---> parent: thread joined, joiners woken
 *
 * Nobody can end a thread by force. One that computes does not hear of a stop, and is left behind after a while: it goes on
 * in a state of its own, until it or the process ends. So are those that do not end in time when the parent's state is closed.
 */
#pragma once
#include <pthread.h>

#include "loop/task.h"

typedef struct thread {
    list link; /* in parent->threads, until the parent has seen its end */
    executor *parent;
    pthread_t os;
    int cpu;        /* that it is pinned to, or -1 */
    cpu_set_t cpus; /* that the process may use */
    list joiners;   /* the parent's tasks that wait for its end */
    void (*main)(struct thread *);
    void (*seen)(struct thread *); /* on the parent's thread: its end was seen, its joiners are about to be woken */
    void (*left)(struct thread *); /* the same, in its place: it is left behind */
    void (*free)(struct thread *); /* frees it, on any thread */
    mail stop;                     /* to the thread */
    mail dismissal;                /* the same */
    mail ended, idled;             /* to the parent */
    executor *root;                /* of the main thread */
    pthread_mutex_t lock;
    executor *executor; /* while there is one to tell. Guarded, as all below */
    unsigned
        references; /* the thread's while it runs, the parent's list's while it is there, and one for each handle */
    bool stopped;
    bool heard; /* that it is to stop */
    bool over;
    bool orphaned; /* the parent is gone */
    bool idle;     /* only signals, or a dismissal, can make anything happen there */
    bool
        dismissed; /* the parent has seen that, and it is so on all threads: who waits for signals is to be cancelled */
} thread;

/* Starts it: 0; or a negative UV_E*, and it is as it was. All functions and cpu are set by the caller, who has one
 * reference afterwards. */
int thread_start(thread *, executor *parent);
void thread_release(thread *);

/* On the new thread: ties its executor to it, once it has one, and unties it before that is freed. */
void thread_attach(thread *, executor *);
void thread_detach(thread *);

static inline bool thread_seen(const thread *t) {
    return !list_linked(&t->link);
}

/* Stops every thread of the executor, and waits for them, blocking, but not for ever. */
void threads_finish(executor *);
