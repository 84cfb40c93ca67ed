/* SPDX-License-Identifier: MIT
 *
 * What comes from other threads: mail, and the doorbells by which a thread that waits is told.
 *
 * Mail is a node, embedded in what it is about. Posting it has the owner of the inbox call the mail's function, once, on the
 * owner's own thread, between two resumes. A post is a lock and, where the owner sleeps in its poll, one write to wake it.
 * That is slow, and for what is rare: an end, a stop, an answer, "look again". The owner says that it sleeps by the doorbell of
 * the inbox, and looks for mail as below.
 *
 * What is frequent (messages in a lane, credits of a channel) is only written to memory, and mail is posted only to a
 * thread that has said that it waits. It says so by arming a doorbell:
 *
 *      the waiting thread                      the writing thread
 *        armed = true                            writes (a message, a credit)
 *        FENCE   doorbell_arm                    FENCE   inbox_flush, one for all that a task wrote
 *        looks: is it there?  yes: goes on       armed?  no: nobody waits    yes: rings (posts mail)
 *        no: parks; mail will come
 *
 * Each fence keeps the load after it from passing the store before it, which a CPU's store buffer would let it do. With
 * both, at least one side sees what the other stored; without either, a message could lie there while its reader sleeps.
 * The writing thread may look, and ring, earlier as well, without a fence.
 * spec/thread/model/doorbell.pml says this to a model checker. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"

/* Armed while somebody waits for what another thread writes. */
typedef struct doorbell {
    atomic_bool armed;
} doorbell;

/* Says that somebody waits; the caller looks once more for what it waits for, and only then parks. */
static inline void doorbell_arm(doorbell *b) {
    atomic_store_explicit(&b->armed, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with those in inbox_flush and inbox_post */
}
static inline bool doorbell_armed(const doorbell *b) {
    return atomic_load_explicit(&b->armed, memory_order_relaxed);
}
static inline void doorbell_disarm(doorbell *b) {
    atomic_store_explicit(&b->armed, false, memory_order_relaxed);
}

/* Embedded in what it is about; zeroed is fine but for `arrived`. Guarded by the lock of the inbox that it is posted to. */
typedef struct mail {
    list link;
    bool posted;
    void (*arrived)(struct mail *); /* on the thread of the inbox; it may post it again, or free it */
} mail;

typedef struct inbox {
    atomic_bool has_mail; /* a hint for the owner, which is right once nothing is under way */
    doorbell sleeping;    /* the owner polls, or is about to: a post must wake it */
    pthread_mutex_t lock;
    list mail; /* guarded */
    int wake;  /* an eventfd that the owner polls and never reads: each write is an event */
} inbox;

/* 0, or a negative UV_E*. */
int inbox_init(inbox *);
void inbox_deinit(inbox *);

/* Posts the mail; nothing, if it is posted already. From any thread, as long as the inbox is sure to live. */
void inbox_post(inbox *, mail *);
/* Takes mail back, if it is posted and has not arrived. */
void inbox_withdraw(inbox *, mail *);

/* Has what was posted arrive. This and what follows is for the owner alone. */
void inbox_take(inbox *);
static inline bool inbox_has_mail(const inbox *i) {
    return atomic_load_explicit(&i->has_mail, memory_order_relaxed);
}
/* The owner is about to wait in its poll. False: there is mail, so it must not. */
bool inbox_sleep(inbox *);
/* The owner has polled. Who has seen it sleep until now may still wake it, which costs it a poll. */
static inline void inbox_awake(inbox *i) {
    doorbell_disarm(&i->sleeping);
}

/* Says that a thread has written, and has yet to look at the doorbell of those who may wait for that: before its task has
 * suspended, it does. Embedded in the writer's own. */
typedef struct dirty_entry {
    list link; /* in executor.dirty of the writer, from dirty_mark to inbox_flush */
    doorbell *doorbell;
    void (*publish)(struct dirty_entry *); /* before the fence: writes what was kept back; may be NULL */
    void (*ring)(struct dirty_entry *);    /* the doorbell is armed: disarms it, and tells those who wait */
} dirty_entry;

/* Says that the calling thread has written: its loop will look at the doorbell. */
static inline void dirty_mark(list *dirty, dirty_entry *t) {
    if (!list_linked(&t->link)) {
        list_push(dirty, &t->link);
    }
}
/* Looks at the doorbell of all that is dirty, and rings those that are armed. */
void inbox_flush(list *dirty);
