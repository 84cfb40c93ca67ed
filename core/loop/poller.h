/* SPDX-License-Identifier: MIT
 *
 * A poller: which descriptors a system call may succeed on.
 *
 *   poller_arm --> the kernel watches ---something has come---> poller_wait: tell(id, events), once
 *                                                                      |
 *        ^---- a system call has answered EAGAIN (again) <-------------'
 *
 * An event is told once: what it said holds until a system call answers EAGAIN, and after that the descriptor has to be armed
 * again. It tells of readiness only; nothing is in flight. A driver is one file (poller_epoll.c), and the only one that knows
 * by what means the kernel is asked.
 */
#pragma once
#include <stdint.h>

typedef struct poller poller;

typedef struct poller_driver {
    const char *name;
    /* 0, or a negative UV_E*: then nothing is left behind. */
    int (*init)(poller *);
    void (*deinit)(poller *);
    /* Tells `id` of what comes in these directions (UV_READABLE, UV_WRITABLE), and now of what is there already. *armed: those
     * that are armed; the driver's to keep, 0 before the first time. UV_EPERM: the descriptor is always ready. */
    int (*arm)(poller *, int fd, uint64_t id, int directions, uint8_t *armed);
    /* Before an armed descriptor is closed: other processes may have it too. */
    void (*disarm)(poller *, int fd);
    /* Waits for events, at most so long (-1: without a limit), and tells them. */
    void (*wait)(poller *, int timeout_ms);
} poller_driver;

struct poller {
    const poller_driver *driver;
    int fd;
    /* In which directions a system call may succeed, both after an error; with UV_DISCONNECT where an end or urgent bytes have
     * come, so that a short read is no proof of having taken all. */
    void (*tell)(poller *, uint64_t id, int events);
};

extern const poller_driver poller_epoll;

/* As poller_driver.init. */
static inline int poller_init(poller *p, void (*tell)(poller *, uint64_t id, int events)) {
    *p = (poller){&poller_epoll, -1, tell};
    return p->driver->init(p);
}
static inline void poller_deinit(poller *p) {
    p->driver->deinit(p);
}
static inline int poller_arm(poller *p, int fd, uint64_t id, int directions, uint8_t *armed) {
    return p->driver->arm(p, fd, id, directions, armed);
}
static inline void poller_disarm(poller *p, int fd) {
    p->driver->disarm(p, fd);
}
static inline void poller_wait(poller *p, int timeout_ms) {
    p->driver->wait(p, timeout_ms);
}
