/* SPDX-License-Identifier: MIT
 *
 * TLS as a layer of a stream: see sealed.h. The handshake is in shake.c.
 */
#include "net/sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ANSWERS_MAX = 64 * 1024,  /* what the engine may say in reads while the peer does not take it */
    SILENT_MAX = 1024 * 1024, /* ciphertext without plaintext */
    OUTPUT_KEPT = 128 * 1024, /* capacity of the output, which a long chain of certificates may have made larger */
    DIRECT_LEAST = 512, /* room of a read, beside a record that came in part, for which it needs no buffer of its own */
    ASIDE = 16 * 1024,  /* that buffer */
    GOODBYE_READS = 16, /* reads of a stream that is closed */
};

_Static_assert((int)TLS_FAILURE == (int)IO_FAILURE && (int)TLS_WORDS <= (int)EXECUTOR_FAILURE, "its words go there");

static sealed *sealed_from(const layer *l) {
    return (sealed *)(uintptr_t)l;
}

static const tls_library *library_of(const sealed *s) {
    return s->shared->library;
}

static int fail_with(io *o, const char *words) {
    o->executor->failure.name = "ETLS";
    snprintf(o->executor->failure.text, sizeof o->executor->failure.text, "%s", words);
    return IO_FAILURE;
}

int sealed_fail(const sealed *s, io *o) {
    const tls_problem *problem = library_of(s)->problem(s->engine);
    if (problem->code == TLS_FAILURE) {
        fail_with(o, problem->words);
    }
    return problem->code;
}

/* ---- what is to be sent ---- */

static void drop_pending(sealed *s) {
    free(s->pending);
    s->pending = NULL;
    s->pend_start = s->pend_end = s->pend_capacity = 0;
    s->answers = 0;
}

static bool keep_pending(sealed *s, const char *bytes, size_t n) {
    size_t left = s->pend_end - s->pend_start;
    if (n > s->pend_capacity - s->pend_end) {
        char *moved = malloc(left + n);
        if (!moved) {
            return false;
        }
        if (left) {
            memcpy(moved, s->pending + s->pend_start, left);
        }
        free(s->pending);
        s->pending = moved;
        s->pend_start = 0;
        s->pend_end = left;
        s->pend_capacity = left + n;
    }
    memcpy(s->pending + s->pend_end, bytes, n);
    s->pend_end += n;
    return true;
}

/* The layer below may put out something itself: meanwhile it finds another output. */
int sealed_send(sealed *s, io *o, const layer *below) {
    tls_output output = s->shared->output;
    s->shared->output = (tls_output){0};
    size_t sent = 0;
    ssize_t n = 0;
    while (n >= 0 && !s->pending && sent < output.size) {
        const struct iovec rest = {output.data + sent, output.size - sent};
        n = layer_writev(below, o, &rest, 1);
        sent += n > 0 ? (size_t)n : 0;
    }
    if (sent < output.size && (n == UV_EAGAIN || s->pending)) {
        n = UV_EAGAIN;
        if (!keep_pending(s, output.data + sent, output.size - sent)) {
            n = UV_ENOMEM;
            o->broken = o->cut = true; /* a record lacks: what would follow it is worth nothing */
        }
    }
    if (output.capacity <= OUTPUT_KEPT) {
        output.size = 0;
        tls_output other = s->shared->output;
        s->shared->output = output;
        output = other;
    }
    library_of(s)->output_free(&output);
    return n < 0 ? (int)n : 0;
}

int sealed_send_pending(sealed *s, io *o, const layer *below) {
    int status = layer_flush(below, o);
    while (status == 0 && s->pending) {
        const struct iovec rest = {s->pending + s->pend_start, s->pend_end - s->pend_start};
        ssize_t n = layer_writev(below, o, &rest, 1);
        if (n < 0) {
            status = (int)n;
            break;
        }
        s->pend_start += (size_t)n;
        if (s->pend_start == s->pend_end) {
            drop_pending(s);
            status = layer_flush(below, o);
        }
    }
    if (status < 0 && status != UV_EAGAIN) {
        drop_pending(s); /* nobody will ever take it */
    }
    return status;
}

