/* SPDX-License-Identifier: MIT
 *
 * TLS as a layer, up to four of them on each other, above a descriptor that gives and takes as few bytes as it likes and
 * has to wait whenever it likes. Both sides read and write at the same time; the byte at each place of each stream is known. */
#include "loop/heavy.h"
#include "net/sealed.h"

#include "engines.h"
#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 3000, BUFFER = 4096, ALL = 300000 };

/* One direction below everything: what the kernel would hold. */
typedef struct pipe_bytes {
    char bytes[BUFFER];
    size_t start, end;
    bool ended;
} pipe_bytes;

typedef struct end {
    layer base; /* first: the descriptor's */
    io *io;
    task *task;
    pipe_bytes *in, *out;
    int peer; /* of the socket pair that gives it a descriptor, and is not used */
    sealed_shared *shared;
    sealed *shaking;
    uint64_t sent, taken;
} end;

static pipe_bytes forth, back;
static end ends[2];
static tls_library library;
static bool generous; /* the descriptor does what it can */

static bool has_to_wait(io *o, int direction) {
    bool waits = !generous && check_below(4) == 0;
    if (waits) o->waits = (uint8_t)direction;
    return waits;
}

static ssize_t base_read(const layer *l, io *o, char *into, size_t room) {
    pipe_bytes *p = ((const end *)l)->in;
    size_t n = p->end - p->start;
    if (n == 0 && p->ended) return UV_EOF;
    if (n == 0 || has_to_wait(o, UV_READABLE)) {
        o->waits = UV_READABLE;
        return UV_EAGAIN;
    }
    n = n < room ? n : room;
    if (!generous) n = 1 + check_below(n);
    memcpy(into, p->bytes + p->start, n);
    p->start += n;
    if (p->start == p->end) p->start = p->end = 0;
    return (ssize_t)n;
}

static ssize_t base_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    pipe_bytes *p = ((const end *)l)->out;
    CHECK(count >= 1 && pieces->iov_len > 0 && !p->ended);
    memmove(p->bytes, p->bytes + p->start, p->end - p->start);
    p->end -= p->start;
    p->start = 0;
    size_t n = pieces->iov_len < BUFFER - p->end ? pieces->iov_len : BUFFER - p->end;
    if (n == 0 || has_to_wait(o, UV_WRITABLE)) {
        o->waits = UV_WRITABLE;
        return UV_EAGAIN;
    }
    if (!generous) n = 1 + check_below(n);
    memcpy(p->bytes + p->end, pieces->iov_base, n);
    p->end += n;
    return (ssize_t)n;
}

static int base_shutdown(const layer *l, io *o) {
    (void)o;
    ((const end *)l)->out->ended = true;
    return 0;
}

static const transport base = {.read = base_read, .writev = base_writev, .shutdown = base_shutdown};

static char byte_at(size_t stream, uint64_t place) {
    uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15) + stream * UINT64_C(0xd6e8feb86659fd93);
    return (char)(x >> 32 ^ x >> 56);
}

