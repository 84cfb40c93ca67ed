/* SPDX-License-Identifier: MIT
 *
 * The handshake of a stream that is to be sealed: see sealed.h.
 *
 *   wants_input --bytes--> step of the engine --output--> sent --> wants_input, asks, done
 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "loop/heavy.h"
#include "net/sealed.h"

sealed_shared *sealed_shared_new(const tls_library *library) {
    sealed_shared *shared = calloc(1, sizeof *shared);
    if (shared) {
        shared->library = library;
        shared->holders = 1;
    }
    return shared;
}

void sealed_shared_release(sealed_shared *shared) {
    if (--shared->holders == 0) {
        shared->library->output_free(&shared->output);
        free(shared);
    }
}

int sealed_begin(io *o, task *t, sealed_shared *shared, tls_config *config, bool server, const char *name,
                 const char *key, sealed **out) {
    *out = NULL;
    if (o->broken) {
        return UV_EPIPE;
    }
    if (o->reader && task_get(o->executor, o->reader)) {
        return UV_EBUSY;
    }
    tls_engine *engine = shared->library->open(config, &shared->output, name, key);
    sealed *s = engine ? sealed_new(shared, engine) : NULL;
    if (!s) {
        return UV_ENOMEM;
    }
    s->wants_input = server;
    stream_settle_write(o);
    if (!stream_begin_write(o, t)) {
        sealed_free(s);
        return UV_EBUSY;
    }
    o->reader = slab_id(&t->head);
    const int on = 1; /* small records are whole messages; what is no TCP socket does not care */
    setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *out = s;
    return 0;
}

/* Ciphertext becomes the stream's unread bytes: 0, or why not. */
static int fetch(sealed *s, io *o) {
    o->read_waits = UV_READABLE;
    ssize_t n = stream_fill(o, 1);
    if (n != UV_EOF) {
        return n < 0 ? (int)n : 0;
    }
    return s->shared->library->end(s->engine) == TLS_ENDED ? UV_EOF : sealed_fail(s, o);
}

/* A step of the engine, with the unread bytes, which it takes as far as they belong to the handshake. */
static tls_status step(sealed *s, io *o) {
    size_t unread = stream_unread(o), left = unread;
    const char *in = unread ? stream_bytes(o) : "";
    tls_status status = s->shared->library->handshake(s->engine, &in, &left);
    if (unread) {
        stream_consume(o, unread - left);
    }
    return status;
}

/* Sends what is pending. A peer that is gone may have said why: then what it has sent is read all the same. */
static int send_pending(sealed *s, io *o) {
    int status = sealed_send_pending(s, o, o->layer);
    if (status == UV_EAGAIN) {
        o->read_waits = o->waits;
    }
    return status == UV_EAGAIN ? status : 0;
}

int sealed_shake(sealed *s, io *o) {
    for (;;) {
        int code = send_pending(s, o);
        if (code == 0 && s->wants_input && !stream_unread(o)) {
            code = s->done ? 0 : fetch(s, o);
        }
        if (code < 0 || s->done) {
            return code;
        }
        if (!s->granted && !heavy_begin(o->executor)) {
            s->granted = true; /* when it is woken */
            return SEALED_TURN;
        }
        s->granted = false;
        uint64_t began_ns = uv_hrtime();
        tls_status status = step(s, o);
        heavy_took(o->executor, uv_hrtime() - began_ns);
        sealed_send(s, o, o->layer);
        s->wants_input = status == TLS_INPUT;
        s->done = status == TLS_OPEN;
        o->executor->counters.handshakes += s->done;
        if (status == TLS_FAILED) {
            o->executor->counters.handshake_failures++;
            return sealed_fail(s, o);
        }
        if (status == TLS_ANSWER) {
            return SEALED_ASKS;
        }
    }
}

void sealed_answer(sealed *s, tls_config *config) {
    s->shared->library->answer(s->engine, config);
}

void sealed_commit(sealed *s, io *o) {
    size_t unread = stream_unread(o), got = 0;
    stream_wrap(o, &s->layer);
    o->read_waits = UV_READABLE;
    o->write_waits = UV_WRITABLE;
    if (unread) {
        char *bytes = o->data + o->start;
        tls_status status = s->shared->library->unseal(s->engine, bytes, unread, bytes, unread, &got);
        o->end = o->start + (uint32_t)got;
        if (got == 0) {
            io_drop_data(o);
        }
        sealed_note(s, o, status);
    }
    o->reader = 0;
    stream_end_write(o);
}
