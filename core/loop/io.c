/* SPDX-License-Identifier: MIT
 *
 * Readiness: see io.h.
 */
#include "loop/io.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIBUV, INBOX }; /* in place of a token's id; neither is one */

/* What stands in the inbox is taken after the poll, whatever woke it. */
static void tell(poller *p, uint64_t id, int events) {
    executor *ex = list_entry(p, executor, poller);
    if (id == LIBUV) {
        uv_run(&ex->loop, UV_RUN_NOWAIT);
    } else if (id != INBOX) {
        io_event(ex, id, events);
    }
}

static transfer *transfer_of(poller *p, uint64_t id) {
    io *o = slab_get(&list_entry(p, executor, poller)->ios, id);
    return o ? &o->transfer : NULL;
}

static void lost(poller *p) {
    executor *ex = list_entry(p, executor, poller);
    uint32_t cursor = 0;
    for (io *o; (o = io_next_open(ex, &cursor));) {
        if (o->transfer.state >= RECEIVED_NOW) {
            o->transfer.state = RECEIVED_MAY;             /* what has come is there to be read */
            io_event(ex, slab_id(&o->head), UV_READABLE); /* a system call tells */
        }
    }
}

/* A task has ended the process: what others have written goes out. */
static void flush_at_exit(void) {
    if (executor_running) {
        poller_flush(&executor_running->poller);
    }
}

static pthread_once_t exits = PTHREAD_ONCE_INIT;

static void arrange_flush(void) {
    atexit(flush_at_exit);
}

int io_poll_init(executor *ex) {
    ex->io_closed = NULL;
    list_init(&ex->io_idle);
    uv_run(&ex->loop, UV_RUN_NOWAIT); /* from here on its descriptor knows what wakes it: see executor.loop */
    int status = poller_init(&ex->poller, tell, transfer_of, lost);
    if (status < 0) {
        return status;
    }
    if (ex->poller.driver->flush) {
        pthread_once(&exits, arrange_flush);
    }
    status = poller_arm(&ex->poller, uv_backend_fd(&ex->loop), LIBUV, UV_READABLE, &(uint8_t){0});
    if (status == 0) {
        status = poller_arm(&ex->poller, ex->inbox.wake, INBOX, UV_READABLE, &(uint8_t){0});
    }
    if (status < 0) {
        poller_deinit(&ex->poller);
    }
    return status;
}

void io_release_closed(executor *ex) {
    for (io *o; (o = ex->io_closed);) {
        ex->io_closed = o->closed;
        io_drop_data(o);
        slab_release(&ex->ios, o);
    }
}

io *io_next_open(const executor *ex, uint32_t *cursor) {
    io *o;
    do {
        o = slab_next(&ex->ios, cursor);
    } while (o && !slab_live(&o->head));
    return o;
}

void io_close_all(executor *ex) {
    while (ex->ios.live) { /* what is told of a close may open others */
        uint32_t cursor = 0;
        for (io *o; (o = io_next_open(ex, &cursor));) {
            io_close(o);
        }
    }
    io_release_closed(ex);
}

_Static_assert(sizeof(io) <= 192, "an io takes three lines of the cache");

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

bool io_has_events(executor *ex, int fd) {
    uint8_t armed = 0;
    int status = poller_arm(&ex->poller, fd, LIBUV, UV_READABLE, &armed);
    if (status == 0) {
        poller_disarm(&ex->poller, fd);
    }
    return status != UV_EPERM;
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
    o->listening = o->in_turn = o->drains = o->broken = o->cut = o->resets = o->pending = o->shared = o->unwatched =
        o->driven = false;
    o->failed = 0;
    o->end_code = 0;
    list_init(&o->readers);
    list_init(&o->writers);
    o->reader = o->writer = 0;
    o->lent = false;
    o->timeout = -1;
    o->silence_ms = IO_NO_SILENCE;
    o->data = NULL;
    o->start = o->end = o->capacity = 0;
    o->hooks = &none;
    o->layer = NULL;
    o->idle = NULL;
    o->transfer = (transfer){.state = RECEIVED_NEVER};
    *out = o;
    return 0;
}

void io_claim_scratch(io *o) {
    executor *ex = o->executor;
    if (ex->scratch.holder) {
        ex->scratch.holder->hooks->spill(ex->scratch.holder);
    }
    ex->scratch.holder = o;
    o->data = ex->scratch.bytes;
    o->capacity = EXECUTOR_SCRATCH + EXECUTOR_BEYOND;
}

void io_drop_data(io *o) {
    if (o->executor->scratch.holder == o) {
        o->executor->scratch.holder = NULL;
    } else {
        free(o->data);
    }
    o->data = NULL;
    o->start = o->end = o->capacity = 0;
}

int io_watch(io *o, int directions) {
    directions &= ~transfer_tells(&o->transfer);
    if (!directions || o->unwatched) {
        return 0;
    }
    int status = poller_arm(&o->executor->poller, o->fd, slab_id(&o->head), directions, &o->armed);
    return status == UV_EPERM ? UV_EAGAIN : status; /* it waits all the same, and nobody can say until when */
}

static void on_idle_expired(timer *timer) {
    io_close(list_entry(timer, io_idle, timer)->io);
}

