/* SPDX-License-Identifier: MIT
 *
 * Copying between two streams, of every kind, beside a counter: each byte that was sent comes out once and in its place,
 * however often the copy is given up in between.
 */
#include "net/copy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

enum { KINDS = 2 }; /* sockets, pipes */

static bool met_pipe, met_rest; /* a copy used a pipe; one was given up with something in it */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
static bool no_memory;

void *__wrap_malloc(size_t size) {
    return no_memory ? NULL : __real_malloc(size);
}

static char byte_at(uint64_t i) {
    return (char)(i * 2654435761u >> 7);
}

/* ends[0]: to read; ends[1]: to write. */
static void make_ends(unsigned kind, int ends[2]) {
    if (kind == 0) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    } else {
        CHECK(pipe2(ends, O_NONBLOCK) == 0);
    }
}

static io *open_end(unsigned kind, int fd) {
    io *o;
    CHECK(stream_open(ex, fd, kind == 0 ? &layer_socket : &layer_file, &o) == 0);
    return o;
}

static void feed(int fd, uint64_t *sent, size_t n) {
    static char bytes[EXECUTOR_SCRATCH * 4];
    for (size_t i = 0; i < n; i++) bytes[i] = byte_at(*sent + i);
    ssize_t written = write(fd, bytes, n);
    *sent += written > 0 ? (uint64_t)written : 0;
}

static void check_received(int fd, uint64_t *received, size_t n) {
    static char bytes[EXECUTOR_SCRATCH * 4];
    ssize_t got = read(fd, bytes, n);
    for (ssize_t i = 0; i < got; i++) CHECK(bytes[i] == byte_at(*received + (uint64_t)i));
    *received += got > 0 ? (uint64_t)got : 0;
}

/* Goes on until a side has to wait. */
static void run_copy(copy *c, io *from, io *to) {
    from->ready |= UV_READABLE; /* as events would say */
    to->ready |= UV_WRITABLE;
    ssize_t n = 0;
    while (n >= 0 && c->left > 0) {
        n = copy_holds(c, from) ? copy_give(c, from, to) : copy_take(c, from, to);
    }
    CHECK(n >= 0 || n == UV_EAGAIN);
}

static void every_byte_once(unsigned from_kind, unsigned to_kind) {
    begin(NULL);
    int in[2], out[2];
    make_ends(from_kind, in);
    make_ends(to_kind, out);
    io *from = open_end(from_kind, in[0]), *to = open_end(to_kind, out[1]);
    uint64_t sent = 0, received = 0, done = 0;
    for (int round = 0; round < 60; round++) {
        copy c;
        uint64_t limit = check_below(4) ? UINT64_MAX : check_below(300000);
        copy_init(&c, limit);
        for (unsigned step = check_below(10); step > 0; step--) {
            feed(in[1], &sent, check_below(8) ? EXECUTOR_SCRATCH * 4 : check_below(5000));
            run_copy(&c, from, to);
            met_pipe |= c.has_pipe;
            if (check_below(3)) check_received(out[0], &received, check_below(EXECUTOR_SCRATCH * 4));
        }
        met_rest |= c.piped > 0;
        CHECK(c.done <= limit);
        done += c.done;
        copy_end(&c, ex, from);
        copy_end(&c, ex, from);
        CHECK(!c.has_pipe && c.piped == 0);
        if (check_below(4) == 0 && stream_unread(from)) { /* somebody else takes some of it */
            size_t n = check_below((unsigned)stream_unread(from)) + 1;
            for (size_t i = 0; i < n; i++) CHECK(stream_bytes(from)[i] == byte_at(done + i));
            ssize_t written = write(out[1], stream_bytes(from), n);
            stream_consume(from, written > 0 ? (size_t)written : 0);
            done += written > 0 ? (uint64_t)written : 0;
        }
    }
    copy c;
    copy_init(&c, UINT64_MAX);
    while (received < sent) {
        run_copy(&c, from, to);
        check_received(out[0], &received, EXECUTOR_SCRATCH * 4);
    }
    copy_end(&c, ex, from);
    CHECK(received == sent && stream_unread(from) == 0);
    close(in[1]);
    from->ready |= UV_READABLE;
    copy_init(&c, UINT64_MAX);
    CHECK(copy_take(&c, from, to) == UV_EOF);
    copy_end(&c, ex, from);
    io_close(from);
    io_close(to);
    close(out[0]);
    uv_run(&ex->loop, UV_RUN_NOWAIT);
    finish();
}

/* What can't be put back for want of memory is lost, and reads of that stream say so. No other copy comes across it. */
static void what_is_lost_reaches_nobody(void) {
    begin(NULL);
    int in[2][2], out[2][2];
    io *from[2], *to[2];
    for (int i = 0; i < 2; i++) {
        make_ends(0, in[i]);
        make_ends(0, out[i]);
        from[i] = open_end(0, in[i][0]);
        to[i] = open_end(0, out[i][1]);
    }
    copy c;
    copy_init(&c, UINT64_MAX);
    uint64_t sent = 0;
    while (c.piped == 0) { /* until the peer of `to` takes no more */
        feed(in[0][1], &sent, EXECUTOR_SCRATCH * 4);
        run_copy(&c, from[0], to[0]);
    }
    no_memory = true;
    copy_end(&c, ex, from[0]);
    CHECK(stream_fill(from[0], 1) == UV_ENOMEM && stream_unread(from[0]) == 0);
    copy_end(&c, ex, from[0]);
    no_memory = false;
    CHECK(stream_fill(from[0], 1) == UV_ENOMEM && stream_unread(from[0]) == 0);

    copy_init(&c, UINT64_MAX);
    uint64_t received = 0;
    sent = 0;
    for (int round = 0; round < 20; round++) {
        feed(in[1][1], &sent, EXECUTOR_SCRATCH * 4);
        run_copy(&c, from[1], to[1]);
        check_received(out[1][0], &received, EXECUTOR_SCRATCH * 4);
    }
    copy_end(&c, ex, from[1]);
    for (int i = 0; i < 2; i++) {
        io_close(from[i]);
        io_close(to[i]);
        close(in[i][1]);
        close(out[i][0]);
    }
    finish();
}

int main(void) {
    check_begin();
    for (unsigned from = 0; from < KINDS; from++) {
        for (unsigned to = 0; to < KINDS; to++) every_byte_once(from, to);
    }
    CHECK(met_pipe && met_rest);
    what_is_lost_reaches_nobody();
    return 0;
}
