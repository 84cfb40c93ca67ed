/* SPDX-License-Identifier: MIT
 *
 * Pools: see pool.h.
 */
#include "loop/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "loop/libc.h"

/* A thread ends after so long without a job. */
enum { IDLE_SECONDS = 10 };

/* A thread of a pool. */
typedef struct worker {
    pool *pool;
    pthread_t thread;
    list link; /* in pool.workers. Guarded, as is the next */
    bool busy; /* with a job */
} worker;

static void on_mail(mail *m) {
    job *j = list_entry(m, job, mail);
    pthread_mutex_lock(&j->pool->lock);
    list_remove(&j->link);
    pthread_mutex_unlock(&j->pool->lock);
    j->done(j);
}

static void unqueue(pool *p, job *j) {
    list_remove(&j->link);
    j->waiting = false;
    p->queued--;
}

/* Waits for the next job. NULL: there was none for long, or the executor is gone. Under the lock. */
static job *next_job(pool *p) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    int status = 0;
    while (list_empty(&p->waiting) && p->executor && status != ETIMEDOUT) {
        status = pthread_cond_timedwait(&p->submitted, &p->lock, &until);
    }
    if (list_empty(&p->waiting)) {
        return NULL;
    }
    job *first = list_entry(list_first(&p->waiting), job, link);
    unqueue(p, first);
    return first;
}

static void free_pool(pool *p) {
    pthread_cond_destroy(&p->submitted);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void set_busy(worker *w, bool busy) {
    w->busy = busy;
    w->pool->idle += busy ? -1 : 1;
}

static void *thread_main(void *argument) {
    worker *w = argument;
    pool *p = w->pool;
    const pool_kind *kind = p->kind;
    void *state = NULL;
    pthread_setname_np(pthread_self(), kind->name);
    pthread_mutex_lock(&p->lock);
    for (job *j; (j = next_job(p));) {
        set_busy(w, true);
        pthread_mutex_unlock(&p->lock);
        j->run(j, &state);
        pthread_mutex_lock(&p->lock);
        set_busy(w, false);
        if (p->executor) {
            list_push(&p->finished, &j->link);
            inbox_post(&p->executor->inbox, &j->mail);
        } else {
            j->drop(j);
        }
    }
    if (p->executor) { /* else pools_leave has seen to it */
        pthread_detach(w->thread);
    }
    list_remove(&w->link);
    p->idle--;
    bool last = --p->threads == 0 && !p->executor;
    pthread_mutex_unlock(&p->lock);
    if (last) {
        free_pool(p);
    }
    free(w);
    if (state) {
        kind->end(state);
    }
    return NULL;
}

pool *pool_of(executor *ex, const pool_kind *kind) {
    pool *p = ex->pools;
    while (p && p->kind != kind) {
        p = p->next;
    }
    if (!p && (p = calloc(1, sizeof *p))) {
        p->kind = kind;
        p->executor = ex;
        list_init(&p->waiting);
        list_init(&p->finished);
        list_init(&p->workers);
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->submitted, NULL);
        p->next = ex->pools;
        ex->pools = p;
    }
    return p;
}

/* Starts a thread, which may run on every CPU that the process may use, wherever this one is pinned to. Under the lock. */
static int start_thread(pool *p) {
    worker *w = malloc(sizeof *w);
    int error = ENOMEM;
    if (w) {
        *w = (worker){.pool = p};
        error = libc_start_thread(&w->thread, &p->executor->cpus, thread_main, w);
    }
    if (error) {
        free(w);
        return uv_translate_sys_error(error);
    }
    list_push(&p->workers, &w->link);
    p->threads++;
    p->idle++;
    return 0;
}

int pool_submit(pool *p, job *j) {
    const pool_kind *kind = p->kind;
    int status = 0;
    pthread_mutex_lock(&p->lock);
    if (p->queued >= p->idle && p->threads < kind->threads_max) {
        status = start_thread(p);
    }
    if (p->threads) { /* one of them will come to it */
        status = kind->jobs_max && p->queued >= p->idle + kind->jobs_max ? UV_ENOBUFS : 0;
    }
    if (status == 0) {
        j->pool = p;
        j->mail = (mail){.arrived = on_mail};
        j->waiting = true;
        p->queued++;
        list_push(&p->waiting, &j->link);
        pthread_cond_signal(&p->submitted);
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

bool pool_cancel(job *j) {
    pool *p = j->pool;
    pthread_mutex_lock(&p->lock);
    bool waited = j->waiting;
    if (waited) {
        unqueue(p, j);
    }
    pthread_mutex_unlock(&p->lock);
    return waited;
}

static bool is_busy(pool *p) {
    pthread_mutex_lock(&p->lock);
    bool busy = p->queued || p->threads > p->idle;
    pthread_mutex_unlock(&p->lock);
    return busy;
}

bool pools_may_tell(const executor *ex) {
    for (pool *p = ex->pools; p; p = p->next) {
        if (p->kind->tells && is_busy(p)) {
            return true;
        }
    }
    return false;
}

static void leave(pool *p) {
    list dropped;
    pthread_t ending[POOL_THREADS_MAX];
    unsigned count = 0;
    list_init(&dropped);
    pthread_mutex_lock(&p->lock);
    for (list *node = p->finished.next; node != &p->finished; node = node->next) {
        inbox_withdraw(&p->executor->inbox, &list_entry(node, job, link)->mail);
    }
    for (list *node = p->workers.next; node != &p->workers; node = node->next) {
        worker *w = list_entry(node, worker, link);
        if (w->busy) {
            pthread_detach(w->thread);
        } else {
            ending[count++] = w->thread;
        }
    }
    p->executor = NULL;
    list_append(&dropped, &p->waiting);
    list_append(&dropped, &p->finished);
    bool last = p->threads == 0;
    pthread_cond_broadcast(&p->submitted);
    pthread_mutex_unlock(&p->lock);
    while (!list_empty(&dropped)) {
        job *j = list_entry(list_pop_front(&dropped), job, link);
        j->drop(j);
    }
    while (count > 0) {
        pthread_join(ending[--count], NULL);
    }
    if (last) {
        free_pool(p);
    }
}

void pool_count(pool *p, unsigned *threads, unsigned *idle, unsigned *queued) {
    pthread_mutex_lock(&p->lock);
    *threads = p->threads;
    *idle = p->idle;
    *queued = p->queued;
    pthread_mutex_unlock(&p->lock);
}

void pools_leave(executor *ex) {
    while (ex->pools) {
        pool *p = ex->pools;
        ex->pools = p->next;
        leave(p);
    }
}
