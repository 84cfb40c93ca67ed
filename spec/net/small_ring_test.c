/* SPDX-License-Identifier: MIT
 *
 * Streams that are written at random while the ring has room for two submissions and two completions, so that completions
 * overflow: writes go on, are settled, cut, or end with a close. The oracle is arithmetic: the byte at each place is known, and
 * what the writes have reported is what the peer has.
 *
 * Where MOMO_POLLER is not `ring`, or the system has none, system calls do the same. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "loop/poller/ring_transfer.h"
#include "net/stream.h"

enum { STREAMS = 12, NOISE = 4, STEPS = 60000, FEW = 2, ARGUMENTS = 6 };

long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

/* Whoever asks for a ring gets a small one. */
long __wrap_syscall(long number, ...) {
    long a[ARGUMENTS];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < ARGUMENTS; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (number == SYS_io_uring_setup) {
        struct io_uring_params *p = (struct io_uring_params *)a[1]; // NOLINT(performance-no-int-to-ptr)
        a[0] = p->cq_entries = FEW;
    }
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static struct sink {
    io *stream;
    int peer;
    task *writer;         /* of the write under way, or NULL */
    size_t size;          /* of that */
    uint64_t sent, taken; /* what the writes before it have reported, and what the peer has had */
} sinks[STREAMS];

static struct sink noise[NOISE]; /* sockets for which something comes in each wait: so a send may pay */

static char byte_at(const struct sink *s, uint64_t place) {
    uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(s - sinks) * UINT64_C(0xd6e8feb86659fd93);
    return (char)(x >> 32 ^ x >> 56);
}

static void open_pair(struct sink *s) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(stream_open(ex, ends[0], &layer_socket, &s->stream) == 0);
    io_receive(s->stream);
    *s = (struct sink){.stream = s->stream, .peer = ends[1]};
}

/* The peer takes at most so much. Returns whether it has all that was reported, and perhaps what a write has not reported yet. */
static bool take(struct sink *s, size_t most) {
    static char bytes[1 << 16];
    ssize_t n = recv(s->peer, bytes, most, 0);
    CHECK(n >= 0 || errno == EAGAIN);
    for (ssize_t i = 0; i < n; i++) {
        CHECK(bytes[i] == byte_at(s, s->taken + (uint64_t)i));
    }
    s->taken += n > 0 ? (uint64_t)n : 0;
    CHECK(s->taken <= s->sent + s->size);
    return n <= 0;
}

static void take_all(struct sink *s) {
    while (!take(s, 1 << 16)) {
    }
}

static void end_writer(struct sink *s) {
    task_end(s->writer);
    s->writer = NULL;
    s->size = 0;
}

static void attempt(struct sink *s) {
    static char bytes[1 << 16];
    io *o = s->stream;
    while (o->written < s->size) {
        const struct iovec rest = {bytes, s->size - o->written};
        for (size_t i = 0; i < rest.iov_len; i++) {
            bytes[i] = byte_at(s, s->sent + o->written + i);
        }
        ssize_t n = stream_send(o, &rest, 1, true);
        if (n == UV_EAGAIN) {
            CHECK(o->transfer.block || io_watch(o, UV_WRITABLE) == 0);
            return;
        }
        CHECK(n > 0);
        o->written += (size_t)n;
    }
    s->sent += o->written;
    stream_end_write(o);
    end_writer(s);
}

static void begin_write(struct sink *s) {
    CHECK(task_new(ex, &s->writer) == 0);
    CHECK(stream_begin_write(s->stream, s->writer));
    s->size = 1 + check_below(check_below(8) ? 3000 : 40000);
    attempt(s);
}

/* Another task wants to write, and can't wait. */
static void contend(struct sink *s) {
    task *other;
    CHECK(task_new(ex, &other) == 0);
    stream_settle_write(s->stream);
    if (stream_begin_write(s->stream, other)) {
        CHECK(s->writer->wake == WAKE_DONE && s->writer->done == s->size);
        s->sent += s->size;
        end_writer(s);
        s->writer = other;
        s->size = 1 + check_below(3000);
        attempt(s);
    } else {
        task_end(other);
    }
}

static void cut(struct sink *s) {
    stream_cut_write(s->stream, s->writer);
    s->sent += s->stream->written;
    end_writer(s);
    take_all(s);
    CHECK(s->taken == s->sent);
    if (s->stream->broken) {
        io_close(s->stream);
        close(s->peer);
        open_pair(s);
    }
}

static void end(struct sink *s) {
    uint64_t reported = s->sent + (s->writer ? s->stream->written : 0);
    io_close(s->stream);
    take_all(s);
    CHECK(s->taken >= reported && (s->writer || s->taken == reported));
    if (s->writer) {
        end_writer(s);
    }
    close(s->peer);
    open_pair(s);
}

static void wait_for_all(void) {
    for (struct sink *s = noise; s < noise + NOISE; s++) {
        CHECK(send(s->peer, "x", 1, 0) == 1);
    }
    poller_wait(&ex->poller, 0);
    for (struct sink *s = noise; s < noise + NOISE; s++) {
        while (stream_fill(s->stream, 1) > 0) {
            stream_consume(s->stream, stream_unread(s->stream));
        }
        CHECK(io_watch(s->stream, UV_READABLE) == 0);
    }
}

/* All are free again. */
static void check_blocks(void) {
    const ring *r = ring_of(&ex->poller);
    int count = 0;
    for (unsigned b = r->free_block; b; b = r->blocks[b - 1].next) {
        count++;
    }
    CHECK(count == URING_BLOCKS);
}

int main(void) {
    check_begin();
    begin(NULL);
    for (struct sink *s = noise; s < noise + NOISE; s++) {
        open_pair(s);
        CHECK(io_watch(s->stream, UV_READABLE) == 0);
    }
    for (struct sink *s = sinks; s < sinks + STREAMS; s++) {
        open_pair(s);
    }
    for (int i = 0; i < STEPS; i++) {
        struct sink *s = &sinks[check_below(STREAMS)];
        switch (check_below(16)) {
        case 0: wait_for_all(); break;
        case 1: check_below(20) == 0 ? end(s) : take_all(s); break;
        case 2: take(s, 1 + check_below(5000)); break;
        case 3: s->writer ? cut(s) : begin_write(s); break;
        case 4: s->writer &&io_settle(s->stream) ? attempt(s) : (void)0; break;
        case 5: s->writer ? contend(s) : begin_write(s); break;
        default: s->writer ? attempt(s) : begin_write(s);
        }
        io_release_closed(ex);
    }
    for (struct sink *s = sinks; s < sinks + STREAMS; s++) {
        end(s);
        io_close(s->stream);
        close(s->peer);
    }
    for (struct sink *s = noise; s < noise + NOISE; s++) {
        io_close(s->stream);
        close(s->peer);
    }
    io_release_closed(ex);
    if (strcmp(poller_name(&ex->poller), "ring") == 0) {
        check_blocks();
    }
    finish();
    return 0;
}
