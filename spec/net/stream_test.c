/* SPDX-License-Identifier: MIT
 *
 * Streams on socket pairs: whatever the sizes of the packets, the reads and the pieces, the bytes are those that were
 * sent, and each write is whole. The oracle is arithmetic: the byte at each place of each stream is known. */
#include "net/stream.h"

#include "check.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static executor own, *const ex = &own;

static void begin(void) {
    CHECK(executor_init(ex) == 0);
}

static void finish(void) {
    io_release_closed(ex);
    uint32_t cursor = 0;
    CHECK(slab_next(&ex->ios, &cursor) == NULL && ex->scratch.holder == NULL && ex->tasks.live == 0);
    executor_deinit(ex);
}

static io *open_stream(int *peer) {
    int ends[2];
    io *o;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(io_open(ex, ends[0], &o) == 0);
    stream_init(o, &layer_socket);
    *peer = ends[1];
    return o;
}

static void readable(io *o) {
    io_event(ex, slab_id(&o->head), UV_READABLE);
}

/* The byte at a place of a stream. */
static char byte_at(uint64_t stream, uint64_t place) {
    uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15) + stream * UINT64_C(0xd6e8feb86659fd93);
    return (char)(x >> 32 ^ x >> 56);
}

static size_t random_size(void) {
    switch (check_below(4)) {
    case 0: return 1 + check_below(16);
    case 1: return EXECUTOR_SCRATCH - 2 + check_below(5);
    default: return 1 + check_any_size(18);
    }
}

/* ---- reading ---- */

enum { STREAMS = 4, STEPS = 20000 };

static struct source {
    io *io;
    int peer;
    uint64_t sent, taken; /* bytes */
    uint64_t checked;     /* unread bytes before this place have been compared */
    bool ended;
} sources[STREAMS];

static char bytes[1 << 18];

static void send_some(struct source *s) {
    size_t size = random_size();
    size = size < sizeof bytes ? size : sizeof bytes;
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at((uint64_t)(s - sources), s->sent + i);
    ssize_t n = write(s->peer, bytes, size);
    CHECK(n > 0 || errno == EAGAIN);
    s->sent += n > 0 ? (uint64_t)n : 0;
}

/* What is unread is what comes next in the stream, and no more than was sent. */
static void verify(struct source *s) {
    size_t unread = stream_unread(s->io);
    CHECK(s->taken + unread <= s->sent);
    for (uint64_t at = s->checked; at < s->taken + unread; at++) {
        CHECK(stream_bytes(s->io)[at - s->taken] == byte_at((uint64_t)(s - sources), at));
    }
    s->checked = s->taken + unread;
    CHECK((s->io->data == NULL) == (unread == 0)); /* without unread bytes it owns no buffer */
    CHECK((ex->scratch.holder == s->io) == (s->io->data != NULL && s->io->data == ex->scratch.bytes));
    CHECK(s->io->end <= s->io->capacity);
}

static void fill(struct source *s) {
    size_t before = stream_unread(s->io);
    size_t want = check_below(3) == 0 ? before + random_size() : 1;
    readable(s->io);
    s->checked = s->taken; /* they may move: all are looked at again */
    ssize_t n = stream_fill(s->io, want);
    if (n > 0) {
        CHECK(stream_unread(s->io) == before + (size_t)n);
    } else {
        CHECK(n == (s->ended ? UV_EOF : UV_EAGAIN));
        CHECK(stream_unread(s->io) == before && s->taken + before == s->sent);
        if (n == UV_EAGAIN) CHECK(stream_fill(s->io, want) == UV_EAGAIN && !(s->io->ready & UV_READABLE));
    }
}

static void take(struct source *s) {
    size_t unread = stream_unread(s->io);
    if (unread == 0) return;
    size_t n = check_below(3) == 0 ? unread : 1 + check_below(unread);
    stream_consume(s->io, n);
    s->taken += n;
}

static void take_into(struct source *s) {
    static char into[sizeof bytes];
    size_t unread = stream_unread(s->io), room = random_size();
    room = room < sizeof into ? room : sizeof into;
    readable(s->io);
    ssize_t n = stream_read_into(s->io, into, room);
    if (n <= 0) {
        CHECK(n == UV_EAGAIN && unread == 0 && s->taken == s->sent);
        return;
    }
    CHECK((size_t)n <= room && (!unread || (size_t)n == (unread < room ? unread : room)));
    for (size_t i = 0; i < (size_t)n; i++) CHECK(into[i] == byte_at((uint64_t)(s - sources), s->taken + i));
    s->taken += (uint64_t)n;
    s->checked = s->checked > s->taken ? s->checked : s->taken;
}

