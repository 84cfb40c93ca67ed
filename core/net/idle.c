/* SPDX-License-Identifier: MIT
 *
 * Idle streams: see idle.h.
 */
#include "net/idle.h"

/* What comes may be the layers' own, such as a ticket of TLS: then the stream has nothing to tell. */
static int look(io *o) {
    ssize_t n = stream_fill(o, 1);
    return n == UV_EAGAIN ? 0 : n < 0 ? (int)n : UV_EPROTO;
}

static void came(io *o) {
    if (look(o) < 0 || io_watch(o, o->read_waits) < 0) {
        io_close(o);
    }
}

int idle_begin(io *o, double seconds) {
    bool in_use = o->idle || stream_unread(o) || o->broken || !list_empty(&o->readers) || !list_empty(&o->writers);
    int status = in_use ? UV_EBUSY : look(o);
    if (status == 0) {
        status = io_watch(o, o->read_waits);
    }
    if (status == 0) {
        status = io_begin_idle(o, executor_deadline_ms(o->executor, seconds), came);
    }
    if (status < 0) {
        io_close(o);
    }
    return status;
}

int idle_end(io *o) {
    int status = o->idle ? 0 : UV_EBUSY;
    if (status == 0) {
        io_ask(o, UV_READABLE);
        status = look(o);
        io_end_idle(o);
    }
    if (status < 0) {
        io_close(o);
    }
    return status;
}
