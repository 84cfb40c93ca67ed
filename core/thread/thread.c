/* SPDX-License-Identifier: MIT
 *
 * Threads: see thread.h.
 */
#include "thread/thread.h"

#include "loop/drain.h"
#include "loop/grace.h"
#include "loop/libc.h"
#include "thread/channel.h"

#include <sched.h>
#include <time.h>

enum { NS_PER_S = 1000000000, ETERNITY_SECONDS = 1000000000 };

static void stop(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->stopped = true;
    if (t->executor) {
        inbox_post(&t->executor->inbox, &t->stop);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Mail to the child: stops its executor. */
static void on_stop_mail(mail *m) {
    thread *t = list_entry(m, thread, stop);
    pthread_mutex_lock(&t->lock);
    t->heard = true;
    pthread_mutex_unlock(&t->lock);
    executor_stop(t->executor);
}

/* ---- the first phase of a stop ---- */

static void let_parent_go(thread *t) {
    if (t->holds) {
        t->holds = false;
        drain_let_go(t->parent);
    }
}

/* On the child: its drain is over, and its parent's stop is to come. */
static void on_drain_over(executor *ex) {
    thread *t = ex->threads.own;
    pthread_mutex_lock(&t->lock);
    if (!t->orphaned) {
        inbox_post(&t->parent->inbox, &t->drained);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Mail to the parent. */
static void on_drained_mail(mail *m) {
    let_parent_go(list_entry(m, thread, drained));
}

/* Mail to the child. */
static void on_drain_mail(mail *m) {
    thread *t = list_entry(m, thread, drain);
    pthread_mutex_lock(&t->lock);
    t->drain_heard = true;
    pthread_mutex_unlock(&t->lock);
    drain_begin(t->executor, on_drain_over);
}

/* Those that have not heard of it in time compute: nobody waits for them. */
static void on_drain_grace_over(timer *timer) {
    executor *ex = list_entry(timer, executor, threads.drain_grace);
    for (list *node = ex->threads.children.next; node != &ex->threads.children; node = node->next) {
        thread *t = list_entry(node, thread, link);
        pthread_mutex_lock(&t->lock);
        bool heard = t->drain_heard;
        pthread_mutex_unlock(&t->lock);
        if (!heard) {
            let_parent_go(t);
        }
    }
}

/* A program in which no thread serves stops at once. */
static void on_drain(executor *ex) {
    if (!drain_others_serve(ex)) {
        return;
    }
    for (list *node = ex->threads.children.next; node != &ex->threads.children; node = node->next) {
        thread *t = list_entry(node, thread, link);
        t->holds = true;
        drain_hold(ex);
        pthread_mutex_lock(&t->lock);
        t->drains = true;
        if (t->executor) {
            inbox_post(&t->executor->inbox, &t->drain);
        }
        pthread_mutex_unlock(&t->lock);
    }
    if (!ex->clock.virtual && !list_empty(&ex->threads.children)) {
        ex->threads.drain_grace.expired = on_drain_grace_over;
        wheel_insert(&ex->wheel, &ex->threads.drain_grace.wheel, executor_deadline_ms(ex, ex->threads.grace));
    }
}

/* Takes the thread from its parent's list, which ends what that waited for. */
static void remove_thread(thread *t) {
    executor *parent = t->parent;
    list_remove(&t->link);
    parent->threads.count--;
    if (list_empty(&parent->threads.children)) {
        wheel_remove(&parent->wheel, &parent->threads.drain_grace.wheel);
        wheel_remove(&parent->wheel, &parent->threads.stop_grace.wheel);
        channel_drop_keepalives(parent);
    }
    task_wake_all(&t->joiners, WAKE_NONE);
    let_parent_go(t);
    thread_release(t);
}

/* The parent sees the thread's end. */
static void reap(thread *t) {
    inbox_withdraw(&t->parent->inbox, &t->ended);
    inbox_withdraw(&t->parent->inbox, &t->idled);
    inbox_withdraw(&t->parent->inbox, &t->drained);
    t->seen(t);
    remove_thread(t);
}

/* Mail to the parent: the thread has ended. */
static void on_ended_mail(mail *m) {
    thread *t = list_entry(m, thread, ended);
    pthread_join(t->os, NULL);
    reap(t);
}

/* Mail that only has the loop go round once more, and see what has changed. */
static void look_again(mail *m) {
    (void)m;
}

/* ---- waiting for signals
 *
 * Signals keep no process alive, but a thread waits for them as long as another one is busy:
 *
 *              only signals can wake a task here,             on its parent's word,
 *              and all its own threads are idle               or a main thread by itself
 *      busy ----------------------------------------> idle ------------------------------> dismissed
 *        ^       tells its parent, waits in its poll    |     dismisses its own threads, and cancels
 *        '----------------------------------------------'     its tasks that wait for signals
 *              something came
 */

static void set_busy(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->idle = false;
    pthread_mutex_unlock(&t->lock);
}

/* Becomes idle, and tells the parent once. False: it is dismissed instead. */
static bool set_idle(thread *t) {
    pthread_mutex_lock(&t->lock);
    bool dismissed = t->dismissed;
    if (!dismissed && !t->idle) {
        t->idle = true;
        if (!t->orphaned) {
            inbox_post(&t->parent->inbox, &t->idled);
        }
    }
    t->dismissed = false;
    pthread_mutex_unlock(&t->lock);
    return !dismissed;
}

static void set_dismissed(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->dismissed = true;
    t->idle = false;
    if (t->executor) {
        inbox_post(&t->executor->inbox, &t->dismissal);
    }
    pthread_mutex_unlock(&t->lock);
}

static bool own_threads_idle(executor *ex) {
    bool idle = true;
    for (list *node = ex->threads.children.next; idle && node != &ex->threads.children; node = node->next) {
        thread *t = list_entry(node, thread, link);
        pthread_mutex_lock(&t->lock);
        idle = t->idle;
        pthread_mutex_unlock(&t->lock);
    }
    return idle;
}

static bool on_idle(executor *ex, bool idle) {
    thread *self = ex->threads.own;
    if (!idle) {
        if (self) {
            set_busy(self);
        }
        return false;
    }
    if (!own_threads_idle(ex)) {
        return true;
    }
    bool waits_for_signals = ex->threads.count || !list_empty(&ex->signals.waiters);
    if (self && waits_for_signals && set_idle(self)) {
        return true;
    }
    for (list *node = ex->threads.children.next; node != &ex->threads.children; node = node->next) {
        set_dismissed(list_entry(node, thread, link));
    }
    return false;
}

/* ---- the end ---- */

/* The parent forgets the thread, which computes on in a state of its own, until it or the process ends. */
static void leave_behind(thread *t) {
    executor *parent = t->parent;
    pthread_mutex_lock(&t->lock);
    t->orphaned = true;
    bool over = t->over;
    pthread_mutex_unlock(&t->lock);
    inbox_withdraw(&parent->inbox, &t->ended);
    inbox_withdraw(&parent->inbox, &t->idled);
    inbox_withdraw(&parent->inbox, &t->drained);
    if (over) {
        pthread_join(t->os, NULL);
        reap(t);
        return;
    }
    pthread_detach(t->os);
    t->left(t);
    remove_thread(t);
}

/* Leaves the threads behind that have not heard of a stop in time: they compute. Where a signal stops the process, that will end
 * with them (loop/grace.h). */
static void on_stop_grace_over(timer *timer) {
    executor *ex = list_entry(timer, executor, threads.stop_grace);
    if (grace_begun()) {
        return;
    }
    for (list *node = ex->threads.children.next, *next; node != &ex->threads.children; node = next) {
        thread *t = list_entry(node, thread, link);
        next = node->next;
        pthread_mutex_lock(&t->lock);
        bool heard = t->heard || t->over;
        pthread_mutex_unlock(&t->lock);
        if (!heard) {
            leave_behind(t);
        }
    }
}

static void on_stop(executor *ex) {
    for (list *node = ex->threads.children.next; node != &ex->threads.children; node = node->next) {
        stop(list_entry(node, thread, link));
    }
    if (!ex->clock.virtual && !list_empty(&ex->threads.children) && !wheel_pending(&ex->threads.stop_grace.wheel)) {
        ex->threads.stop_grace.expired = on_stop_grace_over;
        wheel_insert(&ex->wheel, &ex->threads.stop_grace.wheel, executor_deadline_ms(ex, ex->threads.grace));
    }
}

/* Threads take part in the turns of an executor that has some, or runs on one. */
static void drive(executor *ex) {
    ex->threads.driver.on_drain = on_drain;
    ex->threads.driver.on_stop = on_stop;
    ex->threads.driver.on_idle = on_idle;
    executor_add_driver(ex, &ex->threads.driver);
}

static void *thread_main(void *argument) {
    thread *t = argument;
    t->main(t);
    pthread_mutex_lock(&t->lock);
    t->over = true;
    if (!t->orphaned) {
        inbox_post(&t->parent->inbox, &t->ended);
    }
    pthread_mutex_unlock(&t->lock);
    thread_release(t);
    return NULL;
}

int thread_start(thread *t, executor *parent) {
    t->parent = parent;
    t->executor = NULL;
    t->cpus = parent->cpus;
    t->grace = parent->threads.grace;
    t->drains = parent->drain.begun;
    t->stopped = parent->stopping;
    t->holds = t->drain_heard = t->heard = t->over = t->orphaned = t->idle = t->dismissed = false;
    t->drain = (mail){.arrived = on_drain_mail};
    t->drained = (mail){.arrived = on_drained_mail};
    t->stop = (mail){.arrived = on_stop_mail};
    t->ended = (mail){.arrived = on_ended_mail};
    t->idled = t->dismissal = (mail){.arrived = look_again};
    list_init(&t->joiners);
    list_init(&t->link);
    pthread_mutex_init(&t->lock, NULL);
    t->references = 3;

    cpu_set_t cpus = parent->cpus;
    if (t->cpu >= 0) {
        CPU_ZERO(&cpus);
        CPU_SET(t->cpu, &cpus);
    }
    int error = libc_start_thread(&t->os, &cpus, thread_main, t);
    if (error != 0) {
        t->references = 0;
        pthread_mutex_destroy(&t->lock);
        return uv_translate_sys_error(error);
    }
    drive(parent);
    list_push(&parent->threads.children, &t->link);
    parent->threads.count++;
    return 0;
}

void thread_retain(thread *t) {
    pthread_mutex_lock(&t->lock);
    t->references++;
    pthread_mutex_unlock(&t->lock);
}

void thread_release(thread *t) {
    pthread_mutex_lock(&t->lock);
    bool last = --t->references == 0;
    pthread_mutex_unlock(&t->lock);
    if (last) {
        pthread_mutex_destroy(&t->lock);
        t->free(t);
    }
}

void thread_attach(thread *t, executor *ex) {
    ex->threads.own = t;
    drive(ex);
    ex->cpus = t->cpus;
    ex->threads.grace = t->grace;
    pthread_mutex_lock(&t->lock);
    t->executor = ex;
    bool drains = t->drain_heard = t->drains, stopped = t->heard = t->stopped;
    pthread_mutex_unlock(&t->lock);
    if (stopped) {
        executor_stop(ex);
    } else if (drains) {
        drain_begin(ex, on_drain_over);
    }
}

void thread_detach(thread *t) {
    pthread_mutex_lock(&t->lock);
    inbox_withdraw(&t->executor->inbox, &t->drain);
    inbox_withdraw(&t->executor->inbox, &t->stop);
    inbox_withdraw(&t->executor->inbox, &t->dismissal);
    t->executor = NULL;
    pthread_mutex_unlock(&t->lock);
}

/* The state that is closed waits for all of its threads together. */
void threads_finish(executor *ex) {
    double grace = ex->threads.grace < ETERNITY_SECONDS ? ex->threads.grace : ETERNITY_SECONDS;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += (time_t)grace;
    end.tv_nsec += (long)((grace - (double)(time_t)grace) * NS_PER_S);
    if (end.tv_nsec >= NS_PER_S) {
        end.tv_nsec -= NS_PER_S;
        end.tv_sec++;
    }
    on_stop(ex);
    while (!list_empty(&ex->threads.children)) {
        thread *t = list_entry(list_first(&ex->threads.children), thread, link);
        if (pthread_timedjoin_np(t->os, NULL, &end) == 0) {
            reap(t);
        } else {
            leave_behind(t);
        }
    }
}