static void random_reads(void) {
    begin();
    memset(sources, 0, sizeof sources);
    for (int i = 0; i < STREAMS; i++) sources[i].io = open_stream(&sources[i].peer);
    uint64_t spilled = 0;
    for (int step = 0; step < STEPS; step++) {
        struct source *s = &sources[check_below(STREAMS)];
        switch (check_below(9)) {
        case 0:
        case 1:
            if (!s->ended) send_some(s);
            break;
        case 2:
        case 3:
        case 4: fill(s); break;
        case 5:
            if (stream_unread(s->io) > 0 && ex->scratch.holder == s->io) spilled++;
            CHECK(stream_spill(s->io) == 0);
            CHECK(ex->scratch.holder != s->io);
            s->checked = s->taken;
            break;
        case 6: take_into(s); break;
        default: take(s);
        }
        if (stream_unread(s->io) > 4 * sizeof bytes) stream_consume(s->io, stream_unread(s->io)), s->taken = s->sent;
        for (int i = 0; i < STREAMS; i++) verify(&sources[i]);
        if (check_below(2000) == 0 && !s->ended) { /* what was sent before the end is still there to be read */
            close(s->peer);
            s->ended = true;
        }
        if (s->ended && s->taken == s->sent) {
            readable(s->io);
            CHECK(stream_fill(s->io, 1) == UV_EOF);
            io_close(s->io);
            io_release_closed(ex);
            memset(s, 0, sizeof *s);
            s->io = open_stream(&s->peer);
        }
    }
    CHECK(spilled > 0);
    for (int i = 0; i < STREAMS; i++) {
        io_close(sources[i].io);
        if (!sources[i].ended) close(sources[i].peer);
    }
    finish();
}

/* A buffer grows with what has come, not with what was asked for. */
static void memory_follows_the_bytes(void) {
    begin();
    int peer;
    io *o = open_stream(&peer);
    CHECK(write(peer, "x", 1) == 1);
    readable(o);
    CHECK(stream_fill(o, (size_t)1 << 40) == 1);
    CHECK(o->capacity <= 2 * EXECUTOR_SCRATCH);
    io_close(o);
    close(peer);
    finish();
}

/* ---- writing ---- */

enum { WRITERS = 16, WRITES = 3000, PIECES = 5 };

/* A message: its writer, its number among the writer's, its size, then bytes that follow from these three. */
struct header {
    uint32_t writer, number, size;
};

static struct writer {
    struct header header;
    char *bytes;
    size_t total; /* header and bytes */
    bool writing;
} writers[WRITERS];

static io *out;
static int drain;
static unsigned begun, whole, waited;
static uint32_t turns[WRITES + WRITERS]; /* writers in the order in which they asked */
static uint32_t next_number[WRITERS];
static char received[1 << 20];
static size_t received_size;

static void compose(struct writer *w) {
    uint32_t size = (uint32_t)check_any_size(17);
    w->header = (struct header){(uint32_t)(w - writers), w->header.number + 1, size};
    w->total = sizeof w->header + size;
    w->bytes = realloc(w->bytes, w->total);
    memcpy(w->bytes, &w->header, sizeof w->header);
    uint64_t stream = (uint64_t)w->header.writer << 32 | w->header.number;
    for (uint32_t i = 0; i < size; i++) w->bytes[sizeof w->header + i] = byte_at(stream, i);
}

/* The peer: takes a little, and looks at each message that has come whole. */
static void receive(size_t most) {
    ssize_t n = read(drain, received + received_size, most);
    CHECK(n > 0 || errno == EAGAIN);
    received_size += n > 0 ? (size_t)n : 0;
    struct header h;
    while (received_size >= sizeof h) {
        memcpy(&h, received, sizeof h);
        CHECK(h.writer < WRITERS && h.number == next_number[h.writer] + 1 && turns[whole] == h.writer);
        if (received_size < sizeof h + h.size) return;
        for (uint32_t i = 0; i < h.size; i++) {
            CHECK(received[sizeof h + i] == byte_at((uint64_t)h.writer << 32 | h.number, i));
        }
        received_size -= sizeof h + h.size;
        memmove(received, received + sizeof h + h.size, received_size);
        next_number[h.writer]++;
        whole++;
    }
}

static void resume_writer(task *t) {
    struct writer *w = t->user;
    if (!w) { /* the peer's task */
        receive(1 + check_any_size(18));
        if (whole < WRITES) {
            task_yield(t, WAKE_NONE);
        } else {
            task_end(t);
        }
        return;
    }
    if (!w->writing) {
        if (begun == WRITES) {
            task_end(t);
            return;
        }
        compose(w);
        w->writing = true;
        turns[begun++] = w->header.writer;
        if (!stream_begin_write(out, t)) {
            waited++;
            stream_wait_turn(out, t, DEADLINE_NEVER);
            return;
        }
    }
    CHECK(out->writer == slab_id(&t->head));
    while (out->written < w->total) {
        struct iovec pieces[PIECES];
        size_t at = out->written;
        int count = 0;
        while (count < PIECES && at < w->total) { /* pieces of any size, empty ones too */
            size_t size = check_below(3) == 0 ? check_any_size(3) : w->total - at;
            size = size < w->total - at ? size : w->total - at;
            pieces[count++] = (struct iovec){w->bytes + at, size};
            at += size;
        }
        if (at == out->written) continue;
        ssize_t n = stream_write(out, pieces, count);
        if (n == UV_EAGAIN) {
            CHECK(io_wait(out, t, UV_WRITABLE, "write", DEADLINE_NEVER, true) == 0);
            return;
        }
        CHECK(n > 0);
        out->written += (size_t)n;
    }
    stream_end_write(out);
    w->writing = false;
    task_yield(t, WAKE_NONE);
}

