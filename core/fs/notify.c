/* SPDX-License-Identifier: MIT
 *
 * Watching files: see notify.h.
 */
#include "fs/notify.h"

#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "loop/system.h"

static void tell(notify *n) {
    if (n->on_change) {
        n->on_change(n);
    }
}

static void came(io *o) {
    tell(list_entry(o->hooks, notify, hooks));
}

static void on_closing(io *o) {
    notify *n = list_entry(o->hooks, notify, hooks);
    n->token = (momo_token){0, 0};
    tell(n);
}

int notify_open(executor *ex, notify **out) {
    notify *n = *out = calloc(1, sizeof *n);
    if (!n) {
        return UV_ENOMEM;
    }
    n->hooks.closing = on_closing;
    n->executor = ex;
    io *o;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int status = fd < 0 ? io_last_error() : io_open_idle(ex, fd, &n->hooks, came, &o);
    if (status < 0) {
        free(n);
        *out = NULL;
        return status;
    }
    n->token = io_token(o);
    return 0;
}

void notify_close(notify *n) {
    io *o = io_get(n->executor, n->token);
    n->on_change = NULL;
    if (o) {
        static const io_hooks none;
        o->hooks = &none; /* the slot is held a little longer than this */
        io_close(o);
    }
    free(n);
}

int notify_add(const notify *n, const char *path) {
    const io *o = io_get(n->executor, n->token);
    if (!o) {
        return UV_EBADF;
    }
    int number = inotify_add_watch(o->fd, path,
                                   IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                       IN_DELETE_SELF | IN_MOVE_SELF);
    return number < 0 ? io_last_error() : number;
}

ssize_t notify_read(const notify *n, void *events, size_t size) {
    io *o = io_get(n->executor, n->token);
    if (!o) {
        return UV_EBADF;
    }
    io_ask(o, UV_READABLE);
    return io_try(o, UV_READABLE, system_read(o->fd, events, size));
}
