/* SPDX-License-Identifier: MIT
 *
 * Transports beneath streams. One is in memory: what the peer reads and writes makes the events. Another stands on any
 * other, as encryption does: frames, a greeting before the first byte, a good-bye at the end. Streams on stacks of them carry
 * random bytes both ways at once through buffers of a few bytes: what comes out is what went in, and each end is told as
 * what it is. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "net/stream.h"

static unsigned reads_that_wrote, writes_that_read, flushed_by_events, held;

/* ---- in memory ---- */

enum { MEMORY = 4096 };

struct memory {
    layer layer;
    struct memory *peer; /* NULL: it was closed */
    io *io;
    size_t room, size; /* bytes that have come, of those that fit */
    bool ended;        /* the peer writes no more */
    bool lost;         /* the peer was closed before it said so */
    char bytes[MEMORY];
};

static struct memory *memory_of(const layer *l) {
    return list_entry(l, struct memory, layer);
}

static ssize_t memory_read(const layer *l, io *o, char *into, size_t room) {
    struct memory *m = memory_of(l);
    size_t n = m->size < room ? m->size : room;
    if (n == 0) return m->ended ? UV_EOF : m->lost ? UV_ECONNRESET : io_must_wait(o, UV_READABLE);
    memcpy(into, m->bytes, n);
    memmove(m->bytes, m->bytes + n, m->size -= n);
    if (m->peer) io_event(ex, slab_id(&m->peer->io->head), UV_WRITABLE);
    return (ssize_t)n;
}

static ssize_t memory_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    struct memory *to = memory_of(l)->peer;
    size_t done = 0;
    if (!to) return UV_EPIPE;
    for (int i = 0; i < count; i++) {
        size_t room = to->room - to->size, n = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(to->bytes + to->size, pieces[i].iov_base, n);
        to->size += n;
        done += n;
    }
    if (done == 0) return io_must_wait(o, UV_WRITABLE);
    io_event(ex, slab_id(&to->io->head), UV_READABLE);
    return (ssize_t)done;
}

static void memory_end(const layer *l, bool lost) {
    struct memory *to = memory_of(l)->peer;
    if (!to) return;
    to->lost |= lost;
    to->ended |= !lost;
    io_event(ex, slab_id(&to->io->head), UV_READABLE);
}

static int memory_shutdown(const layer *l, io *o) {
    (void)o;
    memory_end(l, false);
    return 0;
}

static void memory_close(const layer *l, io *o) {
    (void)o;
    memory_end(l, true);
    if (memory_of(l)->peer) memory_of(l)->peer->peer = NULL;
    free(memory_of(l));
}

static const transport memory = {
    .read = memory_read, .writev = memory_writev, .shutdown = memory_shutdown, .close = memory_close};

/* ---- frames ---- */

enum { FRAME = 200, HEAD = 2, GREETING = 5, OUT = 3 * (FRAME + HEAD) };

/* A frame is the size of its bytes, big-endian, and the bytes, each changed by the key; an empty one says good-bye, behind which nothing comes. */
struct frames {
    layer layer;
    unsigned char key;
    bool speaks_first;
    bool spoke, heard, greeted;
    bool said_bye, heard_bye;
    int fault; /* what every further read says: UV_EOF once what is below has ended after the good-bye */
    unsigned char in[HEAD + FRAME];
    size_t in_size;
    char plain[FRAME];
    size_t start, end;
    char out[OUT];
    size_t out_size;
};

static struct frames *frames_of(const layer *l) {
    return list_entry(l, struct frames, layer);
}

static bool has_news(const struct frames *f) {
    return f->start < f->end || f->fault;
}

static int give_out(struct frames *f, io *o) {
    while (f->out_size > 0) {
        const struct iovec piece = {f->out, f->out_size};
        ssize_t n = layer_writev(f->layer.below, o, &piece, 1);
        if (n < 0) return (int)n;
        memmove(f->out, f->out + n, f->out_size -= (size_t)n);
    }
    return 0;
}

