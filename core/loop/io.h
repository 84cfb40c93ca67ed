/* SPDX-License-Identifier: MIT
 *
 * An open descriptor: its token, who waits for it, and what the poller was asked to watch.
 *
 * Operations try their system call first and park on EAGAIN, so nothing is ever in flight when an operation is given
 * up, and no buffer of a task is lent to the kernel. An event only says "try again".
 *
 *   EAGAIN -> io_wait: parked in readers or writers, watched ---event--> first waiter READY -> tries again
 *
 * An event is told once (poller.h): `ready` keeps what it said until a system call finds nothing left. So a reader whose turn
 * does not come for long costs no further events.
 */
#pragma once
#include <errno.h>

#include "loop/task.h"

typedef struct io io;

enum { IO_FAILURE = -5000 }; /* a code of no system: name and words of what failed stand in the executor */

/* What an io asks of that which stands on it: a stream, a UDP socket. Each may be NULL. */
typedef struct io_hooks {
    void (*spill)(io *);    /* moves unread bytes out of the scratch; of those who claim it */
    void (*writable)(io *); /* the descriptor is, while `pending` is set */
    void (*closing)(io *);  /* the descriptor is about to be closed */
} io_hooks;

/* An io that nobody uses for now: it is closed when its time is over, or the run ends. */
typedef struct io_idle {
    io *io;
    list link; /* in executor.io_idle */
    timer timer;
    void (*came)(io *); /* there may be something to read */
} io_idle;

/* A direction is UV_READABLE or UV_WRITABLE. Tasks that read wait in `readers`, those that write in `writers`: for which events,
 * is nearly always the direction itself (net/transport.h says when it is not).
 *
 * A line of the cache each: what a read and an event touch; what a read that takes bytes and a write do besides; the rest. */
struct io {
    slab_head head; /* the token; ended at close, while the slot is held a little longer */
    int fd;
    uint8_t armed;       /* directions that are armed: the poller keeps it */
    uint8_t ready;       /* those in which a system call may succeed: set by events, cleared by EAGAIN */
    uint8_t read_waits;  /* those whose events wake a reader */
    uint8_t write_waits; /* those whose events wake a writer */
    uint8_t waits;       /* that in which the last system call that answered EAGAIN has to wait */
    bool listening : 1;
    bool in_turn : 1;   /* a listener, a datagram socket: a task that was woken comes before those who wait less long */
    bool shared : 1;    /* other processes may have it: it came from elsewhere, or could be inherited for a while */
    bool drains : 1;    /* a read that comes short has taken all: a socket, until its end or urgent bytes have come */
    bool broken : 1;    /* a write was cut short, or the stream was shut down: nothing may follow */
    bool cut : 1;       /* a write was cut short */
    bool resets : 1;    /* its close resets the connection, as SO_LINGER of 0 has it: no layer says good-bye */
    bool pending : 1;   /* its layers have bytes for the descriptor (stream_pend) */
    bool unwatched : 1; /* no event tells of it: its layer wakes who waits */
    bool driven : 1;    /* the poller may receive and send for it */
    bool lent : 1;      /* its unread bytes are being copied, and must stay */
    int16_t failed;     /* the code that an operation of its own failed with last, or 0 */
    int16_t end_code;   /* told in place of an end, or 0; UV_ENOMEM: unread bytes were lost, and each read says so */
    uint32_t searched;  /* by the read under way: unread bytes in which nothing begins that is looked for */
    list readers;       /* tasks that wait, first come first */
    uint64_t
        reader; /* id of the task whose read is parked or about to go on, or 0. If in_turn: that was woken to be next */
    executor *executor;

    char *data; /* unread bytes: data[start..end) of capacity bytes; data is NULL when there are none */
    uint32_t start, end, capacity; /* as a string of Lua's has no 4 GiB */
    uint32_t silence_ms; /* for each wait of a write, in place of the timeout of all of it; or IO_NO_SILENCE */
    double timeout;      /* seconds for each read and write, or negative */
    union {
        const struct layer *layer; /* what a stream stands on */
        uint64_t accepted;         /* a listener's: id of a connection that it has taken and nobody has got yet, or 0 */
        int16_t send_code;         /* a datagram socket's: the failure that is kept for who sends, or 0 */
    };
    list writers;    /* the task whose write is under way, then those whose turn comes after it */
    uint64_t writer; /* id of the task whose write is under way, or 0. If in_turn: that was woken to be next */

    union {             /* of the write under way, for who makes it: */
        size_t written; /* bytes in all */
        uint64_t told;  /* a datagram socket's: id of the task that heard of a failure which is kept for others, or 0 */
    };
    uint32_t pieces;   /* of an array: how many there are, once each was looked at; */
    uint32_t piece;    /* how many of them were written, or looked at; */
    uint32_t offset;   /* and bytes of the next one that were */
    transfer transfer; /* what the poller reads ahead, and sends */
    const io_hooks *hooks;
    io_idle *idle; /* owned; or NULL */
    io *closed;    /* closed: behind it in executor.io_closed until no task runs */
};

#define IO_NO_SILENCE UINT32_MAX

