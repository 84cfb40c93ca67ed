/* SPDX-License-Identifier: MIT
 *
 * A byte stream on an io, whatever its transport: unread bytes, and writes that are whole.
 *
 * A read lands in the executor's scratch, which the stream then holds; what the reader leaves there moves into a buffer
 * of the stream's own as soon as the scratch is wanted by another. So a stream without unread bytes owns no buffer, and
 * the common read, taken whole, is copied once, into the Lua string.
 *
 *   descriptor --recv(2)--> scratch (held) --taken whole--> nothing left
 *                              |
 *                              +--spill: something left--> data of its own --taken--> freed
 */
#pragma once
#include "net/transport.h"

/* Makes an io a stream. */
void stream_init(io *, const layer *);
/* Takes the descriptor over: it is closed when this fails. */
int stream_open(executor *, int fd, const layer *, io **);
/* Both, or none: when it fails both are closed. */
int stream_open_two(executor *, const int fds[2], const layer *, io **first, io **second);
/* From now on the stream goes through this layer, which stands on what it went through before. The unread bytes are the layer's
 * to take: they came before. */
void stream_wrap(io *, layer *);

static inline size_t stream_unread(const io *o) {
    return o->end - o->start;
}
static inline const char *stream_bytes(const io *o) {
    return o->data + o->start;
}

/* Reads more bytes behind the unread ones, once: their number, or UV_EAGAIN, UV_EOF, UV_ENOMEM or what the system says.
 * want: how many unread bytes the caller hopes to see in the end. What is unread stays so, whatever is returned. */
ssize_t stream_fill_now(io *, size_t want);
/* Whether a try to read may have an answer other than UV_EAGAIN. */
static inline bool stream_may_tell(const io *o) {
    return o->ready & o->read_waits || o->end_code || layer_holds(o->layer);
}
static inline ssize_t stream_fill(io *o, size_t want) {
    return stream_may_tell(o) ? stream_fill_now(o, want) : UV_EAGAIN;
}
/* Takes the unread bytes, or if there are none, reads once, past the scratch: the number of bytes, or a code as above. */
ssize_t stream_read_into(io *, char *into, size_t room);
/* Drops the first n unread bytes. */
void stream_consume(io *, size_t n);
/* The same, for who does not read: UV_EINVAL if there are not so many, UV_EBUSY while a task reads. */
int stream_discard(io *, size_t n);
/* From now on nobody reads ahead, as others may read the descriptor; what was read ahead is unread. UV_ENOMEM: nothing is lost. */
int stream_end_receiving(io *);
/* The stream is closed, and its descriptor is the caller's from now on. UV_EBUSY: there are unread bytes, or a task reads or
 * writes; UV_ENOTSUP: its bytes are not the descriptor's own, as those of TLS. */
int stream_give_away(io *);
/* Puts n bytes, which lie in a pipe, back before the unread ones. UV_ENOMEM: all are lost, and later reads say so. */
int stream_put_back(io *, int pipe, size_t n);
/* Moves unread bytes out of the scratch. UV_ENOMEM: they are lost, and later reads say so. */
int stream_spill(io *);

/* Writing: one task's write at a time, the others queue.
 *   begin -> true: it's the task's turn, until stream_end_write or stream_cut_write; false: wait with stream_wait_turn */
bool stream_begin_write(io *, task *);
/* The task that writes waits for the poller to send the rest: that is sent at once, as a system call would have sent it by now,
 * and the task will find its write over. For who comes next and can't wait; who can has its turn after that task, so that
 * writes also return in the order in which they are sent. */
void stream_settle_write(io *);
void stream_end_write(io *);
/* The write stops after io.written bytes, which its task counts. If there are any, nothing can be written after them: UV_EPIPE from now on. */
void stream_cut_write(io *, task *);
/* Parks the task behind the write under way. */
void stream_wait_turn(io *, task *, uint64_t deadline_ms);
/* One try: bytes taken, which are one at least; UV_EAGAIN or an error. */
ssize_t stream_write(io *, const struct iovec *, int count);
/* The same, of who waits after UV_EAGAIN and tries the same bytes again: the poller may send them. rest: with them, the write is
 * over, and its task may be told so (WAKE_DONE). */
ssize_t stream_send_later(io *, const struct iovec *, int count, bool rest);
static inline ssize_t stream_send(io *o, const struct iovec *pieces, int count, bool rest) {
    return o->driven ? stream_send_later(o, pieces, count, rest) : stream_write(o, pieces, count);
}
int stream_flush_layers(io *);
/* The end of a write: what lies in the layers goes to the descriptor: 0, nothing is left there; UV_EAGAIN or an error. */
static inline int stream_flush(io *o) {
    return o->broken ? UV_EPIPE : o->pending ? stream_flush_layers(o) : 0;
}
/* A layer calls it when something is left there: it is flushed when the descriptor is writable, whoever writes then. */
int stream_pend(io *);
/* Nothing more will be written, and the peer is told: 0; 1: it will be, if the stream is not closed before. UV_EAGAIN: call it
 * again when a write may succeed; UV_EBUSY: a write is under way. What has but one end, as a pipe, is closed. */
int stream_shutdown(io *);
