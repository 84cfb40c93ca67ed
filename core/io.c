/* SPDX-License-Identifier: MIT
 *
 * Readiness: see io.h.
 */
#include "io.h"

#include <stdlib.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events) {
    io *o = poll->data;
    if (status < 0) { /* an error state of the descriptor: libuv has ended the watch, and a system call will tell */
        o->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    io_event(o->executor, slab_id(&o->head), events);
}

static void on_close(uv_handle_t *handle) {
    io *o = handle->data;
    io_drop_data(o);
    slab_release(&o->executor->ios, o);
}

int io_open(executor *ex, int fd, io **out) {
    *out = NULL;
    void *slot;
    int status = slab_take(&ex->ios, &slot);
    if (status < 0) {
        close(fd);
        return UV_ENOMEM;
    }
    io *o = slot;
    status = uv_poll_init(&ex->loop, &o->poll, fd);
    if (status < 0) {
        slab_release(&ex->ios, o);
        close(fd);
        return status;
    }
    o->poll.data = o;
    o->executor = ex;
    o->fd = fd;
    o->armed = 0;
    o->ready = UV_READABLE | UV_WRITABLE;
    o->listening = o->broken = false;
    o->end_code = 0;
    list_init(&o->readers);
    list_init(&o->writers);
    o->reader = o->writer = 0;
    o->timeout = -1;
    o->data = NULL;
    o->start = o->end = o->capacity = 0;
    o->read_ahead = o->settle = NULL;
    list_push(&ex->io_open, &o->open);
    *out = o;
    return 0;
}

void io_close(io *o) {
    executor *ex = o->executor;
    slab_expire(&ex->ios, o);
    list_remove(&o->open);
    task_wake_all(&o->readers, WAKE_CLOSED);
    task_wake_all(&o->writers, WAKE_CLOSED);
    uv_close((uv_handle_t *)&o->poll, on_close);
    close(o->fd);
}

void io_claim_scratch(io *o) {
    executor *ex = o->executor;
    if (ex->scratch_holder) {
        ex->scratch_holder->settle(ex->scratch_holder);
    }
    ex->scratch_holder = o;
    o->data = ex->scratch;
    o->capacity = EXECUTOR_SCRATCH;
}

void io_drop_data(io *o) {
    if (o->executor->scratch_holder == o) {
        o->executor->scratch_holder = NULL;
    } else {
        free(o->data);
    }
    o->data = NULL;
    o->start = o->end = o->capacity = 0;
}

static int watch(io *o, int events) {
    if (events == o->armed) {
        return 0;
    }
    int status = events ? uv_poll_start(&o->poll, events, on_poll) : uv_poll_stop(&o->poll);
    if (status == 0) {
        o->armed = (uint8_t)events;
    }
    return status;
}

int io_wait(io *o, task *t, int direction, const char *waits_for, uint64_t deadline_ms, bool first) {
    int status = watch(o, o->armed | direction);
    if (status < 0) {
        return status;
    }
    list *waiters = direction == UV_READABLE ? &o->readers : &o->writers;
    task_park(t, waits_for, deadline_ms, WAKE_TIMEOUT);
    list_push(first ? waiters->next : waiters, &t->place.link);
    task_wait_outside(t);
    return 0;
}

static task *first_waiter(io *o, int direction) {
    list *waiters = direction == UV_READABLE ? &o->readers : &o->writers;
    if (list_empty(waiters)) {
        return NULL;
    }
    task *t = list_entry(waiters->next, task, place.link);
    /* Behind a write whose task is awake, the others wait for their turn, not for the descriptor. */
    return direction == UV_WRITABLE && o->writer && slab_id(&t->head) != o->writer ? NULL : t;
}

static void unwatched_event(io *o, int direction) {
    if (direction == UV_READABLE && o->read_ahead && !o->data && !o->end_code) {
        o->read_ahead(o);
        return;
    }
    if (o->listening && !o->executor->waits) {
        return; /* an acceptor that is ready now will come for it */
    }
    watch(o, o->armed & ~direction); /* stopping can't fail */
}

void io_event(executor *ex, uint64_t id, int events) {
    io *o = slab_get(&ex->ios, id);
    if (!o) {
        ex->stale_events++;
        return;
    }
    for (int direction = UV_READABLE; direction <= UV_WRITABLE; direction <<= 1) {
        if (!(events & direction)) {
            continue;
        }
        task *t = first_waiter(o, direction);
        o->ready |= (uint8_t)direction;
        if (t) {
            task_wake(t, WAKE_READY);
            if (direction == UV_READABLE && o->read_ahead && ex->woken > EXECUTOR_WINDOW) {
                o->read_ahead(o); /* its task won't run before the next poll, which would report it again */
            }
        } else if (o->armed & direction) {
            unwatched_event(o, direction);
        }
    }
}
