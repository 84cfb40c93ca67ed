/* SPDX-License-Identifier: MIT
 *
 * Channels between threads: see channel.h.
 */
#include "thread/channel.h"

#include "loop/pool.h"

#include <stdlib.h>

bool credits_take(channel *c) {
    long credits = atomic_load_explicit(&c->credits, memory_order_relaxed);
    do {
        if (credits <= 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&c->credits, &credits, credits - 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return true;
}

void credits_give(channel *c, long n) {
    atomic_fetch_add_explicit(&c->credits, n, memory_order_release);
}

void credits_serve(channel *c) {
    while (!list_empty(&c->blocked_senders) && credits_take(c)) {
        sender *s = list_entry(list_pop_front(&c->blocked_senders), sender, blocked);
        s->granted = true;
        inbox_post(&s->end.executor->inbox, &s->end.mail);
    }
    if (list_empty(&c->blocked_senders)) {
        doorbell_disarm(&c->space);
    }
}

void end_init(channel_end *end, channel *c, bool sends, void (*arrived)(mail *)) {
    *end = (channel_end){.channel = c, .sends = sends, .mail.arrived = arrived};
    list_init(&end->own);
    list_init(&end->waiters);
}

void end_own(channel_end *end, executor *ex) {
    end->executor = ex;
    list_push(&ex->ends, &end->own);
}

int channel_new(executor *ex, long capacity, channel_drop *drop, sender **s, channel **out) {
    channel *c = *out = aligned_alloc(64, sizeof *c);
    if (!c) {
        return UV_ENOMEM;
    }
    *c = (channel){.capacity = capacity, .drop = drop};
    atomic_init(&c->credits, capacity);
    atomic_init(&c->open, 1);
    *s = sender_new(c, ex);
    if (!*s) {
        free(c);
        return UV_ENOMEM;
    }
    list_init(&c->reading);
    list_init(&c->arrivals);
    list_init(&c->blocked_senders);
    list_push(&c->reading, &(*s)->link);
    c->took = (dirty_entry){.doorbell = &c->space, .publish = receiver_publish, .ring = receiver_ring};
    list_init(&c->took.link);
    pthread_mutex_init(&c->lock, NULL);
    end_init(&c->receiver, c, false, receiver_arrived);
    end_own(&c->receiver, ex);
    return 0;
}

static void free_channel(channel *c) {
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Ends the end's life on its thread: what was written there is flushed, its waiters are woken, its credit is returned. */
static void leave(channel_end *end) {
    executor *ex = end->executor;
    channel *c = end->channel;
    dirty_entry *t = end->sends ? &sender_of(end)->wrote : &c->took;
    if (end->holder) {
        *end->holder = NULL;
        end->holder = NULL;
    }
    if (!ex) {
        return;
    }
    if (list_linked(&t->link)) {
        inbox_flush(&ex->dirty);
    }
    pthread_mutex_lock(&c->lock);
    end->executor = NULL;
    inbox_withdraw(&ex->inbox, &end->mail);
    if (end->sends) {
        sender *s = sender_of(end);
        list_remove(&s->blocked);
        if (s->granted || end->promised) {
            s->granted = false;
            credits_give(c, 1);
        }
        credits_serve(c);
    } else {
        doorbell_disarm(&c->data);
    }
    pthread_mutex_unlock(&c->lock);
    end->promised = 0;
    list_remove(&end->own);
    task_wake_all(&end->waiters, WAKE_CLOSED);
}

static void close_sender(sender *s, list *closing) {
    channel *c = s->end.channel;
    channel_drop *drop = c->drop;
    pthread_mutex_lock(&c->lock);
    bool receiver_closed = atomic_load_explicit(&c->receiver_closed, memory_order_relaxed);
    bool last = atomic_fetch_sub_explicit(&c->open, 1, memory_order_release) == 1;
    executor *receiver = c->receiver.executor;
    atomic_store_explicit(&s->closed, true, memory_order_release); /* from here on the receiver may free it */
    if (receiver) {
        inbox_post(&receiver->inbox,
                   &c->receiver.mail); /* wakes the receiver, which sees the end, and frees the sender now */
    }
    pthread_mutex_unlock(&c->lock);
    if (receiver_closed) {
        sender_free(s, drop, closing);
        if (last) {
            free_channel(c);
        }
    }
}

static void close_receiver(channel *c, list *closing) {
    channel_drop *drop = c->drop;
    list closed; /* senders whose lanes nobody else will free */
    list_init(&closed);
    pthread_mutex_lock(&c->lock);
    atomic_store_explicit(&c->receiver_closed, true, memory_order_release);
    list_append(&c->reading, &c->arrivals);
    while (!list_empty(&c->reading)) {
        sender *s = list_entry(list_pop_front(&c->reading), sender, link);
        if (atomic_load_explicit(&s->closed, memory_order_relaxed)) {
            list_push(&closed, &s->link);
        } else if (s->end.executor) {
            inbox_post(&s->end.executor->inbox, &s->end.mail);
        }
    }
    bool last = channel_has_ended(c);
    pthread_mutex_unlock(&c->lock);
    while (!list_empty(&closed)) {
        sender_free(list_entry(list_pop_front(&closed), sender, link), drop, closing);
    }
    if (last) {
        free_channel(c);
    }
}

static void close_end(channel_end *end, list *closing) {
    leave(end);
    if (end->sends) {
        close_sender(sender_of(end), closing);
    } else {
        close_receiver(end->channel, closing);
    }
}

void channel_close_list(list *closing) {
    while (!list_empty(closing)) {
        close_end(list_entry(list_pop_front(closing), channel_end, own), closing);
    }
}

void channel_close(channel_end *end) {
    if (!channel_can_depart(end)) { /* the loop will close it */
        end->closing = true;
        *end->holder = NULL;
        end->holder = NULL;
        inbox_post(&end->executor->inbox, &end->mail);
        return;
    }
    list closing;
    list_init(&closing);
    close_end(end, &closing);
    channel_close_list(&closing);
}

void channel_close_all(executor *ex) {
    while (!list_empty(&ex->ends)) {
        channel_end *end = list_entry(list_first(&ex->ends), channel_end, own);
        if (!end->sends) {
            end->channel->busy = false; /* no message is being received any more */
        }
        channel_close(end);
    }
}

static bool others_exist(const executor *ex) {
    return ex->threads.own || ex->threads.count || pools_may_tell(ex);
}

void channel_keep_alive(task *t) {
    if (others_exist(t->executor)) {
        task_keep_alive(t);
    }
}

void channel_drop_keepalives(executor *ex) {
    if (others_exist(ex)) {
        return;
    }
    for (const list *end = ex->ends.next; end != &ex->ends; end = end->next) {
        const list *waiters = &list_entry(end, channel_end, own)->waiters;
        for (const list *node = waiters->next; node != waiters; node = node->next) {
            task *t = waiter_task(list_entry(node, waiter, link));
            if (t->selecting && t->set->keepalive) {
                continue;
            }
            ex->keepalive -= t->keepalive;
            t->keepalive = false;
        }
    }
}

void channel_count(const executor *ex, uint64_t *channels, uint64_t *messages) {
    *channels = *messages = 0;
    for (const list *node = ex->ends.next; node != &ex->ends; node = node->next) {
        const channel_end *end = list_entry(node, channel_end, own);
        if (!end->sends) {
            channel *c = end->channel;
            long taken = c->capacity - atomic_load_explicit(&c->credits, memory_order_relaxed) - c->freed;
            *channels += 1;
            *messages += taken > 0 ? (uint64_t)taken : 0;
        }
    }
}

void channel_depart(channel_end *end) {
    leave(end);
}

void channel_arrive(channel_end *end, executor *ex, void **holder) {
    channel *c = end->channel;
    pthread_mutex_lock(&c->lock);
    end_own(end, ex);
    if (end->sends && atomic_load_explicit(&c->receiver_closed, memory_order_relaxed)) {
        inbox_post(&ex->inbox, &end->mail); /* the end was nobody's when that was told */
    }
    pthread_mutex_unlock(&c->lock);
    end->holder = holder;
    *holder = end;
}