static void open_ends(void) {
    forth = back = (pipe_bytes){0};
    for (int i = 0; i < 2; i++) {
        end *e = &ends[i];
        int fds[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
        CHECK(io_open(ex, fds[0], &e->io) == 0);
        e->base.transport = &base;
        stream_init(e->io, &e->base);
        e->peer = fds[1];
        e->in = i == 0 ? &back : &forth;
        e->out = i == 0 ? &forth : &back;
        e->shared = sealed_shared_new(&library);
        CHECK(e->shared && task_new(ex, &e->task) == 0);
        e->sent = e->taken = 0;
    }
}

static void ask(io *o) {
    o->ready = UV_READABLE | UV_WRITABLE;
    if (o->pending) o->hooks->writable(o);
}

static void begin_layer(void) {
    for (int i = 0; i < 2; i++) {
        tls_config *config = i == 0 ? client.config : server.config;
        CHECK(sealed_begin(ends[i].io, ends[i].task, ends[i].shared, config, i == 1, i == 0 ? "localhost" : NULL, "443",
                           &ends[i].shaking) == 0);
        sealed *other;
        CHECK(sealed_begin(ends[i].io, ends[i].task, ends[i].shared, config, true, NULL, NULL, &other) == UV_EBUSY);
    }
}

/* One more layer on both ends. */
static void add_layer(void) {
    begin_layer();
    for (int steps = 0; ends[0].shaking || ends[1].shaking; steps++) {
        CHECK(steps < 100000);
        for (int i = 0; i < 2; i++) {
            end *e = &ends[i];
            ask(e->io);
            int status = e->shaking ? sealed_shake(e->shaking, e->io) : UV_EAGAIN;
            heavy_turn(ex);
            CHECK(status == UV_EAGAIN || status == SEALED_TURN || status == SEALED_DONE);
            if (status == SEALED_DONE) {
                sealed_commit(e->shaking, e->io);
                e->shaking = NULL;
            }
        }
    }
}

static void write_some(end *e) {
    static char bytes[1 << 17];
    size_t size = 1 + check_any_size(17) % sizeof bytes, piece = check_below(size + 1);
    if (e->sent + size > ALL) size = piece = 1;
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at((size_t)(e - ends), e->sent + i);
    const struct iovec pieces[] = {{bytes, piece}, {bytes + piece, size - piece}};
    ssize_t n =
        piece && piece < size ? stream_write(e->io, pieces, 2) : stream_write(e->io, &(struct iovec){bytes, size}, 1);
    CHECK(n > 0 || n == UV_EAGAIN);
    e->sent += n > 0 ? (uint64_t)n : 0;
}

static int read_some(end *e) {
    size_t unread = stream_unread(e->io);
    ssize_t n = stream_fill(e->io, check_below(4) ? 1 : unread + check_any_size(18));
    CHECK(n > 0 ? stream_unread(e->io) == unread + (size_t)n : stream_unread(e->io) == unread);
    size_t taken = check_below(3) ? stream_unread(e->io) : check_below(stream_unread(e->io) + 1);
    size_t other = (size_t)(&ends[1] - e);
    for (size_t i = 0; i < taken; i++) CHECK(stream_bytes(e->io)[i] == byte_at(other, e->taken + i));
    if (taken) stream_consume(e->io, taken);
    e->taken += taken;
    CHECK(e->taken <= ends[other].sent);
    return (int)(n < 0 ? n : 0);
}

static void update_keys(end *e) {
    const sealed *s = sealed_of(e->io);
    SSL *ssl = ((engine *)s->engine)->ssl;
    if (SSL_version(ssl) == TLS1_3_VERSION && !s->pending) {
        CHECK(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
        sealed_note((sealed *)(uintptr_t)s, e->io, TLS_OPEN);
    }
}

static void step(void) {
    end *e = &ends[check_below(2)];
    ask(e->io);
    switch (check_below(8)) {
    case 0:
    case 1:
    case 2: write_some(e); break;
    case 3:
        if (check_below(16) == 0) update_keys(e);
        break;
    case 4:
        if (ex->scratch.holder) stream_spill(ex->scratch.holder);
        break;
    default: CHECK(read_some(e) >= UV_EAGAIN || true);
    }
}

static bool is_done(const end *e) {
    return !e->io->pending && e->taken == ends[&ends[1] - e].sent;
}

static void read_all(void) {
    for (int steps = 0; !is_done(&ends[0]) || !is_done(&ends[1]); steps++) {
        CHECK(steps < 1000000);
        end *e = &ends[steps % 2];
        ask(e->io);
        int status = read_some(e);
        CHECK(status == 0 || status == UV_EAGAIN);
    }
}

static void drop(end *e) {
    task_drop(e->task);
    close(e->peer);
    sealed_shared_release(e->shared);
}

static void close_ends(void) {
    for (int i = 0; i < 2; i++) {
        io_close(ends[i].io);
        drop(&ends[i]);
    }
    io_release_closed(ex);
}

/* Ends one direction, then the other, in good order. */
static void end_both(void) {
    for (int i = 0; i < 2; i++) {
        end *e = &ends[i], *other = &ends[1 - i];
        int status = stream_shutdown(e->io);
        CHECK(status >= 0);
        CHECK(stream_shutdown(e->io) >= 0);
        for (int steps = 0; status != UV_EOF; steps++) {
            CHECK(steps < 10000);
            ask(e->io);
            ask(other->io);
            status = read_some(other);
            CHECK(status == 0 || status == UV_EAGAIN || status == UV_EOF);
        }
        CHECK(read_some(other) == UV_EOF && layer_holds(other->io->layer));
    }
}

static void layers(int count) {
    generous = check_below(4) == 0;
    open_ends();
    for (int i = 0; i < count; i++) add_layer();
    CHECK(sealed_count(ends[0].io) == (unsigned)count && sealed_count(ends[1].io) == (unsigned)count);
    for (int i = 0; i < STEPS; i++) step();
    read_all();
    end_both();
    close_ends();
}

/* The end of the descriptor's bytes is no end of the stream. */
static void truncated(void) {
    generous = true;
    open_ends();
    for (uint64_t i = 0, n = 1 + check_below(3); i < n; i++) add_layer();
    write_some(&ends[0]);
    forth.ended = true;
    if (check_below(2) && forth.end > forth.start) forth.end--; /* within a record */
    int status;
    do {
        ask(ends[1].io);
        status = read_some(&ends[1]);
    } while (status == 0);
    CHECK(status == IO_FAILURE && strncmp(ex->failure.text, "truncated: ", 11) == 0);
    ask(ends[1].io);
    CHECK(read_some(&ends[1]) == IO_FAILURE);
    forth.ended = false; /* closing may write */
    close_ends();
}

/* A peer that asks for answers and takes none of them. */
static void flood(void) {
    generous = true;
    open_ends();
    add_layer();
    int status = UV_EAGAIN;
    for (int i = 0; i < 20000 && status == UV_EAGAIN; i++) {
        update_keys(&ends[0]);
        ask(ends[0].io);
        ask(ends[1].io);
        status = read_some(&ends[1]);
    }
    CHECK(status == IO_FAILURE && strncmp(ex->failure.text, "broken: ", 8) == 0);
    CHECK(read_some(&ends[1]) == IO_FAILURE);
    close_ends();
}

/* What was cut has no good end: the peer is not told one. */
static void cut(void) {
    generous = true;
    open_ends();
    add_layer();
    CHECK(stream_begin_write(ends[0].io, ends[0].task));
    ends[0].io->written = 1;
    stream_cut_write(ends[0].io, ends[0].task);
    CHECK(ends[0].io->broken);
    io_close(ends[0].io);
    forth.ended = true;
    ask(ends[1].io);
    CHECK(read_some(&ends[1]) == IO_FAILURE && strncmp(ex->failure.text, "truncated: ", 11) == 0);
    forth.ended = false;
    io_close(ends[1].io);
    drop(&ends[0]);
    drop(&ends[1]);
    io_release_closed(ex);
}

static void with(const char *max_version) {
    tls_problem problem;
    const tls_bytes version[] = {bytes_of(max_version)};
    server.config = server_config(&(tls_option){"max_version", version, 1}, &problem);
    client.config = client_config(NULL, &problem);
    CHECK(server.config && client.config);
    for (int i = 0; i < 12; i++) layers(1 + i % SEALED_LAYERS);
    for (int i = 0; i < 20; i++) truncated();
    if (strcmp(max_version, "1.3") == 0) flood();
    cut();
    config_release(server.config);
    config_release(client.config);
}

int main(void) {
    check_begin();
    extern const tls_library momo_tls;
    library = momo_tls;
    make_certificate();
    begin(NULL);
    with("1.3");
    with("1.2");
    finish();
    return 0;
}
