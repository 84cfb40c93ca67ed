/* SPDX-License-Identifier: MIT
 *
 * What a stream stands on: how bytes are read and written, and how their end is told.
 *
 *   stream --io.layer--> layer --below--> layer --below--> NULL
 *                        its own state    a constant one: the descriptor's
 *
 * A transport is a table of functions; a layer is one in use. Layers may stand on each other, as encryption on a socket: then
 * each calls the one below. The stream calls the one on top, and does not know which it is.
 *
 * No function waits. UV_EAGAIN says that the task has to, for what io.waits says: io_try sets it, so a layer whose read has to
 * write first, or whose write has to read, hands on what the layer below has answered. Only if it makes other calls after
 * that one, it sets io.waits itself.
 */
#pragma once
#include <sys/uio.h>

#include "loop/io.h"

typedef struct layer layer;

typedef struct transport {
    /* Reads, into room for at least one byte: the number of bytes. UV_EOF: the peer has ended its side in good order. Every
     * other end is a code of its own, told again by each further read. */
    ssize_t (*read)(const layer *, io *, char *into, size_t room);
    /* Takes bytes, which are one at least: their number. What the descriptor has not taken of them may stay in the layer
     * (stream_pend), for flush. */
    ssize_t (*writev)(const layer *, io *, const struct iovec *, int count);
    /* Nothing more will be written: 0 once that is said; 1: it will be, when the descriptor takes it (stream_pend). It is called
     * again after UV_EAGAIN. It may close the stream. */
    int (*shutdown)(const layer *, io *);
    /* Gives the descriptor what lies in the layers below, and then in this one: 0, nothing is left; UV_EAGAIN, or how writing
     * failed. Called by the event when the descriptor is writable, and at the end of a write. NULL: nothing is ever left. */
    int (*flush)(const layer *, io *);
    /* Whether a read has something to tell without the descriptor, or to do before it waits for that. Who makes it so while a
     * reader waits wakes that one (io_wake_first). NULL: never. */
    bool (*holds)(const layer *);
    /* The descriptor is about to be closed: says good-bye, if it takes that at once; frees the layer, and tells those below.
     * NULL: there is nothing to do. */
    void (*close)(const layer *, io *);
    /* Whether the bytes are the descriptor's own, and splice(2) would not block there. NULL: no. */
    bool (*raw)(const io *);
    /* As read, into a pipe; of those that are raw. NULL: by splice(2), where the descriptor stands. */
    ssize_t (*splice)(const layer *, io *, int pipe, size_t room);
    bool sends;    /* the poller may send as writev does */
    bool standard; /* a broken pipe is the process's to hear of, as of any write to stdout and stderr */
} transport;

struct layer {
    const transport *transport;
    const layer *below;
};

extern const layer layer_socket;   /* recv(2) and send(2) */
extern const layer layer_local;    /* the same, of a Unix socket: where messages may end a read */
extern const layer layer_file;     /* read(2) and writev(2): a pipe, a terminal; or what never waits, as /dev/null */
extern const layer layer_terminal; /* the same, of a pseudo-terminal's master */
extern const layer layer_standard; /* the same, of a standard stream */
extern const layer
    layer_shared; /* the same, where that has to block, as other processes have it: poll(2) comes first */

/* The system tells what has ended a connection once, to whoever asks first: it is kept for those who read, who are told it in
 * place of an end, behind the bytes that came before. n: what a system call on the socket has returned, passed through. */
ssize_t transport_keep_failure(io *, ssize_t n);
/* The same, of a write that has returned n. */
ssize_t transport_has_written(io *, ssize_t n);

/* The descriptor has taken n bytes, or n says why not. */
static inline ssize_t transport_count_out(io *o, ssize_t n) {
    o->executor->counters.bytes_out += n > 0 ? (uint64_t)n : 0;
    return n;
}

/* io_try of a write by a call that knows no MSG_NOSIGNAL, by the layer that is the descriptor's (signals.h). */
#define layer_write_try(l, o, call)                              \
    ({                                                           \
        bool *expected_ = &(o)->executor->signals.pipe_expected; \
        *expected_ = !(l)->transport->standard;                  \
        ssize_t written_ = io_try(o, UV_WRITABLE, call);         \
        *expected_ = false;                                      \
        written_;                                                \
    })

static inline ssize_t layer_read(const layer *l, io *o, char *into, size_t room) {
    return l->transport->read(l, o, into, room);
}
static inline ssize_t layer_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    return l->transport->writev(l, o, pieces, count);
}
static inline int layer_shutdown(const layer *l, io *o) {
    return l->transport->shutdown(l, o);
}
static inline int layer_flush(const layer *l, io *o) {
    return l->transport->flush ? l->transport->flush(l, o) : 0;
}
static inline bool layer_holds(const layer *l) {
    return l->transport->holds && l->transport->holds(l);
}
static inline void layer_close(const layer *l, io *o) {
    if (l->transport->close) l->transport->close(l, o);
}
/* As layer_read, into a pipe; of a layer that is raw. */
ssize_t layer_splice(const layer *, io *, int pipe, size_t room);
static inline bool layer_raw(const layer *l, const io *o) {
    return l->transport->raw && l->transport->raw(o);
}
