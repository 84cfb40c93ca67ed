/* SPDX-License-Identifier: MIT
 *
 * Stream sockets: see socket.h.
 */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "loop/system.h"
#include "net/succession.h"

int socket_new(int family, int type) {
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? io_last_error() : fd;
}

int socket_set_flag(int fd, int name) {
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, name, &on, sizeof on) < 0 ? io_last_error() : 0;
}

/* Small writes leave at once, as Nagle's algorithm and delayed acknowledgements would cost 40 ms together. What is accepted
 * inherits it from its listener; a Unix socket refuses, which is fine. */
static void undelay(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int get_int(int fd, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int socket_bind(int fd, const address *a) {
    return bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0 ? io_last_error() : 0;
}

static io *accepted_by(const io *listener) {
    return slab_get(&listener->executor->ios, listener->accepted);
}

io *socket_get_accepted(io *listener) {
    io *accepted = accepted_by(listener);
    listener->accepted = 0;
    return accepted;
}

static void close_accepted(io *listener) {
    io *accepted = socket_get_accepted(listener);
    if (accepted) {
        io_close(accepted);
    }
}

static int open_listener(executor *ex, int fd, io **out) {
    static const io_hooks hooks = {.closing = close_accepted};
    int status = io_open(ex, fd, out);
    if (status == 0) {
        undelay(fd);
        (*out)->listening = (*out)->in_turn = true;
        (*out)->hooks = &hooks;
        (*out)->accepted = 0;
    }
    return status;
}

int socket_listen(executor *ex, int fd, int backlog, io **out) {
    *out = NULL;
    if (listen(fd, backlog) < 0) {
        int status = io_last_error();
        close(fd);
        return status;
    }
    return open_listener(ex, fd, out);
}

static int open_socket(executor *ex, int fd, int family, io **out) {
    int status = stream_open(ex, fd, family == AF_UNIX ? &layer_local : &layer_socket, out);
    if (status == 0) {
        (*out)->drains = true;
        io_receive(*out);
    }
    return status;
}

int socket_accept(io *listener, address *peer) {
    io *accepted = accepted_by(listener);
    if (accepted) {
        *peer = (address){.length = sizeof peer->storage};
        getpeername(accepted->fd, (struct sockaddr *)&peer->storage, &peer->length); /* who may be gone */
        return 0;
    }
    if (slab_reserve(&listener->executor->ios) < 0) {
        return UV_ENOMEM;
    }
    ssize_t fd;
    do {
        peer->length = sizeof peer->storage;
        fd = io_try(listener, UV_READABLE,
                    system_accept4(listener->fd, (struct sockaddr *)&peer->storage, &peer->length,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC));
    } while (fd == UV_ECONNABORTED); /* a peer that left the queue is nobody's failure */
    if (fd < 0) {
        listener->executor->counters.accept_failures += fd != UV_EAGAIN;
        return (int)fd;
    }
    listener->executor->counters.accepts++;
    int status = open_socket(listener->executor, (int)fd, peer->storage.ss_family, &accepted);
    listener->accepted = status < 0 ? 0 : slab_id(&accepted->head);
    return status;
}

/* Closing alone would reset those who are in the queue by then. TCP has no call for it, but a filter: who is not let in tries
 * again a second later, and is refused as soon as the listener is closed. */
int socket_refuse(io *listener) {
    if (listener->shared || succession_handed_over()) {
        return UV_EPERM;
    }
    if (get_int(listener->fd, SO_DOMAIN) == AF_UNIX) {
        return shutdown(listener->fd, SHUT_RD) < 0 ? io_last_error() : 0;
    }
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &drop};
    return setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? io_last_error() : 0;
}

/* The port is chosen by connect(2), which knows of more that are free, if the address has none. */
static int bind_from(int fd, const address *from) {
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return socket_bind(fd, from);
}

int socket_connect(executor *ex, const address *a, const address *from, io **out) {
    *out = NULL;
    if (from && from->storage.ss_family != a->storage.ss_family) {
        return UV_EAFNOSUPPORT;
    }
    int fd = socket_new(a->storage.ss_family, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    if (a->storage.ss_family != AF_UNIX) {
        undelay(fd);
    }
    int bound = from ? bind_from(fd, from) : 0;
    if (bound < 0) {
        close(fd);
        return bound;
    }
    if (connect(fd, (const struct sockaddr *)&a->storage, a->length) < 0 && errno != EINPROGRESS && errno != EINTR) {
        int status = io_last_error();
        close(fd);
        return status;
    }
    return open_socket(ex, fd, a->storage.ss_family, out);
}

int socket_connected(io *o) {
    struct pollfd pfd = {.fd = o->fd, .events = POLLOUT};
    if (poll(&pfd, 1, 0) <= 0) { /* interrupted counts as not ready: there is an event then */
        return UV_EAGAIN;
    }
    int error = get_int(o->fd, SO_ERROR);
    return error < 0 ? io_last_error() : error ? uv_translate_sys_error(error) : 0;
}

const char *socket_kind(int fd) {
    int type = get_int(fd, SO_TYPE), family = get_int(fd, SO_DOMAIN);
    if (type < 0) {
        return NULL;
    }
    bool is_unix = family == AF_UNIX;
    if (type != SOCK_STREAM || !(is_unix || family == AF_INET || family == AF_INET6) ||
        get_int(fd, SO_PROTOCOL) == IPPROTO_SCTP) {
        return "a socket of another kind";
    }
    if (get_int(fd, SO_ACCEPTCONN) > 0) {
        return is_unix ? SOCKET_UNIX_LISTENER : SOCKET_TCP_LISTENER;
    }
    address peer = {.length = sizeof peer.storage};
    if (getpeername(fd, (struct sockaddr *)&peer.storage, &peer.length) < 0) {
        return "a socket that is not connected";
    }
    return is_unix ? SOCKET_UNIX_STREAM : SOCKET_TCP_STREAM;
}

int socket_adopt(executor *ex, int fd, io **out) {
    *out = NULL;
    uint32_t cursor = 0;
    for (const io *o; (o = io_next_open(ex, &cursor));) {
        if (o->fd == fd) {
            return UV_EBUSY;
        }
    }
    bool listening = get_int(fd, SO_ACCEPTCONN) > 0;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        (listening && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) { /* accept(2) has no MSG_DONTWAIT */
        return io_last_error();
    }
    int status = listening ? open_listener(ex, fd, out) : open_socket(ex, fd, get_int(fd, SO_DOMAIN), out);
    if (status == 0) {
        (*out)->shared = true;
        (*out)->transfer.state = RECEIVED_NEVER; /* others may read it */
        (*out)->driven = false;
    }
    return status;
}

int socket_local_address(const io *o, char *text, size_t size) {
    address a = {.length = sizeof a.storage};
    int status = getsockname(o->fd, (struct sockaddr *)&a.storage, &a.length);
    return status < 0 ? io_last_error() : address_format(&a, text, size);
}

int socket_peer_address(const io *o, char *text, size_t size) {
    address a = {.length = sizeof a.storage};
    int status = getpeername(o->fd, (struct sockaddr *)&a.storage, &a.length);
    return status < 0 ? io_last_error() : address_format(&a, text, size);
}
