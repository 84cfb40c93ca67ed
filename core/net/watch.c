/* SPDX-License-Identifier: MIT
 *
 * Watches: see watch.h.
 */
#include "net/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

/* By poll(2), which tells what is so now, and not what has come since. */
static int ready_now(int fd, int events) {
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

int watch_look(int fd, int events) {
    struct stat file;
    if (fstat(fd, &file) < 0) {
        return io_last_error();
    }
    return S_ISREG(file.st_mode) || S_ISDIR(file.st_mode) ? UV_EPERM : ready_now(fd, events);
}

int watch_open(executor *ex, int fd, int events, io **out) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int status = own < 0 ? io_last_error() : io_open(ex, own, out);
    if (status == 0) {
        (*out)->read_waits = (uint8_t)events;
    }
    return status;
}

int watch_change(io *o, int events) {
    int status = list_empty(&o->readers) ? 0 : io_watch(o, events);
    if (status == 0) {
        o->read_waits = (uint8_t)events;
    }
    return status;
}

int watch_ready(const io *o) {
    return ready_now(o->fd, o->read_waits);
}
