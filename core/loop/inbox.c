/* SPDX-License-Identifier: MIT
 *
 * Mail and doorbells: see inbox.h.
 */
#include "loop/inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "loop/system.h"

int inbox_init(inbox *i) {
    *i = (inbox){.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (i->wake < 0) {
        return uv_translate_sys_error(errno);
    }
    list_init(&i->mail);
    pthread_mutex_init(&i->lock, NULL);
    return 0;
}

void inbox_deinit(inbox *i) {
    close(i->wake);
    pthread_mutex_destroy(&i->lock);
}

/* It can't fail: the counter, which nobody reads, is full after 2^64 of them. */
static void ring_eventfd(const inbox *i) {
    (void)!system_write(i->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void inbox_post(inbox *i, mail *m) {
    pthread_mutex_lock(&i->lock);
    if (!m->posted) {
        m->posted = true;
        list_push(&i->mail, &m->link);
        atomic_store_explicit(&i->has_mail, true, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in doorbell_arm */
        if (doorbell_armed(&i->sleeping)) {
            doorbell_disarm(&i->sleeping);
            ring_eventfd(i);
        }
    }
    pthread_mutex_unlock(&i->lock);
}

void inbox_withdraw(inbox *i, mail *m) {
    pthread_mutex_lock(&i->lock);
    if (m->posted) {
        m->posted = false;
        list_remove(&m->link);
    }
    pthread_mutex_unlock(&i->lock);
}

/* Mail that is posted meanwhile waits for the next time, so that two threads can't hold a loop up by answering each other. */
void inbox_take(inbox *i) {
    list batch;
    list_init(&batch);
    pthread_mutex_lock(&i->lock);
    atomic_store_explicit(&i->has_mail, false, memory_order_relaxed);
    list_append(&batch, &i->mail);
    while (!list_empty(&batch)) { /* inbox_withdraw may take some out, under the lock */
        mail *m = list_entry(list_pop_front(&batch), mail, link);
        m->posted = false;
        pthread_mutex_unlock(&i->lock);
        m->arrived(m);
        pthread_mutex_lock(&i->lock);
    }
    pthread_mutex_unlock(&i->lock);
}

bool inbox_sleep(inbox *i) {
    doorbell_arm(&i->sleeping);
    return !inbox_has_mail(i);
}

void inbox_flush(list *dirty) {
    for (list *node = dirty->next; node != dirty; node = node->next) {
        dirty_entry *t = list_entry(node, dirty_entry, link);
        if (t->publish) {
            t->publish(t);
        }
    }
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in doorbell_arm */
    while (!list_empty(dirty)) {
        dirty_entry *t = list_entry(list_pop_front(dirty), dirty_entry, link);
        if (doorbell_armed(t->doorbell)) {
            t->ring(t);
        }
    }
}
