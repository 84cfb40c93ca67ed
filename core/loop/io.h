/* SPDX-License-Identifier: MIT
 *
 * An open descriptor: its token, who waits for it, and what epoll was asked to watch.
 *
 * Operations try their system call first and park on EAGAIN, so nothing is ever in flight when an operation is given
 * up, and no buffer of a task is lent to the kernel. An event only says "try again".
 *
 *   EAGAIN -> io_wait: parked in readers or writers, watched ---event--> first waiter READY -> tries again
 *
 * A direction is watched from the first wait to the close, and an event is told once (EPOLLET): `ready` keeps what it said
 * until a system call finds nothing left. So a steady reader costs no epoll_ctl, and one whose turn does not come for
 * long no further events.
 */
#pragma once
#include <errno.h>

#include "loop/task.h"

enum io_kind {
    IO_SOCKET, /* recv(2) and send(2) */
    IO_FILE,   /* read(2) and writev(2): a pipe, a terminal */
    IO_SHARED, /* the same, but it has to stay blocking, as other processes have it too: poll(2) is asked first */
    IO_READY,  /* the same, but it never waits, and can't be watched: a regular file, /dev/null */
};

typedef struct io {
    slab_head head; /* the token; ended at close, while the slot is held a little longer */
    int fd;
    uint8_t armed; /* UV_READABLE, UV_WRITABLE: what epoll watches for */
    uint8_t ready; /* directions in which a system call may succeed: set by events, cleared by EAGAIN */
    uint8_t kind;  /* enum io_kind */
    bool listening;
    bool drains;     /* a read that comes short has taken all: TCP, until its end or urgent bytes have come */
    int end_code;    /* UV_ENOMEM: unread bytes were lost, and the next read says so; or 0 */
    bool broken;     /* a write was cut short: nothing may follow it */
    list open;       /* in executor.io_open; once closed, in executor.io_closed until no task runs */
    list readers;    /* tasks that wait for UV_READABLE, first come first */
    list writers;    /* the task whose write is under way, then those whose turn comes after it */
    uint64_t reader; /* id of the task whose read is parked or about to go on, or 0 */
    uint64_t writer; /* id of the task whose write is under way, or 0 */
    ssize_t writing; /* its bytes in all */
    double timeout;  /* seconds for each read and write, or negative */
    char *data;      /* unread bytes: data[start..end) of capacity bytes; data is NULL when there are none */
    size_t start, end, capacity;
    void (*settle)(struct io *); /* moves unread bytes out of the scratch; of those who claim it */
    executor *executor;
} io;

/* The executor's epoll, in which libuv's own and the inbox's eventfd are descriptors among the others. */
int io_poll_init(executor *);
/* Waits for events, at most so long (-1: without a limit), and tells them to whom they concern. */
void io_poll(executor *, int timeout_ms);
/* Gives back the slots and bytes of what was closed. No task may run: it may be about to push those bytes. */
void io_release_closed(executor *);

/* Takes the descriptor over: it is closed by io_close, and here if this fails. What is no socket and can't be watched
 * becomes IO_READY. */
int io_open_as(executor *, int fd, enum io_kind, io **);
static inline int io_open(executor *executor, int fd, io **out) {
    return io_open_as(executor, fd, IO_SOCKET, out);
}
/* The code of the system call that failed last. */
static inline int io_last_error(void) {
    return uv_translate_sys_error(errno);
}
/* The same, for one in a direction: if it would have had to wait, so would all that follow, until an event says otherwise. */
static inline int io_failed(io *o, int direction) {
    int code = io_last_error();
    if (code == UV_EAGAIN) {
        o->ready &= (uint8_t)~direction;
    }
    return code;
}
/* A system call on the descriptor (an expression that is negative when it fails) in a direction, made again when a signal
 * has interrupted it: its result, or a code. UV_EAGAIN: it has to wait for an event, or is known to and was not made. */
#define io_try(o, direction, call)                     \
    ({                                                 \
        ssize_t result_ = UV_EAGAIN;                   \
        if ((o)->ready & (direction)) {                \
            do {                                       \
                result_ = (call);                      \
            } while (result_ < 0 && errno == EINTR);   \
            if (result_ < 0) {                         \
                result_ = io_failed((o), (direction)); \
            }                                          \
        }                                              \
        result_;                                       \
    })
/* A signal whose action is the default does nothing from now on, such as SIGPIPE, since not every system call knows
 * MSG_NOSIGNAL. By a handler, which other programs do not inherit, unlike SIG_IGN. */
void io_survive(int signal_number);
/* Every waiter is woken with WAKE_CLOSED; the token ends at once. */
void io_close(io *);

static inline uint64_t io_id(momo_token token) {
    return (uint64_t)token.generation << 32 | token.index;
}
static inline io *io_get(const executor *executor, momo_token token) {
    return slab_get(&executor->ios, io_id(token));
}
static inline momo_token io_token(const io *io) {
    return (momo_token){io->head.index, io->head.generation};
}

/* Parks the task that runs until a system call in this direction (UV_READABLE or UV_WRITABLE) may succeed. first: it
 * is served before those who wait already, as it was woken for its turn and did not get what it came for. Negative: it
 * is not parked. */
int io_wait(io *, task *, int direction, const char *waits_for, uint64_t deadline_ms, bool first);
/* The executor's scratch becomes the io's data, which must be empty; whoever has unread bytes there moves them out. */
void io_claim_scratch(io *);
/* Drops the unread bytes and their buffer. */
void io_drop_data(io *);
/* The first who waits in that direction is to try. An event is told once and to one: where several may wait, who was served
 * passes on what is left. */
void io_wake_first(io *, int direction);
/* What epoll reports for a token: UV_READABLE, UV_WRITABLE, and UV_DISCONNECT for what makes short reads uncertain. Events
 * of a token that has ended are counted and dropped. */
void io_event(executor *, uint64_t id, int events);