int io_begin_idle(io *o, uint64_t deadline_ms, void (*came)(io *)) {
    io_idle *idle = o->idle = malloc(sizeof *idle);
    if (!idle) {
        return UV_ENOMEM;
    }
    idle->io = o;
    idle->came = came;
    list_push(&o->executor->io_idle, &idle->link);
    wheel_timer_init(&idle->timer.wheel);
    idle->timer.expired = on_idle_expired;
    if (deadline_ms != DEADLINE_NEVER) {
        wheel_insert(&o->executor->wheel, &idle->timer.wheel, deadline_ms);
    }
    return 0;
}

int io_open_idle(executor *ex, int fd, const io_hooks *hooks, void (*came)(io *), io **out) {
    int status = io_open(ex, fd, out);
    if (status < 0) {
        return status;
    }
    status = io_watch(*out, UV_READABLE);
    if (status == 0) {
        status = io_begin_idle(*out, DEADLINE_NEVER, came);
    }
    if (status < 0) {
        io_close(*out);
        *out = NULL;
        return status;
    }
    (*out)->hooks = hooks;
    return 0;
}

void io_end_idle(io *o) {
    if (o->idle) {
        wheel_remove(&o->executor->wheel, &o->idle->timer.wheel);
        list_remove(&o->idle->link);
        free(o->idle);
        o->idle = NULL;
    }
}

void io_close_idle(executor *ex) {
    while (!list_empty(&ex->io_idle)) {
        io_close(list_entry(list_first(&ex->io_idle), io_idle, link)->io);
    }
}

void io_stop_receiving(io *o) {
    poller *p = &o->executor->poller;
    if (o->transfer.state >= RECEIVED_NOW) {
        p->driver->stop(p, slab_id(&o->head));
        o->transfer.state = RECEIVED_MAY;
        o->ready |= UV_READABLE;
    }
}

static void unsend(io *o, bool flush) {
    poller *p = &o->executor->poller;
    if (o->transfer.block) {
        p->driver->unsend(p, &o->transfer, slab_id(&o->head), flush);
    }
}

bool io_settle(io *o) {
    unsend(o, true);
    return o->transfer.sent;
}

ssize_t io_unsend(io *o, bool flush) {
    unsend(o, flush);
    return o->transfer.sent ? io_take_sent(o) : 0;
}

/* Its id has ended. */
static void forget_received(io *o, uint64_t id) {
    poller *p = &o->executor->poller;
    if (o->transfer.state >= RECEIVED_NOW) { /* else the peer would not see the end */
        p->driver->stop(p, id);
    }
    if (o->transfer.size) {
        p->driver->drop(p, &o->transfer);
    }
    o->transfer.state = RECEIVED_NEVER;
}

int io_give_away(io *o) {
    executor *ex = o->executor;
    int fd = o->fd;
    io_end_idle(o);
    if (o->hooks->closing) {
        o->hooks->closing(o);
    }
    if (o->armed) {
        poller_disarm(&ex->poller, o->fd);
    }
    if (o->transfer.block) {
        io_unsend(o, true);
    }
    uint64_t id = slab_id(&o->head);
    slab_expire(&ex->ios, o);
    forget_received(o, id);
    o->closed = ex->io_closed;
    ex->io_closed = o;
    task_wake_all(&o->readers, WAKE_CLOSED);
    task_wake_all(&o->writers, WAKE_CLOSED);
    return fd;
}

void io_close(io *o) {
    close(io_give_away(o));
}

void io_set_silence(io *o, double seconds) {
    double ms = seconds * 1e3 + 0.9999; /* 0.067 s is a little more than 67 ms; nobody means that */
    o->silence_ms = seconds >= 0 && ms < IO_NO_SILENCE ? (uint32_t)ms : IO_NO_SILENCE;
}

static list *waiters_of(io *o, int direction) {
    return direction == UV_READABLE ? &o->readers : &o->writers;
}

int io_wait(io *o, task *t, int direction, const char *waits_for, uint64_t deadline_ms, bool first) {
    int events = direction == UV_READABLE ? o->read_waits : o->write_waits;
    int status = events & ~o->armed || o->transfer.state == RECEIVED_MAY ? io_watch(o, events) : 0;
    if (status < 0) {
        return status;
    }
    list *waiters = waiters_of(o, direction);
    task_park(t, waits_for, deadline_ms, WAKE_TIMEOUT);
    list_push(first ? waiters->next : waiters, &t->place.link);
    task_keep_alive(t);
    return 0;
}

void io_wake_first(io *o, int direction) {
    list *waiters = waiters_of(o, direction);
    if (list_empty(waiters)) {
        return;
    }
    const task *t = waiter_task(list_entry(waiters->next, waiter, link));
    if (o->in_turn) {
        *(direction == UV_READABLE ? &o->reader : &o->writer) = slab_id(&t->head);
    }
    /* Behind a write whose task is awake, the others wait for their turn, not for the descriptor. */
    if (direction == UV_READABLE || !o->writer || slab_id(&t->head) == o->writer) {
        task_wake_first(waiters, WAKE_READY);
    }
}

void io_expire_reader(io *o) {
    if (!list_empty(&o->readers)) {
        task_wake(list_entry(list_first(&o->readers), task, place.link), WAKE_TIMEOUT);
    }
}

void io_event(executor *ex, uint64_t id, int events) {
    io *o = slab_get(&ex->ios, id);
    if (!o) {
        ex->counters.stale_events++;
        return;
    }
    if (events & UV_DISCONNECT) {
        o->drains = false;
    }
    o->ready |= (uint8_t)(events & (UV_READABLE | UV_WRITABLE));
    if (o->idle) {
        o->idle->came(o);
        return;
    }
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
