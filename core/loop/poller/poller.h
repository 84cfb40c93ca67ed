/* SPDX-License-Identifier: MIT
 *
 * A poller: which descriptors a system call may succeed on.
 *
 *   poller_arm --> the kernel watches ---something has come---> poller_wait: tell(id, events), once
 *                                                                      |
 *        ^---- a system call has answered EAGAIN (again) <-------------'
 *
 * An event is told once: what it said holds until a system call answers EAGAIN, and after that the descriptor has to be armed
 * again. A driver is one file (poller_epoll.c, poller_ring.c), and the only one that knows by what means the kernel is asked.
 *
 * A driver may also receive by itself what comes for a socket. That is read ahead, in order, and stays until somebody takes it;
 * and it may send what was copied, in its next wait. Nothing else is ever in flight.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <uv.h>

typedef struct poller poller;

enum { POLLER_EVENTS = 128 }; /* in one wait; the rest comes with the next, as does whatever they wake */

enum received_state {
    RECEIVED_NEVER,    /* it is read by system calls */
    RECEIVED_MAY,      /* a driver may receive for it once it is armed for reading, */
    RECEIVED_NOW,      /* and does: no other may read the descriptor */
    RECEIVED_STOPPING, /* it does not much longer, as much has come at once, or is unread */
};

enum sent_state {
    SENT_NOTHING, /* nothing is known of sending */
    SENT_SOME,    /* result is known, */
    SENT_ALL,     /* and all bytes are out */
};

/* What a driver has received for a descriptor before anybody has read, and what it sends. */
typedef struct transfer {
    uint8_t state;        /* enum received_state */
    uint8_t sent;         /* enum sent_state */
    int16_t code;         /* how receiving has failed, behind the bytes, or 0 */
    uint16_t first, last; /* the driver's */
    uint16_t block;       /* the driver's; not 0: bytes are to be sent, and nobody else may send any */
    uint8_t bulk_waits;   /* the driver's: waits for which it is read by system calls, as much has come at once */
    bool rest;            /* of who has them sent: these bytes are the rest of a write */
    uint32_t size;        /* bytes that were received */
    int32_t result;       /* bytes that were sent, UV_EAGAIN: none were, the descriptor takes none; or another code */
} transfer;

/* The directions of which the driver tells because of a transfer that is under way: they need not be armed. */
static inline int transfer_tells(const transfer *t) {
    return (t->state >= RECEIVED_NOW ? UV_READABLE : 0) | (t->block ? UV_WRITABLE : 0);
}

typedef struct poller_driver {
    const char *name;
    /* 0, or a negative UV_E*: then nothing is left behind. */
    int (*init)(poller *);
    void (*deinit)(poller *);
    /* What it needs beyond that, and asks the system for when it is first wanted: 0, or a negative UV_E*, and it does as epoll
     * does; each time the same. NULL: nothing. */
    int (*open)(poller *);
    /* Tells `id` of what comes in these directions (UV_READABLE, UV_WRITABLE), and now of what is there already. *armed: those
     * that are armed; the driver's to keep, 0 before the first time. UV_EPERM: the descriptor is always ready. */
    int (*arm)(poller *, int fd, uint64_t id, int directions, uint8_t *armed);
    /* Before an armed descriptor is closed: other processes may have it too. */
    void (*disarm)(poller *, int fd);
    /* Waits for events, at most so long (-1: without a limit), and tells them. At most POLLER_EVENTS, where there may be more; or
     * why the system could not be asked: a negative UV_E*. */
    int (*wait)(poller *, int timeout_ms);

    /* Of a driver that receives (poller.transfer_of); else they are NULL, and nothing is ever received. */

    /* What has come for this id until now is received. It is not told: who has called this is about to take it. */
    void (*look)(poller *, uint64_t id);
    /* Receives no more for this id, which may have ended: the descriptor is not used from here on. */
    void (*stop)(poller *, uint64_t id);
    /* The first bytes that were received, at most so many: how many they were. */
    size_t (*take)(poller *, transfer *, char *into, size_t room);
    /* Drops all of them. */
    void (*drop)(poller *, transfer *);
    /* Copies these bytes, sends what the descriptor takes of them with the next wait, and tells UV_WRITABLE. False: it does not;
     * to send them now costs less. */
    bool (*send)(poller *, transfer *, int fd, uint64_t id, const struct iovec *, int count, size_t total);
    /* Sends at once what was copied, and tells. */
    void (*flush)(poller *);
    /* Ends one: bytes are sent at once, if `flush`, or not at all, if they are not out already. `result` tells. */
    void (*unsend)(poller *, transfer *, uint64_t id, bool flush);
} poller_driver;

struct poller {
    const poller_driver *driver;
    int fd;
    void *own;         /* the driver's */
    int refused;       /* why it is epoll where the ring was asked for by its name: UV_E*, or 0 */
    unsigned failures; /* waits in a row in which the system could not be asked, */
    uint64_t failure;  /* and the number of the last one */
    int failed;        /* why it can't be asked any more: UV_E*, or 0. The descriptor may be somebody else's by now */
    /* In which directions a system call may succeed, both after an error; with UV_DISCONNECT where an end or urgent bytes have
     * come, so that a short read is no proof of having taken all. */
    void (*tell)(poller *, uint64_t id, int events);
    /* What is transferred for this id; NULL: there is nobody of this name. */
    transfer *(*transfer_of)(poller *, uint64_t id);
    /* In a process that was forked: the driver receives nothing any more that it was receiving. What has come can be taken. */
    void (*lost)(poller *);
};

extern const poller_driver poller_epoll, poller_ring;
/* One that is armed in this direction by poller_epoll is so no more. What stays armed may be told once more. */
void poller_epoll_leave(poller *, int fd, uint64_t id, int direction, uint8_t *armed);

#define POLLER_VARIABLE "MOMO_POLLER" /* of the environment */
/* The name in it, or "". */
const char *poller_asked_for(void);
bool poller_is_known(const char *name);
/* Of the driver that does the work. */
const char *poller_name(poller *);
/* As poller_driver.init. The driver is the ring, unless epoll is asked for. */
int poller_init(poller *, void (*tell)(poller *, uint64_t id, int events), transfer *(*)(poller *, uint64_t id),
                void (*lost)(poller *));
static inline void poller_deinit(poller *p) {
    p->driver->deinit(p);
}
static inline int poller_arm(poller *p, int fd, uint64_t id, int directions, uint8_t *armed) {
    return p->driver->arm(p, fd, id, directions, armed);
}
static inline void poller_disarm(poller *p, int fd) {
    p->driver->disarm(p, fd);
}
static inline void poller_flush(poller *p) {
    if (p->driver->flush) {
        p->driver->flush(p);
    }
}
/* As poller_driver.wait. */
static inline int poller_wait(poller *p, int timeout_ms) {
    return p->driver->wait(p, timeout_ms);
}
/* The wait with this number has failed: that may pass, so the thread sleeps for a little while. Where it was one too many in a row,
 * `failed` tells. */
void poller_count_failure(poller *, uint64_t number, int code);