/* The executor's poller, in which libuv's descriptor and the inbox's are two among the others. */
int io_poll_init(executor *);
/* The first at *cursor or after that is not closed; moves the cursor past it. NULL at the end. Begin with a cursor of 0. */
io *io_next_open(const executor *, uint32_t *cursor);
/* Gives back the slots and bytes of what was closed. No task may run: it may be about to push those bytes. */
void io_release_closed(executor *);

/* Takes the descriptor over: it is closed by io_close, and here if this fails. */
int io_open(executor *, int fd, io **);
/* Whether there are events for a descriptor. There are none for what is always ready: a regular file, /dev/null. */
bool io_has_events(executor *, int fd);
/* The code of the system call that failed last. */
static inline int io_last_error(void) {
    return uv_translate_sys_error(errno);
}
/* What io_try answers where the call has to wait, as do all that follow until an event says otherwise. */
static inline ssize_t io_must_wait(io *o, int direction) {
    o->ready &= (uint8_t)~direction;
    o->waits = (uint8_t)direction;
    return UV_EAGAIN;
}
/* A system call on the descriptor (an expression that is negative when it fails) in a direction, made again when a signal
 * has interrupted it: its result, or a code. UV_EAGAIN: it has to wait for an event, or is known to and was not made. */
#define io_try(o, direction, call)                                       \
    ({                                                                   \
        ssize_t result_ = UV_EAGAIN;                                     \
        if ((o)->ready & (direction)) {                                  \
            do {                                                         \
                result_ = (call);                                        \
            } while (result_ < 0 && errno == EINTR);                     \
            if (result_ < 0) {                                           \
                result_ = io_last_error();                               \
            }                                                            \
        }                                                                \
        result_ == UV_EAGAIN ? io_must_wait((o), (direction)) : result_; \
    })
/* A signal whose action is the default does nothing from now on, such as SIGPIPE, since not every system call knows
 * MSG_NOSIGNAL. By a handler, which other programs do not inherit, unlike SIG_IGN. */
void io_survive(int signal_number);
/* From now on nobody uses it, no task waits in it, and it has no unread bytes: 0, or UV_ENOMEM. */
int io_begin_idle(io *, uint64_t deadline_ms, void (*came)(io *));
void io_end_idle(io *);
/* Takes over a descriptor that is idle from the first, without a limit: who has the hooks is told by `came`, and no task waits
 * in it. On failure it is closed, and no hook is called. */
int io_open_idle(executor *, int fd, const io_hooks *, void (*came)(io *), io **);
void io_close_idle(executor *);
/* Every waiter is woken with WAKE_CLOSED; the token ends at once. */
void io_close(io *);
void io_close_all(executor *);
/* The same, but its descriptor, which is returned, stays open: it is the caller's from now on. */
int io_give_away(io *);

/* Seconds, or a negative number. */
void io_set_silence(io *, double seconds);
static inline double io_silence(const io *o) {
    return o->silence_ms == IO_NO_SILENCE ? -1 : o->silence_ms / 1e3;
}

static inline uint64_t io_id(momo_token token) {
    return (uint64_t)token.generation << 32 | token.index;
}
static inline io *io_get(const executor *executor, momo_token token) {
    return slab_get(&executor->ios, io_id(token));
}
static inline momo_token io_token(const io *io) {
    return (momo_token){io->head.index, io->head.generation};
}

/* The poller may receive for it from now on, if it does such a thing: a stream socket, which nobody else reads. */
static inline void io_receive(io *o) {
    o->driven = o->executor->poller.driver->take;
    o->transfer.state = o->driven ? RECEIVED_MAY : RECEIVED_NEVER;
}
/* The poller receives no more for it, until it is armed again. What came stays to be read. */
void io_stop_receiving(io *);

/* What came of bytes that the poller has sent: as a system call has it. */
static inline ssize_t io_take_sent(io *o) {
    o->transfer.sent = SENT_NOTHING;
    return o->transfer.result;
}
/* What the poller was to send is sent at once: whether something has come of it, or had before. */
bool io_settle(io *);
/* The poller sends nothing more, but what it has at once, if `flush`: the bytes that are out by its last send, or a code. */
ssize_t io_unsend(io *, bool flush);

/* The next try in this direction makes its system call, whatever is known. */
static inline void io_ask(io *o, int direction) {
    o->ready |= direction == UV_READABLE ? o->read_waits : o->write_waits;
}
/* Parks the task that runs until a try in this direction may succeed. first: it is served before those who wait already, as
 * it was woken for its turn and did not get what it came for. Negative: it is not parked. */
int io_wait(io *, task *, int direction, const char *waits_for, uint64_t deadline_ms, bool first);
/* From now on there are events for these directions, once each time that something has come; also now, if it is there
 * already. Hang-ups are told too. UV_EAGAIN: such a descriptor has no events. */
int io_watch(io *, int directions);
/* The executor's scratch becomes the io's data, which must be empty; whoever has unread bytes there moves them out. */
void io_claim_scratch(io *);
/* Drops the unread bytes and their buffer. */
void io_drop_data(io *);
/* Who waits to read, as its time were over. */
void io_expire_reader(io *);
/* The first who waits in that direction is to try. An event is told once and to one: where several may wait, who was served
 * passes on what is left. */
void io_wake_first(io *, int direction);
/* What the poller tells of a token (poller.h). Events of one that has ended are counted and dropped. */
void io_event(executor *, uint64_t id, int events);