/* The same for a layer in use: what is left is sent when the descriptor is writable, whoever writes then. */
static int send_all(sealed *s, io *o) {
    int status = sealed_send(s, o, s->layer.below);
    return status == UV_EAGAIN ? stream_pend(o) : status;
}

static int sealed_flush(const layer *l, io *o) {
    sealed *s = sealed_from(l);
    int status = sealed_send_pending(s, o, l->below);
    if (status == 0 && s->ending) {
        s->ending = false;
        status = layer_shutdown(l->below, o);
    }
    return status > 0 ? UV_EAGAIN : status;
}

static void rest(sealed *s) {
    library_of(s)->rest(s->engine);
    s->warm = false;
}

static ssize_t sealed_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    sealed *s = sealed_from(l);
    int status = s->pending ? sealed_flush(l, o) : 0;
    if (status < 0) {
        return status;
    }
    s->warm = true;
    ssize_t n = library_of(s)->seal(s->engine, pieces, count);
    if (n < 0) {
        s->shared->output.size = 0;
        return n == TLS_FAILURE ? sealed_fail(s, o) : n;
    }
    status = send_all(s, o);
    bool more = n >= TLS_RECORD;             /* probably */
    if (!more && !list_empty(&o->readers)) { /* no read that has to wait will do it for long */
        rest(s);
    }
    return status < 0 ? status : n;
}

/* ---- reading ---- */

/* The peer has sent more without data than is borne. */
static void flooded(sealed *s) {
    if (!s->end) {
        s->flooded = true;
        s->end = IO_FAILURE;
    }
}

/* What was answered in a read goes out as far as it can. The peer may make us answer for ever, and take nothing. */
static void answer(sealed *s, io *o) {
    size_t size = s->shared->output.size;
    if (size) {
        send_all(s, o);
        s->answers = s->pending ? s->answers + size : 0;
    }
    if (s->answers > ANSWERS_MAX) {
        flooded(s);
    }
}

void sealed_note(sealed *s, io *o, tls_status status) {
    if (status == TLS_ENDED) {
        s->end = UV_EOF;
    } else if (status == TLS_FAILED) {
        s->end = library_of(s)->problem(s->engine)->code;
    }
    answer(s, o);
}

static int tell_end(const sealed *s, io *o) {
    char byte;
    if (s->end != IO_FAILURE) {
        return s->end;
    }
    if (s->flooded) {
        return fail_with(o, "broken: the peer sends what carries no data, and more than is borne");
    }
    bool own = library_of(s)->problem(s->engine) != NULL;
    return own ? sealed_fail(s, o) : (int)layer_read(s->layer.below, o, &byte, 1); /* it tells its words again */
}

/* Reads once: bytes of plaintext, of which there may be none; or a code. Room: more than what has come of a record takes. */
static ssize_t read_once(sealed *s, io *o, char *into, size_t room) {
    const tls_library *library = library_of(s);
    char *in = into + s->engine->held; /* where it may be deciphered */
    size_t got = 0;
    ssize_t n = layer_read(s->layer.below, o, in, room - s->engine->held);
    if (n == UV_EAGAIN) {
        rest(s);
        return n;
    }
    s->warm = true;
    if (n == UV_EOF) {
        sealed_note(s, o, library->end(s->engine));
    } else if (n < 0) {
        s->end = (int)n;
    } else {
        sealed_note(s, o, library->unseal(s->engine, in, (size_t)n, into, room, &got));
        s->silent = got ? 0 : s->silent + (size_t)n;
        if (s->silent > SILENT_MAX) {
            flooded(s);
        }
    }
    return (ssize_t)got;
}

/* What there is of the plaintext that lies aside. */
static ssize_t take_aside(sealed *s, char *into, size_t room) {
    size_t n = s->aside_end - s->aside_start;
    n = n < room ? n : room;
    memcpy(into, s->aside + s->aside_start, n);
    s->aside_start += n;
    if (s->aside_start == s->aside_end) {
        free(s->aside);
        s->aside = NULL;
    }
    return (ssize_t)n;
}

