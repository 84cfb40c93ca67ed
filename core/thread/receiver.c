/* SPDX-License-Identifier: MIT
 *
 * Receivers of channels: see channel.h.
 */
#include "thread/channel.h"

#include <stdlib.h>

enum {
    IN_A_ROW = 64,  /* records that are received of one sender before the next has its turn */
    BATCH_MAX = 64, /* credits that are returned at once */
};

void receiver_publish(dirty_entry *t) {
    channel *c = list_entry(t, channel, took);
    if (c->freed) {
        credits_give(c, c->freed);
        c->freed = 0;
    }
}

void receiver_ring(dirty_entry *t) {
    channel *c = list_entry(t, channel, took);
    pthread_mutex_lock(&c->lock);
    credits_serve(c);
    pthread_mutex_unlock(&c->lock);
}

/* Finds the next record of any sender, in turn; frees the senders that have ended. */
static bool find_record(channel *c, lane_record *r) {
    if (atomic_load_explicit(&c->changed, memory_order_acquire)) {
        pthread_mutex_lock(&c->lock);
        atomic_store_explicit(&c->changed, false, memory_order_relaxed);
        list_append(&c->reading, &c->arrivals);
        pthread_mutex_unlock(&c->lock);
    }
    const list *first = NULL;
    while (!list_empty(&c->reading) && c->reading.next != first) {
        sender *s = list_entry(list_first(&c->reading), sender, link);
        bool closed = atomic_load_explicit(&s->closed, memory_order_acquire); /* before the last look */
        if (c->turns < IN_A_ROW && lane_peek(&s->lane, r)) {
            return true;
        }
        list_remove(&s->link);
        if (closed && c->turns < IN_A_ROW) {
            lane_deinit(&s->lane);
            free(s);
        } else {
            list_push(&c->reading, &s->link);
            if (c->turns < IN_A_ROW && !first) {
                first = &s->link;
            }
        }
        c->turns = 0;
    }
    return false;
}

/* Looks at the lanes: 1: there is a record; UV_EOF: there will be none; 0: neither yet. */
static int look(channel *c, lane_record *r) {
    bool ended = channel_has_ended(c); /* before the last look */
    return find_record(c, r) ? 1 : ended ? UV_EOF : 0;
}

void receiver_arrived(mail *m) {
    channel_end *end = list_entry(m, channel_end, mail);
    if (end->closing) {
        end->channel->busy = false;
        channel_close(end);
    } else if (!list_empty(&end->waiters)) {
        receiver_await(end->channel);
    }
}

void receiver_await(channel *c) {
    if (end_is_promised(&c->receiver)) { /* the task that comes for it looks again */
        return;
    }
    doorbell_arm(&c->data);
    lane_record r;
    int found = look(c, &r);
    if (found == 0) {
        return;
    }
    doorbell_disarm(&c->data);
    if (found == UV_EOF) {
        task_wake_all(&c->receiver.waiters, WAKE_READY);
    } else {
        end_promise(&c->receiver);
    }
}

int receiver_peek(channel *c, const task *t, bool woken, lane_record *r) {
    channel_end *end = &c->receiver;
    bool mine = woken && end->promised == slab_id(&t->head);
    if (!mine && (end_is_promised(end) || !list_empty(&end->waiters))) {
        return 0;
    }
    end->promised = 0;
    int found = look(c, r);
    c->busy = found == 1;
    if (found == 1 && !list_empty(&end->waiters)) { /* the next task is woken even if this one fails to receive */
        inbox_post(&end->executor->inbox, &end->mail);
    }
    return found;
}

void receiver_pop(channel *c) {
    sender *s = list_entry(list_first(&c->reading), sender, link);
    c->busy = false;
    lane_pop(&s->lane);
    c->turns++;
    c->freed++;
    if (c->freed >= BATCH_MAX || 4 * c->freed >= c->capacity) {
        receiver_publish(&c->took);
        if (doorbell_armed(&c->space)) {
            receiver_ring(&c->took);
        }
    }
    dirty_mark(&c->receiver.executor->dirty, &c->took);
}

bool receiver_ready(channel *c) {
    lane_record r;
    return !end_is_promised(&c->receiver) && list_empty(&c->receiver.waiters) && look(c, &r);
}
