/* SPDX-License-Identifier: MIT
 *
 * Watches: see watch.h.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int watch_look(int fd, int events) {
    struct stat file;
    if (fstat(fd, &file) < 0) {
        return uv_translate_sys_error(errno);
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

static void on_event(uv_poll_t *poll, int status, int events) {
    (void)status; /* of an error, looking will tell */
    (void)events;
    watch *w = poll->data;
    uv_poll_stop(poll);
    task *waiter = task_get(w->executor, w->waiter);
    w->waiter = 0;
    if (waiter && waiter->state == TASK_WAITING) {
        task_wake(waiter, WAKE_READY);
    }
}

static void on_close(uv_handle_t *handle) {
    free(handle->data);
}

/* libuv makes what it watches non-blocking, and the duplicate shares that with the original. */
static int init_poll(uv_loop_t *loop, uv_poll_t *poll, int fd) {
    int flags = fcntl(fd, F_GETFL);
    int status = uv_poll_init(loop, poll, fd);
    if (!(flags & O_NONBLOCK)) {
        fcntl(fd, F_SETFL, flags);
    }
    return status;
}

int watch_new(executor *ex, int fd, int events, watch **out) {
    watch *w = *out = calloc(1, sizeof *w);
    if (!w) {
        return UV_ENOMEM;
    }
    w->executor = ex;
    w->poll.data = w;
    w->events = events;
    w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int status = w->fd < 0 ? uv_translate_sys_error(errno) : init_poll(&ex->loop, &w->poll, w->fd);
    if (status < 0) {
        if (w->fd >= 0) {
            close(w->fd);
        }
        free(w);
        *out = NULL;
    }
    return status;
}

int watch_wait(watch *w, task *t, uint64_t deadline_ms) {
    int status = uv_poll_start(&w->poll, w->events, on_event);
    if (status < 0) {
        return status;
    }
    w->waiter = slab_id(&t->head);
    task_park(t, "io.poll", deadline_ms, WAKE_TIMEOUT);
    task_wait_outside(t);
    return 0;
}

void watch_free(watch *w) {
    uv_close((uv_handle_t *)&w->poll, on_close);
    close(w->fd);
}
