/* SPDX-License-Identifier: MIT
 *
 * What comes from other threads: mail, and the bells by which a thread that waits is told.
 *
 * Mail is a node in what it is about: posting it has the owner of the inbox call its function, once, on the owner's own
 * thread, between two resumes. A post is a lock and, where the owner sleeps in its poll, one write to wake it. It is the
 * slow way, for what is rare: an end, a stop, an answer, "look again".
 *
 * What is frequent (messages in a lane, places in a channel) is only written to memory, and mail is sent only to a
 * thread that has said that it waits. A bell is where it says so:
 *
 *      who waits                               who writes
 *        armed = true                            writes (a message, a place)
 *        FENCE   bell_arm                        FENCE   inbox_flush, one for all that a task wrote
 *        looks: is it there?  yes: goes on       armed?  no: nobody waits    yes: rings (posts mail)
 *        no: parks; mail will come
 *
 * Each fence keeps the load after it from passing the store before it, which a CPU's store buffer would let it do. With
 * both, at least one side sees what the other stored; without either, a message could lie there while its reader sleeps.
 * Who writes may look, and ring, earlier as well, without a fence.
 * spec/thread/model/bell.pml says this to a model checker. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"

/* Embedded in what it is about; zeroed is fine but for `arrived`. Guarded by the lock of the inbox that it is posted to. */
typedef struct mail {
    list link;
    bool posted;
    void (*arrived)(struct mail *); /* on the thread of the inbox; it may post it again, or free it */
} mail;

typedef struct inbox {
    atomic_bool has_mail; /* a hint for the owner, which is right once nothing is under way */
    pthread_mutex_t lock;
    list mail;     /* guarded, as all below */
    bool sleeping; /* the owner polls, or is about to: a post must wake it */
    int wake;      /* an eventfd that the owner polls */
} inbox;

/* 0, or a negative UV_E*. */
int inbox_init(inbox *);
void inbox_deinit(inbox *);

/* Posts the mail; nothing, if it is posted already. From any thread, as long as the inbox is sure to live. */
void inbox_post(inbox *, mail *);
/* Takes it back, if it is posted and has not arrived. */
void inbox_withdraw(inbox *, mail *);

/* The owner: has what was posted arrive. */
void inbox_take(inbox *);
/* The owner is about to wait in its poll; false: there is mail, so it must not. */
bool inbox_sleep(inbox *);
/* It has polled. */
void inbox_awake(inbox *);
/* The eventfd was seen: once is enough. */
void inbox_quiet(inbox *);

static inline bool inbox_has_mail(const inbox *i) {
    return atomic_load_explicit(&i->has_mail, memory_order_relaxed);
}

/* Whether somebody waits for what a thread writes. */
typedef struct bell {
    atomic_bool armed;
} bell;

/* What a thread has written to, and must look at the bell of before it sleeps. Embedded in the writer's own. */
typedef struct touch {
    list link; /* in the writer's list, from bell_touch to inbox_flush */
    bell *bell;
    void (*publish)(struct touch *); /* before the fence, writes what was kept back; may be NULL */
    void (*ring)(struct touch *);    /* the bell is armed: disarms it, and tells who waits */
} touch;

/* Says that somebody waits; the caller looks once more for what it waits for, and only then parks. */
static inline void bell_arm(bell *b) {
    atomic_store_explicit(&b->armed, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in inbox_flush */
}
static inline bool bell_armed(const bell *b) {
    return atomic_load_explicit(&b->armed, memory_order_relaxed);
}
static inline void bell_disarm(bell *b) {
    atomic_store_explicit(&b->armed, false, memory_order_relaxed);
}
/* The calling thread has written: its loop will look at the bell. */
static inline void bell_touch(list *touched, touch *t) {
    if (!list_linked(&t->link)) {
        list_push(touched, &t->link);
    }
}
/* Looks at every bell that was touched. */
void inbox_flush(list *touched);