static void put_frame(struct frames *f, const char *bytes, size_t n) {
    char *at = f->out + f->out_size;
    at[0] = (char)(n >> 8);
    at[1] = (char)n;
    for (size_t i = 0; i < n; i++) at[HEAD + i] = (char)(bytes[i] ^ f->key);
    f->out_size += HEAD + n;
    CHECK(f->out_size <= OUT);
}

/* Takes input until `in` has n bytes. */
static int take_in(struct frames *f, io *o, size_t n) {
    while (f->in_size < n) {
        ssize_t got = layer_read(f->layer.below, o, (char *)f->in + f->in_size, n - f->in_size);
        if (got == UV_EOF) got = f->fault = f->heard_bye ? UV_EOF : UV_EPROTO;
        if (got < 0) return (int)got;
        f->in_size += (size_t)got;
    }
    return 0;
}

static int greet(struct frames *f, io *o) {
    int status = 0;
    while (status == 0 && !f->greeted) {
        status = give_out(f, o);
        if (status == 0 && !f->spoke && (f->speaks_first || f->heard)) {
            memset(f->out, 'h', f->out_size = GREETING);
            f->spoke = true;
        } else if (status == 0 && !f->heard) {
            status = take_in(f, o, GREETING);
            f->heard = status == 0;
            f->in_size = status == 0 ? 0 : f->in_size;
        } else {
            f->greeted = status == 0;
        }
    }
    return status;
}

static int take_frame(struct frames *f, io *o) {
    int status = take_in(f, o, HEAD);
    size_t n = status == 0 ? (size_t)f->in[0] << 8 | f->in[1] : 0;
    if (status == 0) status = take_in(f, o, HEAD + n);
    if (status < 0) return status;
    for (size_t i = 0; i < n; i++) f->plain[i] = (char)(f->in[HEAD + i] ^ f->key);
    f->start = f->in_size = 0;
    f->end = n;
    f->heard_bye = n == 0;
    return 0;
}

static ssize_t frames_read(const layer *l, io *o, char *into, size_t room) {
    struct frames *f = frames_of(l);
    int status = f->fault ? 0 : greet(f, o);
    while (status == 0 && !has_news(f)) status = take_frame(f, o);
    if (has_news(f)) {
        size_t n = f->end - f->start < room ? f->end - f->start : room;
        memcpy(into, f->plain + f->start, n);
        f->start += n;
        held += has_news(f);
        return n > 0 ? (ssize_t)n : f->fault;
    }
    reads_that_wrote += status == UV_EAGAIN && o->waits == UV_WRITABLE;
    return status;
}

static ssize_t frames_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    struct frames *f = frames_of(l);
    (void)count;
    int status = greet(f, o);
    writes_that_read += status == UV_EAGAIN && o->waits == UV_READABLE;
    if (status == 0) status = give_out(f, o);
    if (status < 0) return status;
    size_t n = pieces->iov_len < FRAME ? pieces->iov_len : FRAME;
    put_frame(f, pieces->iov_base, n);
    status = give_out(f, o);
    if (status == UV_EAGAIN) status = stream_pend(o);
    return status < 0 ? status : (ssize_t)n;
}

static int frames_flush(const layer *l, io *o) {
    int status = layer_flush(l->below, o); /* first, so that there is room */
    if (status == 0) status = give_out(frames_of(l), o);
    if (status == 0) status = layer_flush(l->below, o);
    flushed_by_events += status == 0 && executor_running && !ex->current;
    return status;
}

static int say_bye(struct frames *f, io *o) {
    int status = greet(f, o);
    if (status == 0 && !f->said_bye) {
        f->said_bye = true;
        put_frame(f, NULL, 0);
    }
    return status < 0 ? status : frames_flush(&f->layer, o);
}

static int frames_shutdown(const layer *l, io *o) {
    int status = say_bye(frames_of(l), o);
    return status < 0 ? status : layer_shutdown(l->below, o);
}

static bool frames_hold(const layer *l) {
    return has_news(frames_of(l)) || layer_holds(l->below);
}

static void frames_close(const layer *l, io *o) {
    const layer *below = l->below;
    say_bye(frames_of(l), o);
    free(frames_of(l));
    layer_close(below, o);
}

