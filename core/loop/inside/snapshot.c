/* SPDX-License-Identifier: MIT
 *
 * Snapshots: see snapshot.h.
 */
#include "loop/inside/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/executor.h"
#include "loop/task.h"

static struct {
    pthread_mutex_t lock;
    list all;       /* guarded, as what follows */
    uint64_t round; /* the last that was begun */
    char *past;     /* what those that are gone have counted; or NULL */
    uint64_t pasts; /* how many there have been */
    bool wanted;
} snapshots = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = {&snapshots.all, &snapshots.all}};

static executor *executor_of(list *node) {
    return list_entry(list_entry(node, snapshot, link), executor, snapshot);
}

/* Tells those that wait. Under the lock, which keeps them. */
static void tell(void) {
    for (list *node = snapshots.all.next; node != &snapshots.all; node = node->next) {
        executor *ex = executor_of(node);
        if (ex->snapshot.waits) {
            inbox_post(&ex->inbox, &ex->snapshot.answered);
        }
    }
}

static void on_asked(mail *m) {
    snapshot *s = list_entry(m, snapshot, asked);
    pthread_mutex_lock(&snapshots.lock);
    uint64_t round = s->wanted;
    char question[SNAPSHOT_QUESTION];
    memcpy(question, s->question, sizeof question);
    s->question[0] = '\0';
    pthread_mutex_unlock(&snapshots.lock);
    char *text = s->make(list_entry(s, executor, snapshot), question);
    pthread_mutex_lock(&snapshots.lock);
    if (text) {
        free(s->text);
        s->text = text;
    }
    s->made = round;
    tell();
    pthread_mutex_unlock(&snapshots.lock);
}

static void on_answered(mail *m) {
    snapshot *s = list_entry(m, snapshot, answered);
    pthread_mutex_lock(&snapshots.lock);
    s->waits = false;
    pthread_mutex_unlock(&snapshots.lock);
    task_wake_all(&s->waiters, WAKE_READY);
}

void snapshot_init(snapshot *s) {
    list_init(&s->link);
    list_init(&s->waiters);
    s->asked.arrived = on_asked;
    s->answered.arrived = on_answered;
}

void snapshot_deinit(executor *ex) {
    snapshot *s = &ex->snapshot;
    pthread_mutex_lock(&snapshots.lock);
    list_remove(&s->link);
    free(s->text);
    s->text = NULL;
    s->runs = false;
    pthread_mutex_unlock(&snapshots.lock);
}

void snapshot_enter(executor *ex) {
    snapshot *s = &ex->snapshot;
    pthread_mutex_lock(&snapshots.lock);
    if (!list_linked(&s->link)) {
        list_push(&snapshots.all, &s->link);
    }
    s->runs = s->make;
    pthread_mutex_unlock(&snapshots.lock);
}

void snapshot_leave(executor *ex) {
    pthread_mutex_lock(&snapshots.lock);
    ex->snapshot.runs = false;
    inbox_withdraw(&ex->inbox, &ex->snapshot.asked);
    tell();
    pthread_mutex_unlock(&snapshots.lock);
}

uint64_t snapshot_ask(executor *asker, const char *question) {
    pthread_mutex_lock(&snapshots.lock);
    snapshots.wanted = true;
    uint64_t round = ++snapshots.round;
    for (list *node = snapshots.all.next; node != &snapshots.all; node = node->next) {
        executor *ex = executor_of(node);
        if (ex != asker && ex->snapshot.runs) {
            ex->snapshot.wanted = round;
            if (question) {
                snprintf(ex->snapshot.question, SNAPSHOT_QUESTION, "%s", question);
            }
            inbox_post(&ex->inbox, &ex->snapshot.asked);
        }
    }
    pthread_mutex_unlock(&snapshots.lock);
    return round;
}

/* Under the lock. */
static unsigned count_missing(const executor *asker, uint64_t round) {
    unsigned missing = 0;
    for (list *node = snapshots.all.next; node != &snapshots.all; node = node->next) {
        const executor *ex = executor_of(node);
        missing += ex != asker && ex->snapshot.runs && ex->snapshot.wanted >= round && ex->snapshot.made < round;
    }
    return missing;
}

unsigned snapshot_missing(const executor *asker, uint64_t round) {
    pthread_mutex_lock(&snapshots.lock);
    unsigned missing = count_missing(asker, round);
    pthread_mutex_unlock(&snapshots.lock);
    return missing;
}

void snapshot_await(executor *asker, uint64_t round) {
    pthread_mutex_lock(&snapshots.lock);
    asker->snapshot.waits = true;
    if (!count_missing(asker, round)) {
        inbox_post(&asker->inbox, &asker->snapshot.answered);
    }
    pthread_mutex_unlock(&snapshots.lock);
}

uint64_t snapshot_each(const executor *asker, void (*f)(const char *, void *), void *user) {
    pthread_mutex_lock(&snapshots.lock);
    uint64_t past = snapshots.pasts;
    if (snapshots.past) {
        f(snapshots.past, user);
    }
    for (list *node = snapshots.all.next; node != &snapshots.all; node = node->next) {
        const executor *ex = executor_of(node);
        if (asker && ex != asker && ex->snapshot.text) {
            f(ex->snapshot.text, user);
        }
    }
    pthread_mutex_unlock(&snapshots.lock);
    return past;
}

bool snapshot_retire(executor *ex, uint64_t seen, char *text) {
    pthread_mutex_lock(&snapshots.lock);
    bool newest = seen == snapshots.pasts;
    if (newest) {
        free(snapshots.past);
        snapshots.past = text;
        snapshots.pasts++;
        list_remove(&ex->snapshot.link);
    }
    pthread_mutex_unlock(&snapshots.lock);
    return newest;
}

bool snapshot_is_wanted(void) {
    pthread_mutex_lock(&snapshots.lock);
    bool wanted = snapshots.wanted;
    pthread_mutex_unlock(&snapshots.lock);
    return wanted;
}

void snapshot_want(void) {
    pthread_mutex_lock(&snapshots.lock);
    snapshots.wanted = true;
    pthread_mutex_unlock(&snapshots.lock);
}
