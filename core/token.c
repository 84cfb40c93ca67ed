/* SPDX-License-Identifier: MIT
 *
 * What the border offers for a token: closing a socket, its options and addresses.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "address.h"
#include "io.h"

static int last_error(void) {
    return uv_translate_sys_error(errno);
}

static int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? last_error() : 0;
}

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
    if (o->writer && task_get(ex, o->writer)) {
        return UV_EBUSY;
    }
    o->broken = true;
    return shutdown(o->fd, SHUT_WR) < 0 ? last_error() : 0;
}

int momo_set_timeout(executor *ex, const momo_token *token, double seconds) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    o->timeout = seconds;
    return 0;
}

int momo_set_nodelay(executor *ex, const momo_token *token, int on) {
    io *o = io_get(ex, *token);
    return o ? set_int(o->fd, IPPROTO_TCP, TCP_NODELAY, on != 0) : UV_EBADF;
}

int momo_set_keepalive(executor *ex, const momo_token *token, int seconds) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    int status = set_int(o->fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    return status == 0 && seconds > 0 ? set_int(o->fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) : status;
}

static int socket_address(executor *ex, const momo_token *token, int (*name)(int, struct sockaddr *, socklen_t *),
                          char *text, size_t size) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    address a = {.length = sizeof a.storage};
    if (name(o->fd, (struct sockaddr *)&a.storage, &a.length) < 0) {
        return last_error();
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
