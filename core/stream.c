/* SPDX-License-Identifier: MIT
 *
 * Byte streams: see stream.h.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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
    ssize_t n;
    do {
        n = recv(o->fd, o->data + o->end, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        o->end += (size_t)n;
        if ((size_t)n < room) {
            o->ready &= (uint8_t)~UV_READABLE; /* drained: the next bytes are an event */
        }
        return n;
    }
    int code = n == 0 ? UV_EOF : uv_translate_sys_error(errno);
    if (code == UV_EAGAIN) {
        o->ready &= (uint8_t)~UV_READABLE;
    }
    if (stream_unread(o) == 0) {
        io_drop_data(o);
    }
    return code;
}

static void read_ahead(io *o) {
    ssize_t n = stream_fill(o, 1);
    if (n < 0 && n != UV_EAGAIN) {
        o->end_code = (int)n;
    }
}

static void settle(io *o) {
    stream_settle(o);
}

void stream_init(io *o) {
    o->settle = settle;
    o->read_ahead = read_ahead;
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
    if (!(o->ready & UV_WRITABLE)) {
        return UV_EAGAIN;
    }
    ssize_t n;
    do {
        if (count == 1) {
            n = send(o->fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
            n = sendmsg(o->fd, &message, MSG_NOSIGNAL);
        }
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    int code = uv_translate_sys_error(errno);
    if (code == UV_EAGAIN) {
        o->ready &= (uint8_t)~UV_WRITABLE;
    }
    return code;
}
