/* SPDX-License-Identifier: MIT
 *
 * Byte streams: see stream.h.
 */
#include "net/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool holds_scratch(const io *o) {
    return o->executor->scratch_holder == o;
}

int stream_settle(io *o) {
    if (!holds_scratch(o)) {
        return 0;
    }
    size_t unread = stream_unread(o);
    char *data = unread ? malloc(unread) : NULL;
    if (data) {
        memcpy(data, stream_bytes(o), unread);
    }
    io_drop_data(o);
    if (unread && !data) {
        o->end_code = UV_ENOMEM;
        return UV_ENOMEM;
    }
    o->data = data;
    o->end = o->capacity = unread;
    return 0;
}

void stream_consume(io *o, size_t n) {
    o->start += n;
    if (o->start == o->end) {
        io_drop_data(o);
    }
}

/* Makes room for at least one byte behind the unread ones, better for `want` in all. */
static int reserve(io *o, size_t want) {
    size_t unread = stream_unread(o);
    if (!unread && want <= EXECUTOR_SCRATCH) {
        io_claim_scratch(o);
        return 0;
    }
    if (holds_scratch(o)) {
        int status = stream_settle(o);
        if (status < 0) {
            return status;
        }
    }
    if (o->end < o->capacity) {
        return 0;
    }
    if (o->start > o->capacity / 2) { /* more than half was taken: room enough in front */
        memmove(o->data, stream_bytes(o), unread);
        o->start = 0;
        o->end = unread;
        return 0;
    }
    /* Grow with what has come, not with what was asked for: a peer that sends nothing costs nothing. */
    size_t capacity = o->capacity < 2048 ? 4096 : 2 * o->capacity;
    if (unread == 0 && capacity < EXECUTOR_SCRATCH) {
        capacity = EXECUTOR_SCRATCH;
    }
    char *data = realloc(o->data, capacity);
    if (!data) {
        return UV_ENOMEM;
    }
    o->data = data;
    o->capacity = capacity;
    return 0;
}

/* Whether a system call would block in a descriptor that has to stay blocking. */
static bool would_block(const io *o, short direction) {
    struct pollfd pfd = {.fd = o->fd, .events = direction};
    if (o->kind != IO_SHARED || poll(&pfd, 1, 0) == 1) {
        return false;
    }
    errno = EAGAIN;
    return true;
}

/* What is no socket; kept out of line, for the sake of what is. */
static __attribute__((noinline)) ssize_t read_file(const io *o, char *into, size_t room) {
    return would_block(o, POLLIN) ? -1 : read(o->fd, into, room);
}

static __attribute__((noinline)) ssize_t write_file(const io *o, const struct iovec *pieces, int count) {
    if (would_block(o, POLLOUT)) {
        return -1;
    }
    if (o->kind == IO_SHARED) { /* a pipe that poll(2) calls writable takes so much without blocking */
        return write(o->fd, pieces->iov_base, pieces->iov_len < PIPE_BUF ? pieces->iov_len : PIPE_BUF);
    }
    return writev(o->fd, pieces, count);
}

static ssize_t receive(const io *o, char *into, size_t room) {
    return o->kind == IO_SOCKET ? recv(o->fd, into, room, MSG_DONTWAIT) : read_file(o, into, room);
}

static ssize_t transmit(const io *o, const struct iovec *pieces, int count) {
    if (o->kind != IO_SOCKET) {
        return write_file(o, pieces, count);
    }
    if (count == 1) {
        return send(o->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(o->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t stream_fill(io *o, size_t want) {
    if (o->end_code) {
        return o->end_code;
    }
    if (!(o->ready & UV_READABLE)) {
        return UV_EAGAIN;
    }
    int status = reserve(o, want);
    if (status < 0) {
        return status;
    }
    size_t room = o->capacity - o->end;
    ssize_t n = io_try(o, UV_READABLE, receive(o, o->data + o->end, room));
    if (n > 0) {
        o->end += (size_t)n;
        if ((size_t)n < room && o->drains) {
            o->ready &= (uint8_t)~UV_READABLE; /* the next bytes are an event */
        }
        return n;
    }
    if (stream_unread(o) == 0) {
        io_drop_data(o);
    }
    return n == 0 ? UV_EOF : n;
}

int stream_put_back(io *o, int pipe, size_t n) {
    size_t unread = stream_unread(o), done = 0;
    char *data = malloc(n + unread);
    if (data) {
        for (ssize_t got = 1; done < n && got > 0; done += got > 0 ? (size_t)got : 0) {
            got = read(pipe, data + done, n - done);
        }
        if (unread) {
            memcpy(data + done, stream_bytes(o), unread);
        }
    }
    io_drop_data(o);
    if (!data) {
        o->end_code = UV_ENOMEM;
        return UV_ENOMEM;
    }
    o->data = data;
    o->end = o->capacity = done + unread;
    return 0;
}

static void settle(io *o) {
    stream_settle(o);
}

void stream_init(io *o) {
    o->settle = settle;
}

int stream_open(executor *ex, int fd, enum io_kind kind, io **out) {
    int status = io_open_as(ex, fd, kind, out);
    if (status == 0) {
        stream_init(*out);
    }
    return status;
}

int stream_open_two(executor *ex, const int fds[2], enum io_kind kind, io **first, io **second) {
    *second = NULL;
    int status = stream_open(ex, fds[0], kind, first);
    if (status < 0) {
        close(fds[1]);
        return status;
    }
    status = stream_open(ex, fds[1], kind, second);
    if (status < 0) {
        io_close(*first);
        *first = NULL;
    }
    return status;
}

bool stream_begin_write(io *o, task *t) {
    if (o->writer && task_get(o->executor, o->writer)) {
        return false;
    }
    o->writer = slab_id(&t->head);
    t->progress = 0;
    return true;
}

void stream_end_write(io *o) {
    o->writer = 0;
    if (!list_empty(&o->writers)) {
        task *next = list_entry(list_first(&o->writers), task, place.link);
        o->writer = slab_id(&next->head);
        next->progress = 0;
        task_wake(next, WAKE_READY);
    }
}

void stream_cut_write(io *o, task *t) {
    if (o->writer == slab_id(&t->head)) {
        o->broken |= t->progress > 0;
        stream_end_write(o);
    }
}

void stream_wait_turn(io *o, task *t, uint64_t deadline_ms) {
    task_park(t, "write", deadline_ms, WAKE_TIMEOUT);
    list_push(&o->writers, &t->place.link);
}

ssize_t stream_write(io *o, const struct iovec *pieces, int count) {
    return io_try(o, UV_WRITABLE, transmit(o, pieces, count));
}
