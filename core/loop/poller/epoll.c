/* SPDX-License-Identifier: MIT
 *
 * Polling by epoll(7), edge-triggered: a descriptor stays armed, so that to arm it again costs nothing.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "loop/poller/poller.h"
#include "loop/system.h"

static int init(poller *p) {
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? uv_translate_sys_error(errno) : 0;
}

static void deinit(poller *p) {
    close(p->fd);
}

static int change(poller *p, int operation, int fd, uint64_t id, int directions, uint8_t *armed) {
    struct epoll_event event = {.events = EPOLLET, .data.u64 = id};
    event.events |= directions & UV_READABLE ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : 0u;
    event.events |= directions & UV_WRITABLE ? EPOLLOUT : 0u;
    if (epoll_ctl(p->fd, operation, fd, &event) < 0) {
        return uv_translate_sys_error(errno);
    }
    *armed = (uint8_t)directions;
    return 0;
}

static int arm(poller *p, int fd, uint64_t id, int directions, uint8_t *armed) {
    int all = *armed | directions;
    return all == *armed ? 0 : change(p, *armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, id, all, armed);
}

void poller_epoll_leave(poller *p, int fd, uint64_t id, int direction, uint8_t *armed) {
    int rest = *armed & ~direction;
    change(p, rest ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, fd, id, rest, armed);
}

static void disarm(poller *p, int fd) {
    epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int translate(uint32_t mask) {
    if (mask & (EPOLLERR | EPOLLHUP)) { /* a system call will tell */
        return UV_READABLE | UV_WRITABLE | UV_DISCONNECT;
    }
    return (mask & EPOLLIN ? UV_READABLE : 0) | (mask & EPOLLOUT ? UV_WRITABLE : 0) |
           (mask & (EPOLLRDHUP | EPOLLPRI) ? UV_DISCONNECT : 0);
}

/* Newer machines have epoll_pwait alone. */
#ifndef SYS_epoll_wait
#define SYS_epoll_wait SYS_epoll_pwait
#endif

static int wait_for(poller *p, struct epoll_event *events, int timeout_ms) {
    return (int)SYSTEM_CALL(epoll_wait(p->fd, events, POLLER_EVENTS, timeout_ms), SYS_epoll_wait, (long)p->fd, events,
                            (long)POLLER_EVENTS, (long)timeout_ms, NULL, 0L);
}

static int wait(poller *p, int timeout_ms) {
    struct epoll_event events[POLLER_EVENTS];
    int n = wait_for(p, events, timeout_ms);
    for (int i = 0; i < n; i++) {
        p->tell(p, events[i].data.u64, translate(events[i].events));
    }
    return n < 0 ? uv_translate_sys_error(errno) : n;
}

const poller_driver poller_epoll = {
    .name = "epoll", .init = init, .deinit = deinit, .arm = arm, .disarm = disarm, .wait = wait};
