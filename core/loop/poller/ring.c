/* SPDX-License-Identifier: MIT
 *
 * Polling by io_uring(7), which receives by itself what comes for a socket, and sends for it: one system call a turn, in place of
 * one a read and a write (ring.h).
 *
 *   poller_arm --> a receive, until further notice ---bytes in a buffer of the ring's---> transfer_of(id), then tell(id)
 *        |                                                    ^                  |
 *        '--> epoll, for all that is not received: <----------+----- taken: poller_driver.take gives it back
 *             its descriptor is polled by the ring
 *
 * Work of the kernel's for the ring is done when this thread enters it, and only then. In a process that was forked off this one
 * the ring is not there, and epoll does all.
 */
#include <poll.h>
#include <stdlib.h>
#include <uv.h>

#include "base/list.h"
#include "loop/poller/ring_transfer.h"

enum {
    TURN = 4096,                      /* completions in one wait */
    RETURN_LEAST = URING_BUFFERS / 2, /* buffers that are free when a socket comes back from epoll, */
    RETURNS = 8,                      /* and how many do in a turn: to go and to come are a system call each */
};

static void tell_of_epoll(poller *epoll, uint64_t id, int events) {
    ring *r = list_entry(epoll, ring, epoll);
    r->outer->tell(r->outer, id, events);
}

static int init(poller *p) {
    ring *r = calloc(1, sizeof *r);
    if (!r) {
        return UV_ENOMEM;
    }
    *r = (ring){.outer = p, .epoll = {.driver = &poller_epoll, .fd = -1, .tell = tell_of_epoll}};
    int status = poller_epoll.init(&r->epoll);
    if (status < 0) {
        free(r);
        return status;
    }
    p->own = r;
    return 0;
}

static int open_once(poller *p) {
    ring *r = ring_of(p);
    if (!r->opened) {
        r->opened = true;
        r->refused = uring_open(&r->kernel);
        if (!r->refused) {
            ring_free_blocks(r);
        }
    }
    return r->refused;
}

static void deinit(poller *p) {
    ring *r = ring_of(p);
    uring_close(&r->kernel);
    poller_epoll.deinit(&r->epoll);
    free(r->kept);
    free(r);
}

/* It went to epoll when no buffer was left, or what came filled one. */
static bool may_return(const ring *r) {
    return r->kernel.free >= RETURN_LEAST && r->returned < RETURNS;
}

static bool receive(poller *p, int fd, uint64_t id, uint8_t *armed) {
    ring *r = ring_of(p);
    bool returns = *armed & UV_READABLE;
    if ((returns && !may_return(r)) || !ring_receive(r, fd, id)) {
        return false;
    }
    if (returns) {
        r->returned++;
        poller_epoll_leave(&r->epoll, fd, id, UV_READABLE, armed);
    }
    return true;
}

static int arm(poller *p, int fd, uint64_t id, int directions, uint8_t *armed) {
    ring *r = ring_of(p);
    transfer *to = directions & UV_READABLE ? p->transfer_of(p, id) : NULL;
    if (to && to->state == RECEIVED_MAY) {
        if (to->bulk_waits) {
            to->bulk_waits--;
        } else if (open_once(p) < 0) {
            to->state = RECEIVED_NEVER;
        } else if (uring_is_open(&r->kernel) && receive(p, fd, id, armed)) {
            to->state = RECEIVED_NOW;
            directions &= ~UV_READABLE;
        }
    }
    return directions ? poller_epoll.arm(&r->epoll, fd, id, directions, armed) : 0;
}

static void disarm(poller *p, int fd) {
    poller_epoll.disarm(&ring_of(p)->epoll, fd);
}

static void handle(ring *r, uring_completion k) {
    uint64_t id = k.data & ~(RECEIVE | SEND);
    if (k.data & EPOLL) {
        ring_epoll_has(r, k.flags);
    } else if (k.data & SEND) {
        ring_has_sent(r, id, k.result);
    } else if (k.data & RECEIVE && ring_has_received(r, id, k.result, k.flags)) {
        r->told++;
        r->outer->tell(r->outer, id, UV_READABLE);
    }
}

static void handle_kept(ring *r) {
    while (r->handled < r->kept_count) {
        handle(r, r->kept[r->handled++]);
    }
    r->handled = r->kept_count = 0;
}

/* What is told may close sockets and look for bytes: then more is kept, and completions are taken, on the way. */
static void handle_all(ring *r) {
    handle_kept(r);
    for (unsigned n = TURN; n && uring_has_completion(&r->kernel); n--) {
        const uring_completion c = uring_take_completion(&r->kernel);
        handle(r, c);
    }
}

static void poll_epoll(ring *r) {
    struct io_uring_sqe *s = ring_submit(r, IORING_OP_POLL_ADD, r->epoll.fd, EPOLL);
    if (s) {
        s->poll32_events = POLLIN;
        s->len = IORING_POLL_ADD_MULTI;
        r->epoll_polled = true;
    }
}

/* The process was forked, and the ring is its parent's. */
static void lose(ring *r) {
    r->lost = true;
    handle_kept(r);
    ring_leave_sends(r);
    r->outer->lost(r->outer);
}

static int wait(poller *p, int timeout_ms) {
    ring *r = ring_of(p);
    if (!uring_is_open(&r->kernel)) {
        if (r->kernel.ours && !r->lost) {
            lose(r);
            return 0; /* somebody was told */
        }
        return poller_epoll.wait(&r->epoll, timeout_ms);
    }
    if (!r->epoll_polled) {
        poll_epoll(r);
    }
    if (r->kept_count || r->epoll_due || uring_has_completion(&r->kernel)) {
        timeout_ms = 0;
    }
    if (timeout_ms != 0 || uring_has_work(&r->kernel) || uring_unsubmitted(&r->kernel)) {
        int status = uring_enter(&r->kernel, timeout_ms);
        if (status < 0) {
            return status;
        }
    }
    unsigned before = r->told;
    r->told = r->returned = 0;
    handle_all(r);
    r->told = r->told ? r->told : before;
    int told = r->epoll_due ? poller_epoll.wait(&r->epoll, 0) : 0;
    r->epoll_due = told < 0 || told == POLLER_EVENTS; /* there may be more */
    return told;
}

const poller_driver poller_ring = {.name = "ring",
                                   .init = init,
                                   .deinit = deinit,
                                   .open = open_once,
                                   .arm = arm,
                                   .disarm = disarm,
                                   .wait = wait,
                                   .look = ring_look,
                                   .stop = ring_stop,
                                   .take = ring_take,
                                   .drop = ring_drop,
                                   .send = ring_send,
                                   .flush = ring_flush,
                                   .unsend = ring_unsend};