static const transport frames = {.read = frames_read,
                                 .writev = frames_writev,
                                 .shutdown = frames_shutdown,
                                 .flush = frames_flush,
                                 .holds = frames_hold,
                                 .close = frames_close};

/* ---- streams on them ---- */

enum { CONNECTIONS = 30, LAYERS = 4, BYTES = 20000 };

/* An end of a connection: one task writes and ends, one reads until the peer's end. */
static struct end {
    io *io;
    uint64_t seed, written, read;
    bool shut, saw_end;
} ends[CONNECTIONS][2];

static char byte_at(uint64_t seed, uint64_t place) {
    return (char)((place + seed) * UINT64_C(0x9e3779b97f4a7c15) >> 35);
}

static void open_memory(io *out[2], size_t room) {
    struct memory *m[2];
    for (int i = 0; i < 2; i++) {
        m[i] = calloc(1, sizeof *m[i]);
        CHECK(m[i] && io_open(ex, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), &out[i]) == 0);
        *m[i] = (struct memory){.layer = {&memory, NULL}, .io = out[i], .room = room};
        stream_init(out[i], &m[i]->layer);
    }
    m[0]->peer = m[1];
    m[1]->peer = m[0];
}

static void open_sockets(io *out[2]) {
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    for (int i = 0; i < 2; i++) setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
    CHECK(stream_open_two(ex, fds, &layer_socket, &out[0], &out[1]) == 0);
}

static void open_two(io *out[2], bool in_memory, unsigned layers) {
    if (in_memory) {
        open_memory(out, 1 + check_any_size(6));
    } else {
        open_sockets(out);
    }
    for (unsigned n = 0; n < layers; n++) {
        unsigned char key = (unsigned char)check_random();
        unsigned first = (unsigned)check_below(2);
        for (unsigned i = 0; i < 2; i++) {
            struct frames *f = calloc(1, sizeof *f);
            CHECK(f);
            *f = (struct frames){.layer = {&frames, NULL}, .key = key, .speaks_first = i == first};
            stream_wrap(out[i], &f->layer);
        }
    }
}

static void wait_for(io *o, task *t, int direction) {
    CHECK(io_wait(o, t, direction, "test", DEADLINE_NEVER, direction == UV_WRITABLE) == 0);
}

static void run_writer(struct end *e, task *t) {
    ssize_t n = 0;
    if (e->io->writer != slab_id(&t->head) && !e->io->broken) CHECK(stream_begin_write(e->io, t));
    while (n >= 0 && e->written < BYTES && check_below(8)) {
        char bytes[700];
        size_t size = 1 + check_below(sizeof bytes), left = BYTES - e->written;
        size = size < left ? size : left;
        for (size_t i = 0; i < size; i++) bytes[i] = byte_at(e->seed, e->written + i);
        size_t cut = check_below(size) + 1;
        const struct iovec pieces[2] = {{bytes, cut}, {bytes + cut, size - cut}};
        n = stream_write(e->io, pieces, cut < size ? 2 : 1);
        e->written += n > 0 ? (size_t)n : 0;
    }
    if (n >= 0 && e->written == BYTES && !e->io->broken) {
        n = stream_flush(e->io);
        if (n == 0) stream_end_write(e->io);
    }
    if (n >= 0 && e->written == BYTES) n = stream_shutdown(e->io);
    if (n == UV_EAGAIN) {
        wait_for(e->io, t, UV_WRITABLE);
    } else if (e->written < BYTES) {
        CHECK(n >= 0);
        task_yield(t, WAKE_READY);
    } else {
        CHECK(n == 0);
        e->shut = true;
        task_end(t);
    }
}

