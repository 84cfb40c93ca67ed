/* SPDX-License-Identifier: MIT
 *
 * Byte streams: see stream.h.
 */
#include "net/stream.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/system.h"

static bool holds_scratch(const io *o) {
    return o->executor->scratch.holder == o;
}

int stream_spill(io *o) {
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
    o->end = o->capacity = (uint32_t)unread;
    return 0;
}

void stream_consume(io *o, size_t n) {
    o->start += (uint32_t)n;
    if (o->start == o->end) {
        io_drop_data(o);
    }
}

int stream_discard(io *o, size_t n) {
    if (o->lent || (o->reader && task_get(o->executor, o->reader))) {
        return UV_EBUSY;
    }
    if (n > stream_unread(o)) {
        return UV_EINVAL;
    }
    stream_consume(o, n);
    return 0;
}

/* Makes room for at least one byte behind the unread ones, in a buffer of the stream's own. */
static __attribute__((noinline)) int reserve(io *o) {
    size_t unread = stream_unread(o);
    if (holds_scratch(o)) {
        int status = stream_spill(o);
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
        o->end = (uint32_t)unread;
        return 0;
    }
    /* Grow with what has come, not with what was asked for: a peer that sends nothing costs nothing. */
    size_t capacity = o->capacity < 2048 ? 4096 : 2 * (size_t)o->capacity;
    if (unread == 0 && capacity < EXECUTOR_SCRATCH) {
        capacity = EXECUTOR_SCRATCH;
    }
    char *data = capacity > UINT32_MAX ? NULL : realloc(o->data, capacity);
    if (!data) {
        return UV_ENOMEM;
    }
    o->data = data;
    o->capacity = (uint32_t)capacity;
    return 0;
}

int stream_end_receiving(io *o) {
    if (o->transfer.state == RECEIVED_NEVER) {
        return 0;
    }
    io_stop_receiving(o);
    const poller_driver *driver = o->executor->poller.driver;
    while (o->transfer.size) {
        int status = reserve(o);
        if (status < 0) {
            return status;
        }
        o->end += (uint32_t)driver->take(&o->executor->poller, &o->transfer, o->data + o->end, o->capacity - o->end);
    }
    o->transfer.state = RECEIVED_NEVER;
    transport_keep_failure(o, o->transfer.code);
    return 0;
}

static ssize_t read_once(io *o, char *into, size_t room) {
    ssize_t n = layer_read(o->layer, o, into, room);
    o->read_waits = n == UV_EAGAIN ? o->waits : UV_READABLE;
    return n;
}

ssize_t stream_fill_now(io *o, size_t want) {
    if (o->end_code == UV_ENOMEM) {
        return UV_ENOMEM;
    }
    if (!stream_unread(o) && want <= EXECUTOR_SCRATCH) {
        io_claim_scratch(o);
    } else {
        int status = reserve(o);
        if (status < 0) {
            return status;
        }
    }
    ssize_t n = read_once(o, o->data + o->end, o->capacity - o->end);
    if (n > 0) {
        o->end += (uint32_t)n;
    } else if (stream_unread(o) == 0) {
        io_drop_data(o);
    }
    return n;
}

ssize_t stream_read_into(io *o, char *into, size_t room) {
    size_t unread = stream_unread(o), n = unread < room ? unread : room;
    if (!unread) {
        return o->end_code == UV_ENOMEM ? UV_ENOMEM : read_once(o, into, room);
    }
    memcpy(into, stream_bytes(o), n);
    stream_consume(o, n);
    return (ssize_t)n;
}

void stream_settle_write(io *o) {
    task *t = o->driven && o->writer ? task_get(o->executor, o->writer) : NULL;
    const transfer *sent = &o->transfer;
    if (!t || t->state == TASK_RUNNING || !sent->rest || !(sent->block || sent->sent)) {
        return;
    }
    if (io_settle(o) && sent->sent == SENT_ALL && t->state == TASK_READY) {
        t->wake = WAKE_DONE;
        t->done = o->written + (size_t)transport_count_out(o, io_take_sent(o));
        o->write_waits = UV_WRITABLE;
        stream_end_write(o);
    }
}

static bool is_written(const io *o) {
    return o->writer && task_get(o->executor, o->writer);
}

int stream_give_away(io *o) {
    if (o->layer->transport->close) {
        return UV_ENOTSUP;
    }
    int status = stream_end_receiving(o);
    if (status < 0) {
        return status;
    }
    stream_settle_write(o);
    bool used = is_written(o) || o->lent || stream_unread(o) || !list_empty(&o->readers) || !list_empty(&o->writers) ||
                task_get(o->executor, o->reader);
    return used ? UV_EBUSY : io_give_away(o);
}

int stream_put_back(io *o, int pipe, size_t n) {
    size_t unread = stream_unread(o), done = 0;
    char *data = o->end_code || n + unread > UINT32_MAX ? NULL : malloc(n + unread);
    for (ssize_t got = 1; data && done < n && got > 0; done += got > 0 ? (size_t)got : 0) {
        got = system_read(pipe, data + done, n - done);
    }
    if (done < n) {
        free(data);
        io_drop_data(o);
        o->end_code = UV_ENOMEM;
        return UV_ENOMEM;
    }
    if (unread) {
        memcpy(data + n, stream_bytes(o), unread);
    }
    io_drop_data(o);
    o->data = data;
    o->end = o->capacity = (uint32_t)(n + unread);
    return 0;
}

