/* SPDX-License-Identifier: MIT
 *
 * A channel between threads: many senders, one receiver, bounded.
 *
 *   thread A   sender --lane--.
 *   thread A   sender --lane---+--> receiver   thread B        data: a bell that the receiver arms when it waits
 *   thread C   sender --lane--'                                space: one that senders arm when they wait for a place
 *                room <---- places that were freed ----'
 *
 * Every sender has a lane of its own, which the receiver reads in turn; so there is an order for each sender, and none
 * between them. `room` counts the places that are free: a sender takes one before it pushes, by the only locked
 * instruction on the way of a message, since several senders must agree on the last place. The receiver gives places
 * back in batches, at the latest when its task suspends.
 *
 * An end belongs to one thread at a time. It can be given away in a message: then it is under way, and belongs to
 * nobody, until it arrives or is closed with what it was in. All that is not on the way of a message is under the lock.
 *
 * A message is what the caller puts into the record: see lane.h. */
#pragma once
#include "loop/inbox.h"
#include "base/lane.h"
#include "loop/task.h"

typedef struct channel channel;

typedef struct channel_end {
    list own;           /* in executor.ends while it has one */
    executor *executor; /* whose it is; NULL: under way, or closed. Others read it under the lock */
    void **holder;      /* the handle's pointer to it, which is NULL once it is not the handle's any more */
    channel *channel;
    bool sends;
    bool closing;      /* it is closed by its next mail */
    list waiters;      /* tasks */
    uint64_t promised; /* id of the task that was woken and whose turn it is, or 0 */
    mail mail;         /* "look again" */
} channel_end;

/* A message that nobody will receive. The ends in it, linked by `own`, come onto the list of those to be closed. */
typedef void channel_drop(const lane_record *, list *closing);

/* Allocated with an alignment of 64 bytes. */
typedef struct sender {
    lane lane;
    channel_end end;
    list link;          /* in channel.arrivals or channel.reading */
    list hungry;        /* in channel.hungry. Guarded */
    bool granted;       /* a place was taken for it. Guarded */
    atomic_bool closed; /* nothing more will come */
    touch wrote;        /* what it has written to: channel.data */
    uint64_t rang_ns;   /* when it last told a receiver that waited, before its task suspended */
} sender;

static inline sender *sender_of(channel_end *end) {
    return list_entry(end, sender, end);
}

/* Allocated with an alignment of 64 bytes. */
struct channel {
    alignas(64) atomic_long room;
    long capacity;
    alignas(64) bell data;
    bell space;
    atomic_bool changed; /* there are arrivals */
    atomic_bool deaf;    /* the receiver is closed */
    atomic_uint open;    /* senders */

    alignas(64) channel_end receiver; /* its thread's, down to `turns` */
    list reading;                     /* the senders that it reads; first the one whose turn it is */
    touch took;                       /* what it has written to: channel.space */
    long freed;                       /* places that it has not given back yet */
    bool busy;                        /* a record is being looked at: the receiver can't go now */
    unsigned turns;                   /* records of the first sender in a row */

    pthread_mutex_t lock;
    list arrivals; /* senders that are not in `reading` yet. Guarded */
    list hungry;   /* senders that wait for a place, first come first. Guarded */
    channel_drop *drop;
};

/* A channel with one sender and its receiver, both the executor's. UV_ENOMEM: nothing is made. */
int channel_new(executor *, long capacity, channel_drop *, sender **, channel **);
/* Another sender of the same channel, on the same thread: NULL: out of memory. */
sender *sender_clone(sender *);

/* Closes an end, its own thread's or one that is under way, and wakes its waiters with WAKE_CLOSED. */
void channel_close(channel_end *);
/* Closes ends that are under way, and those that lie unread in what goes with them, however deep. */
void channel_close_list(list *closing);
/* Closes every end that the executor has. */
void channel_close_all(executor *);

/* A task is parked to wait for an end of this executor's: for something from outside, where another thread may have the
 * other ends. */
void channel_wait_outside(task *);
/* The executor's last thread has ended: if nobody else can have the other ends, those who wait wait for each other. */
void channel_settle_waits(executor *);

/* The end goes under way: its handle has it no more, its waiters are woken with WAKE_CLOSED. */
void channel_depart(channel_end *);
/* It comes to be this executor's, held by *holder. */
void channel_arrive(channel_end *, executor *, void **holder);
/* Whether the end can depart: not while its message is being looked at. */
static inline bool channel_can_depart(const channel_end *end) {
    return end->sends || !end->channel->busy;
}

/* The task may push one record: 1. It must wait, if it wants to: 0. Nobody will receive: UV_EPIPE. woken: it has waited
 * and was woken. A place that is not used is given back by sender_give_back. */
int sender_take_place(sender *, const task *, bool woken);
void sender_give_back(sender *);
/* The same task, before it does what may raise: the place that it was promised goes to the next one in the queue, if it
 * does not come for it before it suspends. */
void sender_keep_place(sender *, const task *);
/* With a place: room for the record, or NULL; and the push of it. */
static inline void *sender_reserve(sender *s, size_t size) {
    return lane_reserve(&s->lane, size);
}
void sender_push(sender *, uint32_t kind, size_t size);
/* The task is parked by the caller, among the waiters: mail will wake it when there is a place. */
void sender_await(sender *);

/* The oldest record of some sender: 1, and the channel is busy until receiver_pop; 0: it must wait; UV_EOF. woken: the
 * task has waited and was woken. */
int receiver_peek(channel *, const task *, bool woken, lane_record *);
void receiver_pop(channel *);
/* Whether a task that comes now would not have to wait. */
bool receiver_ready(channel *);
/* There are waiters: the first is woken as soon as there is a record, or the end. */
void receiver_await(channel *);

/* ---- between channel.c, sender.c and receiver.c ---- */

void end_init(channel_end *, channel *, bool sends, void (*arrived)(mail *));
void end_own(channel_end *, executor *);
/* Whether a task that was woken has still to come for what it was promised. */
static inline bool end_is_promised(const channel_end *end) {
    return end->promised && task_get(end->executor, end->promised);
}
/* The first waiter is told to try again, and nobody overtakes it. */
static inline void end_promise(channel_end *end) {
    end->promised = slab_id(&task_wake_first(&end->waiters, WAKE_READY)->head);
}

bool places_take(channel *);
void places_give(channel *, long n);
/* Gives free places to the senders that wait for one, in turn. Under the lock. */
void places_serve(channel *);

/* No sender is open: nothing more will come, though what has come may still be there. */
static inline bool channel_has_ended(channel *c) {
    return atomic_load_explicit(&c->open, memory_order_acquire) == 0;
}

sender *sender_new(channel *, executor *);
/* With what was not received. By now its channel may be gone. */
void sender_free(sender *, channel_drop *, list *closing);

/* Mail: there may be records, or the end; or the receiver is to be closed now. */
void receiver_arrived(mail *);
/* Of `took`: what was freed is there for the senders; one of them waits for it. */
void receiver_publish(touch *);
void receiver_ring(touch *);