static void run_reader(struct end *e, task *t) {
    const struct end *peer = t->top;
    ssize_t n = 1;
    while (n > 0 && check_below(8)) {
        n = stream_fill(e->io, 1);
        if (n <= 0) break;
        size_t unread = stream_unread(e->io), taken = check_below(3) ? unread : check_below(unread + 1);
        for (size_t i = 0; i < taken; i++) CHECK(stream_bytes(e->io)[i] == byte_at(peer->seed, e->read + i));
        stream_consume(e->io, taken);
        e->read += taken;
    }
    if (n == UV_EAGAIN) {
        wait_for(e->io, t, UV_READABLE);
    } else if (n > 0) {
        task_yield(t, WAKE_READY);
    } else {
        CHECK(n == UV_EOF && stream_fill(e->io, 1) == UV_EOF); /* it is told again */
        e->read += stream_unread(e->io);
        e->saw_end = true;
        task_end(t);
    }
}

static void resume(task *t) {
    struct end *e = t->user;
    if (t->top) {
        run_reader(e, t);
    } else {
        run_writer(e, t);
    }
}

static void both_ways_at_once(void) {
    begin(resume);
    for (unsigned c = 0; c < CONNECTIONS; c++) {
        io *out[2];
        open_two(out, c % 2, c / 2 % (LAYERS + 1));
        for (unsigned i = 0; i < 2; i++) {
            ends[c][i] = (struct end){.io = out[i], .seed = check_random()};
            for (unsigned reads = 0; reads < 2; reads++) {
                task *t = spawn();
                t->user = &ends[c][i];
                t->top = reads ? &ends[c][1 - i] : NULL;
            }
        }
    }
    CHECK(executor_run(ex));
    for (unsigned c = 0; c < CONNECTIONS; c++) {
        for (unsigned i = 0; i < 2; i++) {
            const struct end *e = &ends[c][i];
            CHECK(e->shut && e->saw_end && e->read == BYTES && !e->io->pending);
            io_close(e->io);
        }
    }
    finish();
}

/* Lets both sides go on until neither can: what reading the first answers then. */
static ssize_t read_end(io *reader, io *other) {
    ssize_t n;
    do {
        io_ask(other, UV_READABLE);
        io_ask(reader, UV_READABLE);
        stream_fill(other, 1);
        n = stream_fill(reader, 1);
    } while (n > 0);
    return n;
}

/* A close says good-bye; a connection that is lost has an end of another kind, which every read tells. */
static void ends_are_told_apart(void) {
    begin(resume);
    for (unsigned layers = 1; layers <= LAYERS; layers++) {
        io *out[2];
        open_two(out, false, layers);
        while (!frames_of(out[0]->layer)->spoke || !frames_of(out[1]->layer)->heard ||
               !frames_of(out[1]->layer)->spoke) {
            CHECK(read_end(out[0], out[1]) == UV_EAGAIN);
        }
        const struct iovec piece = {"last words", 10};
        CHECK(stream_write(out[1], &piece, 1) == 10);
        bool lost = layers % 2;
        if (lost) shutdown(out[1]->fd, SHUT_RDWR); /* beneath the layers */
        io_close(out[1]);
        io_ask(out[0], UV_READABLE);
        ssize_t n = 1;
        while (n > 0) n = stream_fill(out[0], 1);
        CHECK(n == (lost ? UV_EPROTO : UV_EOF));
        CHECK(stream_unread(out[0]) == 10 && memcmp(stream_bytes(out[0]), "last words", 10) == 0);
        for (int i = 0; i < 3; i++) CHECK(stream_fill(out[0], 1) == n);
        io_close(out[0]);
    }
    finish();
}

/* splice(2) moves a descriptor's bytes, which no layer's are. */
static void only_a_descriptors_bytes_are_raw(void) {
    begin(resume);
    io *out[2];
    open_two(out, false, 0);
    CHECK(layer_raw(out[0]->layer, out[0]));
    io_close(out[0]);
    io_close(out[1]);
    open_two(out, false, 1);
    CHECK(!layer_raw(out[0]->layer, out[0]));
    io_close(out[0]);
    io_close(out[1]);
    finish();
}

int main(void) {
    check_begin();
    both_ways_at_once();
    ends_are_told_apart();
    only_a_descriptors_bytes_are_raw();
    CHECK(reads_that_wrote && writes_that_read && flushed_by_events && held);
    return 0;
}
