/* SPDX-License-Identifier: MIT
 *
 * What the ring driver has io_uring do for sockets: it receives what comes, and sends what was copied.
 *
 * A buffer is the kernel's until bytes have come in it, and then the socket's whose bytes they are. Where none is left, a
 * receive ends, and the socket is read by system calls and watched by epoll like any other, until it waits when there are enough
 * again. So is a socket for which a whole buffer came at once, or of which much is unread: copying that once more takes longer
 * than a system call. It comes back when it has waited for a while.
 *
 * Bytes that are to be sent are copied into a block, and go with the next entry of the ring, which does not wait for a socket
 * that is full: so what came of it is known when it returns.
 *
 * A receive holds its socket open, also when the descriptor has been closed: so it is ended first, and waited for. What else is
 * received meanwhile is kept for the next wait.
 */
#pragma once
#include <string.h>

#include "loop/poller/poller.h"
#include "loop/poller/uring.h"

/* What a completion is of: a receive and a send have the id of their socket, in whose index there is room. */
#define RECEIVE (1ull << 31)
#define EPOLL (1ull << 30)
#define CANCEL (1ull << 29)
#define SEND (1ull << 28)

typedef struct buffer {
    uint16_t next; /* of the same socket: its number + 1, or 0 */
    unsigned start, end;
} buffer;

/* Bytes that are to be sent. */
typedef struct block {
    unsigned next;       /* of those that are free: its number + 1, or 0 */
    unsigned submission; /* its place in the ring */
    uint64_t id;         /* of the socket */
    unsigned size;
} block;

typedef struct ring {
    poller *outer;
    poller epoll;
    bool opened, epoll_polled, epoll_due;
    int refused; /* why it could not be opened: UV_E*, or 0 */
    bool lost;   /* the process was forked, and all know it */
    uring kernel;
    buffer buffers[URING_BUFFERS];
    block blocks[URING_BLOCKS];
    unsigned free_block; /* its number + 1, or 0 */
    unsigned told;       /* sockets, in the last wait */
    unsigned returned;   /* sockets that are received for again, since the last wait */

    unsigned receives;      /* under way */
    uring_completion *kept; /* of receives, that came at another time than in a wait; or nobody's any more */
    unsigned kept_count, kept_room;
    unsigned handled; /* of them, in the wait that runs */
} ring;

static inline ring *ring_of(const poller *p) {
    return p->own;
}

/* A submission to fill in; NULL: the kernel takes no more. */
struct io_uring_sqe *ring_submit(ring *, unsigned operation, int fd, uint64_t data);
/* Receives for this socket until further notice; false: it does not. */
bool ring_receive(ring *, int fd, uint64_t id);
/* A completion of a receive: its bytes go to the socket, if there still is one. Returns whether there is. */
bool ring_has_received(ring *, uint64_t id, int result, unsigned flags);
/* A completion of a send. Whoever waits for it is told at once: a deadline that comes next would say that nothing is out. */
void ring_has_sent(ring *, uint64_t id, int result);
/* Something has come in the epoll that the ring polls. */
void ring_epoll_has(ring *, unsigned flags);
/* The process was forked: its parent sends what was to be sent, of which here is told as if it were out. */
void ring_leave_sends(ring *);
/* All blocks are free. */
void ring_free_blocks(ring *);

/* As poller_driver has them. */
void ring_look(poller *, uint64_t id);
void ring_stop(poller *, uint64_t id);
size_t ring_take(poller *, transfer *, char *into, size_t room);
void ring_drop(poller *, transfer *);
bool ring_send(poller *, transfer *, int fd, uint64_t id, const struct iovec *, int count, size_t total);
void ring_flush(poller *);
void ring_unsend(poller *, transfer *, uint64_t id, bool flush);
