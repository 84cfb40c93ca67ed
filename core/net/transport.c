/* SPDX-License-Identifier: MIT
 *
 * The transports that are a descriptor's own: see transport.h.
 */
#include "net/transport.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/system.h"

/* Passes n on, which are bytes. */
static ssize_t count_in(io *o, ssize_t n) {
    o->executor->counters.bytes_in += (uint64_t)n;
    return n;
}

/* ---- sockets ---- */

ssize_t transport_keep_failure(io *o, ssize_t n) {
    switch (n) {
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_ETIMEDOUT:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
    case UV_EPROTO: o->end_code = (int16_t)n; break;
    default: break;
    }
    return n;
}

ssize_t layer_splice(const layer *l, io *o, int pipe, size_t room) {
    if (l->transport->splice) {
        return l->transport->splice(l, o, pipe, room);
    }
    ssize_t n = io_try(o, UV_READABLE, system_splice(o->fd, NULL, pipe, room));
    return n > 0 ? count_in(o, n) : n == 0 ? UV_EOF : transport_keep_failure(o, n);
}

/* A read has returned n. short_of: whether it could have taken more, had there been more. */
static ssize_t has_read(io *o, ssize_t n, bool short_of) {
    if (n > 0) {
        if (short_of && o->drains) {
            o->ready &= (uint8_t)~UV_READABLE; /* the next bytes are an event */
        }
        return count_in(o, n);
    }
    if (n == 0) {
        return o->end_code ? o->end_code : UV_EOF;
    }
    return transport_keep_failure(o, n);
}

/* What the poller has received. UV_EAGAIN: nothing is there yet; 0: it receives nothing, so ask the descriptor. */
static ssize_t read_received(io *o, char *into, size_t room) {
    transfer *from = &o->transfer;
    const poller_driver *driver = o->executor->poller.driver;
    if (!from->size && from->state >= RECEIVED_NOW && o->ready & UV_READABLE) { /* who does not wait has asked */
        driver->look(&o->executor->poller, slab_id(&o->head));
    }
    if (from->size) {
        size_t n = driver->take(&o->executor->poller, from, into, room);
        if (!from->size && from->state >= RECEIVED_NOW) {
            o->ready &= (uint8_t)~UV_READABLE; /* the next bytes are an event */
        }
        return count_in(o, (ssize_t)n);
    }
    if (from->code) {
        int code = from->code;
        from->code = 0;
        return transport_keep_failure(o, code);
    }
    return from->state >= RECEIVED_NOW ? io_must_wait(o, UV_READABLE) : 0;
}

static ssize_t socket_read(const layer *l, io *o, char *into, size_t room) {
    (void)l;
    ssize_t received = o->transfer.state ? read_received(o, into, room) : 0;
    if (received) {
        return received;
    }
    ssize_t n = io_try(o, UV_READABLE, system_recv(o->fd, into, room, MSG_DONTWAIT));
    return has_read(o, n, (size_t)n < room);
}

/* A message that carries descriptors ends a read, and where credentials are asked for, so does one of another process. That
 * something came which had no room is all that tells of either: MSG_CTRUNC. */
static ssize_t local_read(const layer *l, io *o, char *into, size_t room) {
    (void)l;
    ssize_t received = o->transfer.state ? read_received(o, into, room) : 0;
    if (received) {
        return received;
    }
    struct iovec piece = {into, room};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t n = io_try(o, UV_READABLE, system_recvmsg(o->fd, &message, MSG_DONTWAIT));
    return has_read(o, n, (size_t)n < room && !(message.msg_flags & (MSG_CTRUNC | MSG_OOB)));
}

/* A write has returned n. What has ended the connection may have been told to the poller, and to nobody yet. */
ssize_t transport_has_written(io *o, ssize_t n) {
    if (n == UV_EPIPE && o->transfer.code) {
        n = o->transfer.code;
        o->transfer.code = 0;
    }
    return n < 0 ? transport_keep_failure(o, n) : transport_count_out(o, n);
}

