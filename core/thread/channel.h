/* SPDX-License-Identifier: MIT
 *
 * A channel between threads: many senders, one receiver, bounded.
 *
 *   thread A   sender --lane--.
 *   thread A   sender --lane---+--> receiver   thread B        data: the doorbell that a waiting receiver arms
 *   thread C   sender --lane--'         |                      space: the doorbell that senders without a credit arm
 *                 ^                     |
 *                 '------- credits <----'  one for each record that was received
 *
 * A lane belongs to one sender, and the receiver reads the lanes in turn; so there is an order for each sender, and none
 * between them. A credit permits one record: the channel starts with as many as its capacity, a sender takes one before it
 * pushes, and the receiver returns them in batches, at the latest when its task suspends. Taking a credit is the only
 * locked instruction on the way of a message, since several senders must agree on the last one.
 *
 * An end belongs to one thread at a time. It can be given away in a message: then it is under way, and belongs to
 * nobody, until it arrives or is closed with what it was in. Whatever is not on the way of a message is under the lock.
 *
 * A message is what the caller puts into the record: see lane.h. */
#pragma once
#include "loop/inbox.h"
#include "base/lane.h"
#include "loop/task.h"

typedef struct channel channel;

typedef struct channel_end {
    list own;           /* in executor.ends while it has one */
    executor *executor; /* of its thread; NULL: under way, or closed. Other threads read it under the lock */
    void **holder;      /* the handle's pointer to the end; set to NULL when the end is closed or departs */
    channel *channel;
    bool sends;
    bool closing;      /* its next mail closes it */
    list waiters;      /* tasks */
    uint64_t promised; /* id of the task that was woken to come next, or 0 */
    mail mail;         /* has its thread look again: see receiver_arrived and sender_arrived */
} channel_end;

/* A message that nobody will receive. The ends in it, linked by `own`, come onto the list of those to be closed. */
typedef void channel_drop(const lane_record *, list *closing);

/* Allocated with an alignment of 64 bytes. */
typedef struct sender {
    lane lane;
    channel_end end;
    list link;          /* in channel.arrivals or channel.reading */
    list blocked;       /* in channel.blocked_senders. Guarded */
    bool granted;       /* a credit was taken for it, and it has not come for it yet. Guarded */
    atomic_bool closed; /* nothing more will come */
    dirty_entry wrote;  /* it has pushed records: the doorbell is channel.data */
    uint64_t rang_ns;   /* when it last rang before its task suspended */
} sender;

static inline sender *sender_of(channel_end *end) {
    return list_entry(end, sender, end);
}

/* Allocated with an alignment of 64 bytes. */
struct channel {
    alignas(64) atomic_long credits;
    long capacity;
    alignas(64) doorbell data;
    doorbell space;
    atomic_bool changed; /* there are arrivals */
    atomic_bool receiver_closed;
    atomic_uint open; /* senders that are */

    alignas(64) channel_end receiver; /* its thread's, down to `turns` */
    list reading;                     /* the senders that it knows; first the one whose turn it is */
    dirty_entry took;                 /* it has received records: the doorbell is channel.space */
    long freed;                       /* credits that it has not returned yet */
    bool busy;                        /* a record is being received: its end can't depart or close now */
    unsigned turns;                   /* records of the first sender in a row */

    pthread_mutex_t lock;
    list arrivals;        /* senders that are not in `reading` yet. Guarded */
    list blocked_senders; /* that wait for a credit, first come first. Guarded */
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
void channel_keep_alive(task *);
/* The receivers that the executor has, and the messages that they have not received yet. */
void channel_count(const executor *, uint64_t *channels, uint64_t *messages);
/* The executor's last thread has ended: if nobody else can have the other ends, its tasks that wait for ends wait for each
 * other, and no longer for something from outside. */
void channel_drop_keepalives(executor *);

/* The end goes under way: its handle has it no more, its waiters are woken with WAKE_CLOSED. */
void channel_depart(channel_end *);
/* An end that was under way comes to be this executor's, held by *holder. */
void channel_arrive(channel_end *, executor *, void **holder);
/* Whether the end can depart: a receiver can't while it receives a message. */
static inline bool channel_can_depart(const channel_end *end) {
    return end->sends || !end->channel->busy;
}

/* Takes a credit for the task. 1: it may push one record, or gives the credit back by sender_return_credit; 0: it must
 * wait, if it wants to; UV_EPIPE: nobody will receive. woken: the task has waited and was woken. */
int sender_take_credit(sender *, const task *, bool woken);
void sender_return_credit(sender *);
/* A task that was woken is about to do what may raise: the credit that it was promised goes to the next one in the queue,
 * unless the task takes it before it suspends. */
void sender_keep_credit(sender *, const task *);
/* The sender has a credit: memory for the record, or NULL; and then the push of it. */
static inline void *sender_reserve(sender *s, size_t size) {
    return lane_reserve(&s->lane, size);
}
void sender_push(sender *, uint32_t kind, size_t size);
/* The caller has parked a task among the waiters: mail will wake it when there is a credit. */
void sender_await(sender *);

/* Looks for the oldest record of some sender: 1, and the channel is busy until receiver_pop; 0: the task must wait; UV_EOF.
 * woken: it has waited and was woken. */
int receiver_peek(channel *, const task *, bool woken, lane_record *);
void receiver_pop(channel *);
/* Whether a task that comes now would not have to wait. */
bool receiver_ready(channel *);
/* The caller has parked a task among the waiters: the first of them is woken as soon as there is a record, or the end. */
void receiver_await(channel *);

/* ---- between channel.c, sender.c and receiver.c ---- */

void end_init(channel_end *, channel *, bool sends, void (*arrived)(mail *));
void end_own(channel_end *, executor *);
/* Whether a task that was woken is alive and has yet to come for what it was promised. */
static inline bool end_is_promised(const channel_end *end) {
    return end->promised && task_get(end->executor, end->promised);
}
/* The first waiter is told to try again, and nobody overtakes it. */
static inline void end_promise(channel_end *end) {
    end->promised = slab_id(&task_wake_first(&end->waiters, WAKE_READY)->head);
}

bool credits_take(channel *);
void credits_give(channel *, long n);
/* Gives what credits there are to the blocked senders, in turn. Under the lock. */
void credits_serve(channel *);

/* No sender is open: nothing more will come, though what has come may still be there. */
static inline bool channel_has_ended(channel *c) {
    return atomic_load_explicit(&c->open, memory_order_acquire) == 0;
}

sender *sender_new(channel *, executor *);
/* Frees the sender with what was not received. Its channel may be gone by now. */
void sender_free(sender *, channel_drop *, list *closing);

/* Mail to the receiver: there may be records, or the end; or it is to be closed now. */
void receiver_arrived(mail *);
/* What `took` calls: returns the credits; and gives them to the blocked senders. */
void receiver_publish(dirty_entry *);
void receiver_ring(dirty_entry *);
