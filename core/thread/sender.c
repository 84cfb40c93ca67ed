/* SPDX-License-Identifier: MIT
 *
 * Senders of channels: see channel.h.
 */
#include "thread/channel.h"

#include <stdlib.h>

/* The shortest time between two rings of a task that has not suspended: its messages reach a waiting receiver at once, but
 * telling is not all that the two threads do. */
enum { RING_NS = 50000 };

static void ring(dirty_entry *t) {
    channel *c = list_entry(t, sender, wrote)->end.channel;
    pthread_mutex_lock(&c->lock);
    if (c->receiver.executor) {
        doorbell_disarm(&c->data);
        inbox_post(&c->receiver.executor->inbox, &c->receiver.mail);
    }
    pthread_mutex_unlock(&c->lock);
}

/* The credit that was promised to a task is returned when that has ended without coming for it. */
static void reclaim(sender *s) {
    if (s->end.promised && !end_is_promised(&s->end)) {
        s->end.promised = 0;
        sender_return_credit(s);
    }
}

/* Takes over the credit that was granted to this sender: whether there was one. */
static bool take_granted(sender *s) {
    pthread_mutex_lock(&s->end.channel->lock);
    bool granted = s->granted;
    s->granted = false;
    pthread_mutex_unlock(&s->end.channel->lock);
    return granted;
}

/* Drops what is in the lane, once its receiver will not read it. */
static void drop_records(sender *s, channel_drop *drop, list *closing) {
    lane_record r;
    while (lane_peek(&s->lane, &r)) {
        drop(&r, closing);
        lane_pop(&s->lane);
    }
}

/* Mail to the sender: a credit was granted, or the receiver is closed. Then what was not received is dropped now: it may hold
 * ends of other channels, which somebody waits for, and this sender may stay open for long. */
static void sender_arrived(mail *m) {
    channel_end *end = list_entry(m, channel_end, mail);
    sender *s = sender_of(end);
    channel *c = end->channel;
    if (atomic_load_explicit(&c->receiver_closed, memory_order_acquire)) {
        task_wake_all(&end->waiters, WAKE_READY);
        list closing;
        list_init(&closing);
        drop_records(s, c->drop, &closing);
        channel_close_list(&closing);
        return;
    }
    bool granted = take_granted(s);
    if (granted && list_empty(&end->waiters)) {
        sender_return_credit(s);
    } else if (granted) {
        end_promise(end);
    }
}

sender *sender_new(channel *c, executor *ex) {
    sender *s = aligned_alloc(64, sizeof *s);
    if (!s || lane_init(&s->lane) < 0) {
        free(s);
        return NULL;
    }
    end_init(&s->end, c, true, sender_arrived);
    list_init(&s->link);
    list_init(&s->blocked);
    s->granted = false;
    s->rang_ns = 0;
    atomic_init(&s->closed, false);
    s->wrote = (dirty_entry){.doorbell = &c->data, .ring = ring};
    list_init(&s->wrote.link);
    end_own(&s->end, ex);
    return s;
}

sender *sender_clone(sender *other) {
    channel *c = other->end.channel;
    sender *s = sender_new(c, other->end.executor);
    if (s) {
        pthread_mutex_lock(&c->lock);
        atomic_fetch_add_explicit(&c->open, 1, memory_order_relaxed);
        if (!atomic_load_explicit(&c->receiver_closed, memory_order_relaxed)) {
            list_push(&c->arrivals, &s->link);
            atomic_store_explicit(&c->changed, true, memory_order_release);
        }
        pthread_mutex_unlock(&c->lock);
    }
    return s;
}

/* Takes a credit after the senders that are blocked already, of which this one is none any more. The receiver returns credits
 * at the latest when its task suspends: for a sender on the same thread that may be too late, so they are returned here. */
static bool take_credit_in_turn(sender *s) {
    channel *c = s->end.channel;
    pthread_mutex_lock(&c->lock);
    if (c->receiver.executor == s->end.executor) {
        receiver_publish(&c->took);
    }
    list_remove(&s->blocked);
    credits_serve(c);
    bool taken = s->granted || (list_empty(&c->blocked_senders) && credits_take(c));
    s->granted = false;
    pthread_mutex_unlock(&c->lock);
    return taken;
}

void sender_keep_credit(sender *s, const task *t) {
    channel_end *end = &s->end;
    if (end->promised != slab_id(&t->head)) {
        return;
    }
    end->promised = 0;
    pthread_mutex_lock(&end->channel->lock);
    s->granted = true;
    pthread_mutex_unlock(&end->channel->lock);
    inbox_post(&end->executor->inbox, &end->mail);
}

int sender_take_credit(sender *s, const task *t, bool woken) {
    channel_end *end = &s->end;
    if (atomic_load_explicit(&end->channel->receiver_closed, memory_order_relaxed)) {
        return UV_EPIPE;
    }
    if (woken && (end->promised == slab_id(&t->head) || take_granted(s))) {
        end->promised = 0;
        if (!list_empty(&end->waiters)) {
            sender_await(s);
        }
        return 1;
    }
    reclaim(s);
    if (end->promised || !list_empty(&end->waiters)) {
        return 0;
    }
    return (!doorbell_armed(&end->channel->space) && credits_take(end->channel)) || take_credit_in_turn(s);
}

void sender_return_credit(sender *s) {
    channel *c = s->end.channel;
    pthread_mutex_lock(&c->lock);
    credits_give(c, 1);
    credits_serve(c);
    pthread_mutex_unlock(&c->lock);
}

/* Whether a waiting receiver is told now, rather than when the task suspends: see RING_NS. */
static bool is_time_to_ring(sender *s) {
    if (!doorbell_armed(&s->end.channel->data)) {
        return false;
    }
    uint64_t now_ns = uv_hrtime();
    bool long_ago = now_ns - s->rang_ns >= RING_NS;
    s->rang_ns = long_ago ? now_ns : s->rang_ns;
    return long_ago;
}

void sender_push(sender *s, uint32_t kind, size_t size) {
    lane_commit(&s->lane, kind, size);
    if (is_time_to_ring(s)) {
        ring(&s->wrote);
    } else {
        dirty_mark(&s->end.executor->dirty, &s->wrote);
    }
}

void sender_await(sender *s) {
    channel *c = s->end.channel;
    if (s->end.promised) { /* the task that comes for it will ask for the next one */
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (!s->granted && !list_linked(&s->blocked)) {
        list_push(&c->blocked_senders, &s->blocked);
        doorbell_arm(&c->space);
        credits_serve(c); /* there may be a credit by now */
    }
    pthread_mutex_unlock(&c->lock);
    if (atomic_load_explicit(&c->receiver_closed, memory_order_acquire)) {
        inbox_post(&s->end.executor->inbox,
                   &s->end.mail); /* the receiver was closed meanwhile, and may have missed this sender */
    }
}

void sender_free(sender *s, channel_drop *drop, list *closing) {
    drop_records(s, drop, closing);
    lane_deinit(&s->lane);
    free(s);
}