static void writes_are_whole_and_in_turn(void) {
    begin();
    ex->resume = resume_writer;
    out = open_stream(&drain);
    for (int i = 0; i <= WRITERS; i++) {
        task *t;
        CHECK(task_new(ex, &t) == 0);
        t->user = i < WRITERS ? &writers[i] : NULL;
        task_start(t);
    }
    CHECK(executor_run(ex));
    CHECK(begun == WRITES && whole == WRITES && received_size == 0 && waited > WRITES / 10 && out->writer == 0);
    for (int i = 0; i < WRITERS; i++) free(writers[i].bytes);
    io_close(out);
    close(drain);
    finish();
}

/* A write that was cut short has sent an unknown part: the stream is broken for those that come after. One that has
 * sent nothing leaves it whole. */
static void a_cut_write(void) {
    begin();
    for (size_t progress = 0; progress < 2; progress++) {
        int peer;
        io *o = open_stream(&peer);
        task *first, *second;
        CHECK(task_new(ex, &first) == 0 && task_new(ex, &second) == 0);
        CHECK(stream_begin_write(o, first) && !stream_begin_write(o, second));
        stream_wait_turn(o, second, DEADLINE_NEVER);
        o->written = progress;
        stream_cut_write(o, second); /* it is not the second's to cut */
        CHECK(!o->broken && o->writer == slab_id(&first->head));
        stream_cut_write(o, first);
        CHECK(o->broken == (progress > 0));
        CHECK(o->writer == slab_id(&second->head) && second->state == TASK_READY && o->written == 0);
        stream_end_write(o);
        CHECK(o->writer == 0);
        list_remove(&second->place.link);
        task_drop(first);
        task_drop(second);
        io_close(o);
        close(peer);
    }
    finish();
}

/* Between two writes that queue, a third that comes fresh is not first. */
static void no_write_overtakes(void) {
    begin();
    int peer;
    io *o = open_stream(&peer);
    task *t[3];
    for (int i = 0; i < 3; i++) CHECK(task_new(ex, &t[i]) == 0);
    CHECK(stream_begin_write(o, t[0]));
    stream_wait_turn(o, t[1], DEADLINE_NEVER);
    stream_end_write(o);
    CHECK(t[1]->state == TASK_READY && !stream_begin_write(o, t[2]));
    stream_end_write(o);
    CHECK(stream_begin_write(o, t[2]));
    stream_end_write(o);
    list_remove(&t[1]->place.link);
    for (int i = 0; i < 3; i++) task_drop(t[i]);
    io_close(o);
    close(peer);
    finish();
}

/* What other processes have too stays blocking, and no system call blocks in it: else the alarm ends this test. */
static void shared_pipes_never_block(void) {
    begin();
    int ends[2];
    CHECK(pipe(ends) == 0);
    io *reader, *writer;
    CHECK(stream_open_two(ex, ends, &layer_shared, &reader, &writer) == 0);
    static char bytes[EXECUTOR_SCRATCH];
    for (int round = 0; round < 3; round++) {
        CHECK(stream_fill(reader, 1) == UV_EAGAIN);
        size_t sent = 0;
        ssize_t n;
        do {
            const struct iovec piece = {bytes, sizeof bytes};
            n = stream_write(writer, &piece, 1);
            sent += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        CHECK(n == UV_EAGAIN && sent > PIPE_BUF);
        while (sent > 0) {
            readable(reader);
            n = stream_fill(reader, 1);
            CHECK(n > 0 && (size_t)n <= sent);
            stream_consume(reader, (size_t)n);
            sent -= (size_t)n;
        }
        readable(reader);
        writer->ready |= UV_WRITABLE;
    }
    io_close(reader);
    const struct iovec piece = {bytes, 1};
    CHECK(stream_write(writer, &piece, 1) == UV_EPIPE);
    io_close(writer);
    finish();
}

int main(void) {
    check_begin();
    random_reads();
    memory_follows_the_bytes();
    writes_are_whole_and_in_turn();
    a_cut_write();
    no_write_overtakes();
    shared_pipes_never_block();
    return 0;
}