/* The same with a buffer of its own. */
static ssize_t read_aside(sealed *s, io *o, char *into, size_t room) {
    size_t size = s->engine->held + ASIDE;
    s->aside = malloc(size);
    ssize_t n = s->aside ? read_once(s, o, s->aside, size) : UV_ENOMEM;
    if (n <= 0) {
        free(s->aside);
        s->aside = NULL;
        return n;
    }
    s->aside_start = 0;
    s->aside_end = (size_t)n;
    return take_aside(s, into, room);
}

static ssize_t sealed_read(const layer *l, io *o, char *into, size_t room) {
    sealed *s = sealed_from(l);
    if (s->aside) {
        return take_aside(s, into, room);
    }
    ssize_t n = 0;
    while (n == 0 && !s->end) { /* what has come may hold no data */
        bool fits = room >= s->engine->held + DIRECT_LEAST;
        n = fits ? read_once(s, o, into, room) : read_aside(s, o, into, room);
    }
    return n ? n : tell_end(s, o);
}

static bool sealed_holds(const layer *l) {
    const sealed *s = sealed_from(l);
    return s->aside || s->end || s->warm || layer_holds(l->below);
}

/* ---- ending ---- */

/* What is not taken at once follows when the descriptor is writable, and the layer below ends after it. */
static int sealed_shutdown(const layer *l, io *o) {
    sealed *s = sealed_from(l);
    if (!o->cut) {
        library_of(s)->finish(s->engine);
    }
    s->ending = true;
    int status = sealed_send(s, o, l->below);
    status = status == 0 ? sealed_flush(l, o) : status;
    if (status == UV_EAGAIN) {
        status = stream_pend(o);
        return status < 0 ? status : 1;
    }
    return status;
}

void sealed_free(sealed *s) {
    library_of(s)->close(s->engine);
    sealed_shared_release(s->shared);
    drop_pending(s);
    free(s->aside);
    free(s);
}

/* Sends what is pending, and close_notify behind it: the end of a connection that is reset must not look like a proper one. */
static int say_goodbye(const layer *l, io *o) {
    sealed *s = sealed_from(l);
    int status = sealed_flush(l, o);
    if (status == 0 && !o->cut && !o->resets) {
        library_of(s)->finish(s->engine);
        status = sealed_send(s, o, l->below);
    }
    return status;
}

/* Gives a full socket room for a few bytes more, though it holds as much beyond its size as one send(2) of ours has brought.
 * What is no socket stays. */
static void widen(io *o) {
    int size = 0;
    socklen_t length = sizeof size;
    if (getsockopt(o->fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0) {
        size += OUTPUT_KEPT;
        if (setsockopt(o->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) <
            0) { /* has no limit, and takes a privilege */
            setsockopt(o->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        }
    }
    o->ready |= UV_WRITABLE;
}

/* Says good-bye if that is taken at once, and takes what has come: what is unread when a TCP socket is closed makes it forget
 * what it has still to send. */
static void sealed_close(const layer *l, io *o) {
    sealed *s = sealed_from(l);
    char bytes[4096];
    if (say_goodbye(l, o) == UV_EAGAIN) {
        widen(o);
        say_goodbye(l, o);
    }
    if (o->layer == l) {
        o->ready |= UV_READABLE;
        for (int i = 0; i < GOODBYE_READS && layer_read(l->below, o, bytes, sizeof bytes) > 0; i++) {
        }
    }
    layer_close(l->below, o);
    sealed_free(s);
}

static const transport sealed_transport = {
    .read = sealed_read,
    .writev = sealed_writev,
    .shutdown = sealed_shutdown,
    .flush = sealed_flush,
    .holds = sealed_holds,
    .close = sealed_close,
};

sealed *sealed_new(sealed_shared *shared, tls_engine *engine) {
    sealed *s = calloc(1, sizeof *s);
    if (!s) {
        shared->library->close(engine);
        return NULL;
    }
    s->layer.transport = &sealed_transport;
    s->shared = shared;
    s->engine = engine;
    s->warm = true;
    shared->holders++;
    return s;
}

const sealed *sealed_of(const io *o) {
    return o->layer && o->layer->transport == &sealed_transport ? sealed_from(o->layer) : NULL;
}

unsigned sealed_count(const io *o) {
    unsigned n = 0;
    for (const layer *l = o->layer; l && l->transport == &sealed_transport; l = l->below) {
        n++;
    }
    return n;
}