static ssize_t socket_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    (void)l;
    if (count == 1) {
        return transport_has_written(
            o,
            io_try(o, UV_WRITABLE, system_send(o->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)));
    }
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    return transport_has_written(o,
                                 io_try(o, UV_WRITABLE, system_sendmsg(o->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

static int socket_shutdown(const layer *l, io *o) {
    (void)l;
    return shutdown(o->fd, SHUT_WR) < 0 ? io_last_error() : 0;
}

/* splice(2) waits in a socket that may block, whatever its own flags say. */
static bool socket_raw(const io *o) {
    return fcntl(o->fd, F_GETFL) & O_NONBLOCK;
}

/* ---- files ---- */

static ssize_t file_read(const layer *l, io *o, char *into, size_t room) {
    (void)l;
    ssize_t n = io_try(o, UV_READABLE, system_read(o->fd, into, room));
    return n > 0 ? count_in(o, n) : n == 0 ? UV_EOF : n;
}

static ssize_t file_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    return transport_count_out(o, layer_write_try(l, o, system_writev(o->fd, pieces, count)));
}

/* A pipe has no other end to keep. */
static int file_shutdown(const layer *l, io *o) {
    (void)l;
    io_close(o);
    return 0;
}

static bool file_raw(const io *o) {
    (void)o;
    return true;
}

/* ---- the master of a pseudo-terminal ---- */

/* The end of those that had the terminal is told as an error. */
static ssize_t terminal_read(const layer *l, io *o, char *into, size_t room) {
    ssize_t n = file_read(l, o, into, room);
    return n == UV_EIO ? UV_EOF : n;
}

/* It has one end for both directions. */
static int terminal_shutdown(const layer *l, io *o) {
    (void)l, (void)o;
    return UV_ENOTSUP;
}

/* ---- shared files ---- */

/* Fails as a system call that would block. */
static int look(const io *o, short direction) {
    struct pollfd pfd = {.fd = o->fd, .events = direction};
    if (poll(&pfd, 1, 0) == 1) {
        return 0;
    }
    errno = EAGAIN;
    return -1;
}

static ssize_t shared_read(const layer *l, io *o, char *into, size_t room) {
    (void)l;
    ssize_t n = io_try(o, UV_READABLE, look(o, POLLIN) < 0 ? -1 : system_read(o->fd, into, room));
    return n > 0 ? count_in(o, n) : n == 0 ? UV_EOF : n;
}

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking. */
static ssize_t shared_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    (void)count;
    size_t size = pieces->iov_len < PIPE_BUF ? pieces->iov_len : PIPE_BUF;
    return transport_count_out(
        o, layer_write_try(l, o, look(o, POLLOUT) < 0 ? -1 : system_write(o->fd, pieces->iov_base, size)));
}

static const transport socket_transport = {
    .read = socket_read, .writev = socket_writev, .shutdown = socket_shutdown, .raw = socket_raw, .sends = true};
static const transport local_transport = {
    .read = local_read, .writev = socket_writev, .shutdown = socket_shutdown, .raw = socket_raw, .sends = true};
static const transport file_transport = {
    .read = file_read, .writev = file_writev, .shutdown = file_shutdown, .raw = file_raw};
static const transport terminal_transport = {
    .read = terminal_read, .writev = file_writev, .shutdown = terminal_shutdown};
static const transport standard_transport = {
    .read = file_read, .writev = file_writev, .shutdown = file_shutdown, .raw = file_raw, .standard = true};
static const transport shared_transport = {
    .read = shared_read, .writev = shared_writev, .shutdown = file_shutdown, .standard = true};

const layer layer_socket = {&socket_transport, NULL};
const layer layer_local = {&local_transport, NULL};
const layer layer_file = {&file_transport, NULL};
const layer layer_terminal = {&terminal_transport, NULL};
const layer layer_standard = {&standard_transport, NULL};
const layer layer_shared = {&shared_transport, NULL};
