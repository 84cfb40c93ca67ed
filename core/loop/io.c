/* SPDX-License-Identifier: MIT
 *
 * Readiness: see io.h.
 */
#include "loop/io.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LIBUV, INBOX }; /* in place of a token's id; neither is one */

static int control(const executor *ex, int operation, int fd, uint32_t events, uint64_t id) {
    struct epoll_event event = {.events = events, .data.u64 = id};
    return epoll_ctl(ex->poll_fd, operation, fd, &event) < 0 ? io_last_error() : 0;
}

int io_poll_init(executor *ex) {
    list_init(&ex->io_open);
    list_init(&ex->io_closed);
    uv_run(&ex->loop, UV_RUN_NOWAIT); /* from here on its epoll knows what wakes it: see executor.loop */
    ex->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ex->poll_fd < 0) {
        return io_last_error();
    }
    int status = control(ex, EPOLL_CTL_ADD, uv_backend_fd(&ex->loop), EPOLLIN, LIBUV);
    if (status == 0) {
        status = control(ex, EPOLL_CTL_ADD, ex->inbox.wake, EPOLLIN, INBOX);
    }
    if (status < 0) {
        close(ex->poll_fd);
    }
    return status;
}

void io_poll(executor *ex, int timeout_ms) {
    struct epoll_event events[EXECUTOR_WINDOW]; /* more could not run before the next poll */
    bool libuv = uv_loop_alive(&ex->loop) && uv_backend_timeout(&ex->loop) == 0; /* it need not wait for an event */
    int n = epoll_wait(ex->poll_fd, events, EXECUTOR_WINDOW, libuv ? 0 : timeout_ms);
    for (int i = 0; i < n; i++) {
        uint32_t mask = events[i].events;
        int all = mask & (EPOLLRDHUP | EPOLLPRI) ? UV_DISCONNECT : 0;
        if (events[i].data.u64 == LIBUV) {
            libuv = true;
            continue;
        }
        if (events[i].data.u64 == INBOX) { /* its mail is taken after the poll */
            inbox_quiet(&ex->inbox);
            continue;
        }
        if (mask & (EPOLLERR | EPOLLHUP)) { /* a system call will tell */
            mask |= EPOLLIN | EPOLLOUT;
            all = UV_DISCONNECT;
        }
        all |= (mask & EPOLLIN ? UV_READABLE : 0) | (mask & EPOLLOUT ? UV_WRITABLE : 0);
        io_event(ex, events[i].data.u64, all);
    }
    if (libuv) {
        uv_run(&ex->loop, UV_RUN_NOWAIT);
    }
}

void io_release_closed(executor *ex) {
    while (!list_empty(&ex->io_closed)) {
        io *o = list_entry(list_pop_front(&ex->io_closed), io, open);
        io_drop_data(o);
        slab_release(&ex->ios, o);
    }
}

static void do_nothing(int signal_number) {
    (void)signal_number;
}

void io_survive(int signal_number) {
    struct sigaction now, action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(signal_number, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        sigaction(signal_number, &action, NULL);
    }
}

bool io_has_events(const executor *ex, int fd) {
    int status = control(ex, EPOLL_CTL_ADD, fd, 0, 0);
    if (status == 0) {
        control(ex, EPOLL_CTL_DEL, fd, 0, 0);
    }
    return status != UV_EPERM; /* epoll's word for what is always ready */
}

int io_open(executor *ex, int fd, io **out) {
    static const io_hooks none;
    *out = NULL;
    void *slot;
    int status = slab_take(&ex->ios, &slot);
    if (status < 0) {
        close(fd);
        return UV_ENOMEM;
    }
    io *o = slot;
    o->executor = ex;
    o->fd = fd;
    o->armed = o->waits = 0;
    o->ready = UV_READABLE | UV_WRITABLE;
    o->read_waits = UV_READABLE;
    o->write_waits = UV_WRITABLE;
    o->listening = o->drains = o->broken = o->pending = false;
    o->end_code = 0;
    list_init(&o->readers);
    list_init(&o->writers);
    o->reader = o->writer = 0;
    o->timeout = -1;
    o->data = NULL;
    o->start = o->end = o->capacity = 0;
    o->hooks = &none;
    o->layer = NULL;
    list_push(&ex->io_open, &o->open);
    *out = o;
    return 0;
}

void io_claim_scratch(io *o) {
    executor *ex = o->executor;
    if (ex->scratch_holder) {
        ex->scratch_holder->hooks->settle(ex->scratch_holder);
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

int io_watch(io *o, int directions) {
    int armed = o->armed | directions;
    if (armed == o->armed) {
        return 0;
    }
    uint32_t events =
        EPOLLET | (armed & UV_READABLE ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : 0u) | (armed & UV_WRITABLE ? EPOLLOUT : 0u);
    int status = control(o->executor, o->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, o->fd, events, slab_id(&o->head));
    if (status == 0) {
        o->armed = (uint8_t)armed;
    }
    return status == UV_EPERM ? UV_EAGAIN : status;
}

void io_close(io *o) {
    executor *ex = o->executor;
    if (o->hooks->closing) {
        o->hooks->closing(o);
    }
    if (o->armed) { /* closing alone would not end it where another process has the descriptor too */
        control(ex, EPOLL_CTL_DEL, o->fd, 0, 0);
    }
    close(o->fd);
    slab_expire(&ex->ios, o);
    list_remove(&o->open);
    list_push(&ex->io_closed, &o->open);
    task_wake_all(&o->readers, WAKE_CLOSED);
    task_wake_all(&o->writers, WAKE_CLOSED);
}

static list *waiters_of(io *o, int direction) {
    return direction == UV_READABLE ? &o->readers : &o->writers;
}

int io_wait(io *o, task *t, int direction, const char *waits_for, uint64_t deadline_ms, bool first) {
    int status = io_watch(o, direction == UV_READABLE ? o->read_waits : o->write_waits);
    if (status < 0) {
        return status;
    }
    list *waiters = waiters_of(o, direction);
    task_park(t, waits_for, deadline_ms, WAKE_TIMEOUT);
    list_push(first ? waiters->next : waiters, &t->place.link);
    task_wait_outside(t);
    return 0;
}

void io_wake_first(io *o, int direction) {
    list *waiters = waiters_of(o, direction);
    if (list_empty(waiters)) {
        return;
    }
    task *t = list_entry(waiters->next, task, place.link);
    /* Behind a write whose task is awake, the others wait for their turn, not for the descriptor. */
    if (direction == UV_READABLE || !o->writer || slab_id(&t->head) == o->writer) {
        task_wake(t, WAKE_READY);
    }
}

void io_event(executor *ex, uint64_t id, int events) {
    io *o = slab_get(&ex->ios, id);
    if (!o) {
        ex->stale_events++;
        return;
    }
    if (events & UV_DISCONNECT) {
        o->drains = false;
    }
    o->ready |= (uint8_t)(events & (UV_READABLE | UV_WRITABLE));
    if (o->pending && (events & UV_WRITABLE)) {
        o->hooks->writable(o);
    }
    if (events & o->read_waits) {
        io_wake_first(o, UV_READABLE);
    }
    if (events & o->write_waits) {
        io_wake_first(o, UV_WRITABLE);
    }
}
