/* SPDX-License-Identifier: MIT
 *
 * Watches: see watch.h.
 */
#include "net/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

int watch_look(int fd, int events) {
    struct stat file;
    if (fstat(fd, &file) < 0) {
        return io_last_error();
    }
    if (S_ISREG(file.st_mode) || S_ISDIR(file.st_mode)) {
        return UV_EPERM;
    }
    struct pollfd look = {.fd = fd};
    look.events = (short)((events & UV_READABLE ? POLLIN : 0) | (events & UV_WRITABLE ? POLLOUT : 0));
    if (poll(&look, 1, 0) <= 0) {
        return 0; /* interrupted counts as not ready: there is an event then */
    }
    if (look.revents & (POLLERR | POLLHUP)) {
        return events;
    }
    return (look.revents & POLLIN ? UV_READABLE : 0) | (look.revents & POLLOUT ? UV_WRITABLE : 0);
}

int watch_open(watch *w, executor *ex, int fd, int events) {
    struct epoll_event event = {.events =
                                    (events & UV_READABLE ? EPOLLIN : 0u) | (events & UV_WRITABLE ? EPOLLOUT : 0u)};
    io *o = NULL;
    *w = (watch){{0, 0}, fcntl(fd, F_DUPFD_CLOEXEC, 0), events};
    int own = w->fd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    int status = own < 0 || epoll_ctl(own, EPOLL_CTL_ADD, w->fd, &event) < 0 ? io_last_error() : 0;
    if (status == 0) {
        status = io_open(ex, own, &o);
    } else if (own >= 0) {
        close(own);
    }
    if (status < 0) {
        watch_close(w, ex);
        return status;
    }
    w->token = io_token(o);
    return 0;
}

void watch_close(watch *w, executor *ex) {
    io *o = io_get(ex, w->token);
    if (o) {
        io_close(o);
    }
    if (w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
}

int watch_ready(const watch *w, const io *o) {
    struct epoll_event event;
    if (epoll_wait(o->fd, &event, 1, 0) <= 0) {
        return 0;
    }
    if (event.events & (EPOLLERR | EPOLLHUP)) {
        return w->events;
    }
    return (event.events & EPOLLIN ? UV_READABLE : 0) | (event.events & EPOLLOUT ? UV_WRITABLE : 0);
}
