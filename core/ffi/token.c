/* SPDX-License-Identifier: MIT
 *
 * What the border offers for a token: closing, unread bytes, addresses.
 */

#include "base/address.h"
#include "net/stream.h"

int momo_close(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    if (o) {
        io_close(o);
    }
    return 0;
}

int momo_shutdown(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    int status = stream_shutdown(o);
    if (status < 0) {
        o->failed = (int16_t)status;
    }
    return status;
}

int momo_set_timeout(executor *ex, const momo_token *token, double seconds) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    o->timeout = seconds;
    return 0;
}

int momo_failure(const executor *ex, const momo_token *token) {
    const io *o = io_get(ex, *token);
    return o ? o->failed : 0;
}

int momo_descriptor(executor *ex, const momo_token *token) {
    const io *o = io_get(ex, *token);
    return o ? o->fd : UV_EBADF;
}

const char *momo_unread(executor *ex, const momo_token *token, size_t *length) {
    const io *o = io_get(ex, *token);
    *length = o ? stream_unread(o) : 0;
    return *length ? stream_bytes(o) : NULL;
}

int momo_consume(executor *ex, const momo_token *token, size_t length) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    if (o->reader && task_get(ex, o->reader)) {
        return UV_EBUSY;
    }
    if (length > stream_unread(o)) {
        return UV_EINVAL;
    }
    stream_consume(o, length);
    return 0;
}

void momo_expire_read(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    if (o && !list_empty(&o->readers)) {
        task_wake(list_entry(list_first(&o->readers), task, place.link), WAKE_TIMEOUT);
    }
}

static int socket_address(executor *ex, const momo_token *token, int (*name)(int, struct sockaddr *, socklen_t *),
                          char *text, size_t size) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    address a = {.length = sizeof a.storage};
    if (name(o->fd, (struct sockaddr *)&a.storage, &a.length) < 0) {
        return io_last_error();
    }
    return address_format(&a, text, size);
}

static int socket_name(int fd, struct sockaddr *a, socklen_t *length) {
    return getsockname(fd, a, length);
}

static int peer_name(int fd, struct sockaddr *a, socklen_t *length) {
    return getpeername(fd, a, length);
}

int momo_local_address(executor *ex, const momo_token *token, char *text, size_t size) {
    return socket_address(ex, token, socket_name, text, size);
}

int momo_peer_address(executor *ex, const momo_token *token, char *text, size_t size) {
    return socket_address(ex, token, peer_name, text, size);
}
