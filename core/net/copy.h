/* SPDX-License-Identifier: MIT
 *
 * Copying from one stream to another, without a string for the bytes.
 *
 *   from --stream_fill--> its unread bytes --stream_write--> to        as long as little comes at a time
 *   from --splice(2)----> a pipe ------------splice(2)-----> to        when a read has filled the whole scratch
 *
 * What was taken and not given yet stays with the copy until copy_end puts it back before the unread bytes of `from`: so
 * no byte is lost by a copy that is given up, and a further one goes on where it ended.
 */
#pragma once
#include "net/stream.h"

typedef struct copy {
    uint64_t done;     /* bytes that were given */
    uint64_t left;     /* that are still to be given; UINT64_MAX: all until the end */
    size_t piped;      /* bytes in the pipe; they come before the unread ones of `from` */
    int pipe[2];       /* if has_pipe */
    bool has_pipe;     /* only while it is of use */
    bool much;         /* the last read was as large as can be */
    bool plain;        /* these two can't be spliced */
    bool received;     /* the poller receives for `from` again once it is not spliced from */
    uint64_t moved_ms; /* for those who limit its silence: when it moved bytes last */
    /* For those who park, each a direction: */
    uint8_t side;  /* which of the streams the last step was for: the readable, or the writable one */
    uint8_t waits; /* the side that the task has waited for without having moved a byte since, or 0 */
} copy;

static inline void copy_init(copy *c, uint64_t left) {
    *c = (copy){.left = left};
}
/* Whether there is something to give, so that it's `to` that comes next. */
static inline bool copy_holds(const copy *c, const io *from) {
    return c->piped || stream_unread(from);
}
/* Each once, in one system call: bytes (0: try again), UV_EAGAIN, UV_EOF or another code. */
ssize_t copy_take(copy *, io *from, const io *to);
ssize_t copy_give(copy *, io *from, io *to);
/* The executor gets the pipe back, and `from` what is in it; NULL: it was closed. May be repeated. */
void copy_end(copy *, executor *, io *from);