/* ---- what the loop asks of a stream ---- */

static void spill(io *o) {
    stream_spill(o);
}

/* If it fails, the write under way, or the next one, is told. */
static void on_writable(io *o) {
    stream_flush_layers(o);
}

static void on_closing(io *o) {
    stream_settle_write(o);
    layer_close(o->layer, o);
}

void stream_init(io *o, const layer *l) {
    static const io_hooks hooks = {.spill = spill, .writable = on_writable, .closing = on_closing};
    o->hooks = &hooks;
    o->layer = l;
}

void stream_wrap(io *o, layer *l) {
    l->below = o->layer;
    o->layer = l;
}

int stream_open(executor *ex, int fd, const layer *l, io **out) {
    if (l != &layer_socket && l != &layer_local) { /* write(2) knows no MSG_NOSIGNAL */
        io_survive(SIGPIPE);
    }
    int status = io_open(ex, fd, out);
    if (status == 0) {
        stream_init(*out, l);
    }
    return status;
}

int stream_open_two(executor *ex, const int fds[2], const layer *l, io **first, io **second) {
    *second = NULL;
    int status = stream_open(ex, fds[0], l, first);
    if (status < 0) {
        close(fds[1]);
        return status;
    }
    status = stream_open(ex, fds[1], l, second);
    if (status < 0) {
        io_close(*first);
        *first = NULL;
    }
    return status;
}

/* ---- writing ---- */

static void begin_write(io *o, task *t) {
    o->writer = slab_id(&t->head);
    o->written = 0;
    o->pieces = o->piece = o->offset = 0;
}

bool stream_begin_write(io *o, task *t) {
    if (is_written(o)) {
        return false;
    }
    begin_write(o, t);
    return true;
}

void stream_end_write(io *o) {
    o->writer = 0;
    if (!list_empty(&o->writers)) {
        task *next = list_entry(list_first(&o->writers), task, place.link);
        begin_write(o, next);
        task_wake(next, WAKE_READY);
    }
}

void stream_cut_write(io *o, task *t) {
    if (o->writer == slab_id(&t->head)) {
        ssize_t n = io_unsend(o, false);
        o->written += n > 0 ? (size_t)n : 0;
        o->cut |= o->written > 0;
        o->broken |= o->cut;
        stream_end_write(o);
    }
}

void stream_wait_turn(io *o, task *t, uint64_t deadline_ms) {
    task_park(t, "write", deadline_ms, WAKE_TIMEOUT);
    list_push(&o->writers, &t->place.link);
}

/* A try to write has answered: keeps for which event the next one waits. */
static ssize_t wrote(io *o, ssize_t n) {
    o->write_waits = n == UV_EAGAIN ? o->waits : UV_WRITABLE;
    return n;
}

ssize_t stream_write(io *o, const struct iovec *pieces, int count) {
    return wrote(o, layer_writev(o->layer, o, pieces, count));
}

/* Whether the poller has taken the bytes. */
static bool sends(io *o, const struct iovec *pieces, int count, bool rest) {
    poller *p = &o->executor->poller;
    size_t total = 0;
    if (!o->layer->transport->sends || !(o->ready & UV_WRITABLE) ||
        !list_empty(&o->writers)) { /* who wait for the turn */
        return false;
    }
    for (int i = 0; i < count; i++) {
        total += pieces[i].iov_len;
    }
    if (!p->driver->send(p, &o->transfer, o->fd, slab_id(&o->head), pieces, count, total)) {
        return false;
    }
    o->transfer.rest = rest;
    return true;
}

ssize_t stream_send_later(io *o, const struct iovec *pieces, int count, bool rest) {
    transfer *t = &o->transfer;
    if (t->sent && t->result != UV_EAGAIN) {
        return wrote(o, transport_has_written(o, io_take_sent(o)));
    }
    bool was_full = t->sent;
    t->sent = SENT_NOTHING;
    if (t->block || (!was_full && sends(o, pieces, count, rest))) {
        o->waits = UV_WRITABLE;
        return wrote(o, UV_EAGAIN);
    }
    return stream_write(o, pieces, count);
}

int stream_pend(io *o) {
    o->pending = true;
    return io_watch(o, UV_WRITABLE);
}

int stream_flush_layers(io *o) {
    int status = layer_flush(o->layer, o);
    o->pending = status == UV_EAGAIN;
    o->broken |= status < 0 && status != UV_EAGAIN;
    return (int)wrote(o, status);
}

int stream_shutdown(io *o) {
    int status = UV_EBUSY;
    stream_settle_write(o);
    if (!is_written(o)) {
        o->broken = true;
        status = layer_shutdown(o->layer, o);
    }
    if (status == UV_EAGAIN) {
        wrote(o, status);
    }
    if (status < 0) { /* else it may be closed */
        o->failed = (int16_t)status;
    }
    return status;
}
