/* SPDX-License-Identifier: MIT
 *
 * Sockets that the poller may receive for, many more than it has buffers. They are asked for what has come again and again within
 * one turn, between waits that are rare: what is had for one brings what has come for all others. The oracle is arithmetic: the
 * byte at each place of each stream is known.
 *
 * Where MOMO_POLLER is not `ring`, or the system has none, system calls do the same. */
#include "net/idle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

enum { SOCKETS = 600, STEPS = 40000, ROUNDS = 20, TURN = 4000 /* steps, on average */, WAITS = 40 };

static struct source {
    io *stream;
    int peer; /* the other end, or -1 */
    uint64_t sent, taken;
} sources[SOCKETS];

static char byte_at(const struct source *s, uint64_t place) {
    uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(s - sources) * UINT64_C(0xd6e8feb86659fd93);
    return (char)(x >> 32 ^ x >> 56);
}

static void wait_for(struct source *s) {
    CHECK(io_watch(s->stream, UV_READABLE) == 0);
}

static void open_pair(struct source *s) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(stream_open(ex, ends[0], &layer_socket, &s->stream) == 0);
    io_receive(s->stream);
    s->peer = ends[1];
    s->sent = s->taken = 0;
    wait_for(s);
}

static void end(struct source *s) {
    if (s->peer >= 0) {
        close(s->peer);
        s->peer = -1;
    }
}

static void send_some(struct source *s, size_t size) {
    static char bytes[1 << 17];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(s, s->sent + i);
    }
    ssize_t n = s->peer >= 0 ? send(s->peer, bytes, size, MSG_NOSIGNAL) : 0;
    CHECK(n >= 0 || errno == EAGAIN);
    s->sent += n > 0 ? (uint64_t)n : 0;
}

static bool ring_receives(void) {
    return ex->poller.driver->take && strcmp(poller_name(&ex->poller), "ring") == 0;
}

/* Asks once: nothing is there only where all was taken. */
static void ask(struct source *s) {
    io_ask(s->stream, UV_READABLE);
    ssize_t n = stream_fill(s->stream, 1);
    if (n <= 0) {
        CHECK(s->taken == s->sent && n == (s->peer < 0 ? UV_EOF : UV_EAGAIN));
        wait_for(s);
        return;
    }
    CHECK(s->taken + (uint64_t)n <= s->sent && stream_unread(s->stream) == (size_t)n);
    for (size_t i = 0; i < (size_t)n; i++) {
        CHECK(stream_bytes(s->stream)[i] == byte_at(s, s->taken + i));
    }
    stream_consume(s->stream, (size_t)n);
    s->taken += (uint64_t)n;
}

static void renew(struct source *s) {
    io_close(s->stream);
    end(s);
    io_release_closed(ex);
    open_pair(s);
}

/* Without a wait, much comes for all that is not told, round after round. */
static void test_one_turn(void) {
    for (int i = 0; i < ROUNDS; i++) {
        for (struct source *s = sources; s < sources + SOCKETS; s++) {
            send_some(s, 1 + check_below(100));
        }
        for (struct source *s = sources; s < sources + SOCKETS; s++) {
            ask(s);
        }
    }
}

static void test_random(void) {
    for (int i = 0; i < STEPS; i++) {
        struct source *s = &sources[check_below(SOCKETS)];
        switch (check_below(8)) {
        case 0:
        case 1:
        case 2: send_some(s, 1 + check_any_size(check_below(10) ? 10 : 17) % (1 << 17)); break;
        case 3:
            if (check_below(20) == 0) {
                end(s);
            } else if (check_below(20) == 0) {
                renew(s);
            }
            break;
        default: ask(s);
        }
        if (check_below(TURN) == 0) {
            poller_wait(&ex->poller, 0);
        }
    }
}

/* The poller may not tell all at once. */
static void hear_all(void) {
    for (int i = 0; i < WAITS; i++) {
        poller_wait(&ex->poller, 0);
    }
}

/* Reads what the stream has no use for, as a layer of TLS takes a ticket. */
static ssize_t swallow(const layer *l, io *o, char *into, size_t room) {
    ssize_t n;
    do {
        n = layer_read(l->below, o, into, room);
    } while (n > 0);
    return n;
}

/* An idle stream for which nothing more is received, as no buffer is left, is still watched for its end. */
static void test_idle_without_buffers(void) {
    static const transport swallowing = {.read = swallow};
    layer l = {.transport = &swallowing};
    struct source *idle = &sources[SOCKETS - 1];
    momo_token token = io_token(idle->stream);
    stream_wrap(idle->stream, &l);
    CHECK(momo_begin_idle(ex, &token, 1e9) == 0);
    for (struct source *s = sources; s < idle; s++) {
        send_some(s, 1);
    }
    hear_all();
    send_some(idle, 1);
    hear_all();
    CHECK(momo_is_idle(ex, &token));
    end(idle);
    hear_all();
    CHECK(!io_get(ex, token));
    open_pair(idle);
}

/* A stream that went to epoll for want of buffers is received for again when it waits and there are enough of them. */
static void test_return(void) {
    struct source *last = &sources[SOCKETS - 1];
    for (struct source *s = sources; s <= last; s++) {
        send_some(s, 1);
    }
    hear_all();
    send_some(last, 1); /* the buffers are those of others */
    while (last->taken < last->sent) {
        ask(last);
    }
    wait_for(last);
    bool by_ring = ring_receives();
    CHECK(last->stream->transfer.state == (by_ring ? RECEIVED_MAY : RECEIVED_NEVER));
    CHECK(last->stream->armed & UV_READABLE);
    for (struct source *s = sources; s < last; s++) {
        while (s->taken < s->sent) {
            ask(s);
        }
    }
    poller_wait(&ex->poller, 0);
    wait_for(last);
    CHECK(last->stream->transfer.state == (by_ring ? RECEIVED_NOW : RECEIVED_NEVER));
    CHECK(!(last->stream->armed & UV_READABLE) == by_ring);
    send_some(last, 100);
    hear_all();
    CHECK(!by_ring || last->stream->transfer.size == 100);
    while (last->taken < last->sent) {
        ask(last);
    }
}

/* A stream for which much comes at once is read by system calls, until it has waited often. */
static void test_bulk(void) {
    struct source *s = sources;
    bool by_ring = ring_receives();
    wait_for(s);
    send_some(s, 100000);
    hear_all();
    int waits = 0;
    do {
        send_some(s, 10);
        while (s->taken < s->sent) {
            hear_all();
            ask(s);
        }
        wait_for(s);
        waits++;
    } while (by_ring && s->stream->transfer.state != RECEIVED_NOW);
    CHECK(by_ring ? waits > 200 && waits < 300 : waits == 1);
}

int main(void) {
    check_begin();
    begin(NULL);
    for (struct source *s = sources; s < sources + SOCKETS; s++) {
        open_pair(s);
    }
    test_idle_without_buffers();
    test_return();
    test_bulk();
    test_one_turn();
    test_random();
    for (struct source *s = sources; s < sources + SOCKETS; s++) {
        io_close(s->stream);
        end(s);
    }
    io_release_closed(ex);
    finish();
    return 0;
}
