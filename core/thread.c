/* SPDX-License-Identifier: MIT
 *
 * Threads: see thread.h.
 */
#include "thread.h"

#include <sched.h>

static void stop(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    if (t->executor) {
        executor_wake(t->executor);
    }
    pthread_mutex_unlock(&t->lock);
}

static bool read_flag(thread *t, const bool *flag) {
    pthread_mutex_lock(&t->lock);
    bool value = *flag;
    pthread_mutex_unlock(&t->lock);
    return value;
}

/* The parent has seen the thread's end. */
static void reap(thread *t) {
    executor *parent = t->parent;
    pthread_join(t->os, NULL);
    list_remove(&t->link);
    parent->thread_count--;
    t->seen(t);
    task_wake_all(&t->joiners, WAKE_READY);
    thread_release(t);
}

static void on_wake(executor *ex) {
    if (ex->thread && read_flag(ex->thread, &ex->thread->stop)) {
        executor_stop(ex);
    }
    for (list *node = ex->threads.next, *next; node != &ex->threads; node = next) {
        thread *t = list_entry(node, thread, link);
        next = node->next;
        if (read_flag(t, &t->ended)) {
            reap(t);
        }
    }
}

static void set_dismissed(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->dismissed = true;
    t->idle = false;
    if (t->executor) {
        executor_wake(t->executor);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Tells the parent, once: whether to wait for its dismissal, which has not come. */
static bool announce_idle(thread *t) {
    pthread_mutex_lock(&t->lock);
    bool dismissed = t->dismissed;
    if (!dismissed && !t->idle) {
        t->idle = true;
        executor_wake(t->parent);
    }
    t->dismissed = false;
    pthread_mutex_unlock(&t->lock);
    return !dismissed;
}

/* Signals keep no process alive, but a thread waits for them as long as the others are busy: those idle tell their parents,
 * and the main thread, once it is idle too, dismisses them all. */
static bool on_idle(executor *ex, bool idle) {
    thread *own = ex->thread;
    if (!idle) {
        if (own) {
            pthread_mutex_lock(&own->lock);
            own->idle = false;
            pthread_mutex_unlock(&own->lock);
        }
        return false;
    }
    for (list *node = ex->threads.next; node != &ex->threads; node = node->next) {
        thread *t = list_entry(node, thread, link);
        if (!read_flag(t, &t->idle)) {
            return true;
        }
    }
    bool some = ex->thread_count || !list_empty(&ex->signal_waiters);
    if (own && some && announce_idle(own)) {
        return true;
    }
    for (list *node = ex->threads.next; node != &ex->threads; node = node->next) {
        set_dismissed(list_entry(node, thread, link));
    }
    return false;
}

static void on_stop(executor *ex) {
    for (list *node = ex->threads.next; node != &ex->threads; node = node->next) {
        stop(list_entry(node, thread, link));
    }
}

static void *thread_main(void *argument) {
    thread *t = argument;
    t->main(t);
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    executor_wake(t->parent);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int thread_start(thread *t, executor *parent) {
    t->parent = parent;
    t->executor = NULL;
    t->stop = parent->stopping;
    t->idle = t->dismissed = t->ended = false;
    t->references = 0;
    list_init(&t->joiners);
    list_init(&t->link);
    pthread_mutex_init(&t->lock, NULL);

    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        cpu_set_t cpus = parent->cpus;
        if (t->cpu >= 0) {
            CPU_ZERO(&cpus);
            CPU_SET(t->cpu, &cpus);
        }
        error = pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
        if (error == 0) {
            error = pthread_create(&t->os, &attributes, thread_main, t);
        }
        pthread_attr_destroy(&attributes);
    }
    if (error != 0) {
        pthread_mutex_destroy(&t->lock);
        return uv_translate_sys_error(error);
    }
    t->references = 1;
    parent->on_wake = on_wake;
    parent->on_stop = on_stop;
    parent->on_idle = on_idle;
    list_push(&parent->threads, &t->link);
    parent->thread_count++;
    return 0;
}

void thread_release(thread *t) {
    if (--t->references == 0) {
        pthread_mutex_destroy(&t->lock);
        t->free(t);
    }
}

void thread_attach(thread *t, executor *ex) {
    ex->thread = t;
    ex->on_wake = on_wake;
    ex->on_idle = on_idle;
    ex->root = t->parent->root;
    ex->cpus = t->parent->cpus;
    pthread_mutex_lock(&t->lock);
    t->executor = ex;
    bool stopped = t->stop;
    pthread_mutex_unlock(&t->lock);
    if (stopped) {
        executor_stop(ex);
    }
}

void thread_detach(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->executor = NULL;
    pthread_mutex_unlock(&t->lock);
}

void threads_finish(executor *ex) {
    on_stop(ex);
    while (!list_empty(&ex->threads)) {
        thread *t = list_entry(list_first(&ex->threads), thread, link);
        /* Its end is announced to a loop that runs no more, so wait for the thread itself. */
        reap(t);
    }
}
