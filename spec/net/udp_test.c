/* SPDX-License-Identifier: MIT
 *
 * Datagrams on socket pairs, whose sender has to wait when the receiver does not read: what is received is what was sent,
 * in order, each whole, whatever else wants the scratch meanwhile. */
#include "net/udp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "net/stream.h"

enum { SOCKETS = 4, STEPS = 20000 };

static executor own, *const ex = &own;

static void begin(void) {
    CHECK(executor_init(ex) == 0);
}

static void finish(void) {
    uv_run(&ex->loop, UV_RUN_NOWAIT);
    CHECK(ex->scratch.holder == NULL && ex->ios.live == 0);
    executor_deinit(ex);
}

static void open_pair(int type, io **o, int *peer) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0);
    *peer = ends[1];
    CHECK(io_open(ex, ends[0], o) == 0);
    if (type == SOCK_DGRAM) {
        udp_init(*o);
    } else {
        stream_init(*o, &layer_socket);
    }
}

static void readable(io *o) {
    io_event(ex, slab_id(&o->head), UV_READABLE);
}

static char bytes[EXECUTOR_SCRATCH + 1];

static size_t random_size(void) {
    return check_below(4) == 0 ? check_any_size(16) : check_below(40);
}

/* What was sent and not yet received of a pair: sizes; the bytes tell the pair and the number. */
static struct pair {
    io *io;
    int peer;
    uint32_t sent, received;
    size_t sizes[64];
} pairs[SOCKETS];

static void send_one(struct pair *p) {
    size_t size = random_size();
    memset(bytes, (int)(p->sent * SOCKETS + (uint32_t)(p - pairs)), size);
    if (p->sent - p->received < 64 && send(p->peer, bytes, size, 0) == (ssize_t)size) {
        p->sizes[p->sent++ % 64] = size;
        readable(p->io);
    }
}

static void receive_one(struct pair *p) {
    const datagram *d;
    int status = udp_receive(p->io, &d);
    if (status == UV_EAGAIN) {
        CHECK(p->sent == p->received);
        return;
    }
    CHECK(status == 0 && p->received < p->sent && d->size == p->sizes[p->received % 64] && !d->cut);
    memset(bytes, (int)(p->received * SOCKETS + (uint32_t)(p - pairs)), d->size);
    CHECK(memcmp(bytes, d->bytes, d->size) == 0);
    p->received++;
    udp_consume(p->io);
}

static void test_order(void) {
    begin();
    io *stream;
    int other;
    open_pair(SOCK_STREAM, &stream, &other);
    for (int i = 0; i < SOCKETS; i++) {
        open_pair(SOCK_DGRAM, &pairs[i].io, &pairs[i].peer);
    }
    for (int step = 0; step < STEPS; step++) {
        struct pair *p = &pairs[check_below(SOCKETS)];
        if (check_below(20) == 0) { /* a stream wants the scratch */
            if (!stream_unread(stream)) {
                CHECK(send(other, "ab", 2, 0) == 2);
                readable(stream);
                CHECK(stream_fill(stream, 2) == 2);
            }
            stream_consume(stream, 1);
        } else if (check_below(2)) {
            send_one(p);
        } else {
            receive_one(p);
        }
    }
    for (int i = 0; i < SOCKETS; i++) {
        while (pairs[i].received < pairs[i].sent) {
            receive_one(&pairs[i]);
        }
        CHECK(pairs[i].sent > 0);
        io_close(pairs[i].io);
        close(pairs[i].peer);
    }
    io_close(stream);
    close(other);
    finish();
}

static void test_too_long(void) {
    begin();
    io *o;
    int peer;
    const datagram *d;
    open_pair(SOCK_DGRAM, &o, &peer);
    CHECK(send(peer, bytes, sizeof bytes, 0) == sizeof bytes && send(peer, bytes, sizeof bytes - 1, 0) > 0);
    CHECK(udp_receive(o, &d) == 0 && d->cut);
    udp_consume(o);
    CHECK(udp_receive(o, &d) == 0 && !d->cut && d->size == sizeof bytes - 1);
    udp_consume(o);
    CHECK(udp_receive(o, &d) == UV_EAGAIN);
    io_close(o);
    close(peer);
    finish();
}

static void test_send_waits(void) {
    begin();
    io *o;
    int peer, sent = 0, received = 0, status;
    open_pair(SOCK_DGRAM, &o, &peer);
    while ((status = udp_send(o, "abc", 3, NULL)) == 0) {
        sent++;
    }
    CHECK(status == UV_EAGAIN && sent > 0 && !(o->ready & UV_WRITABLE));
    CHECK(udp_send(o, "abc", 3, NULL) == UV_EAGAIN);
    while (recv(peer, bytes, sizeof bytes, 0) == 3) {
        received++;
    }
    CHECK(received == sent && udp_send(o, "", 0, NULL) == UV_EAGAIN); /* no event has come */
    io_event(ex, slab_id(&o->head), UV_WRITABLE);
    CHECK(udp_send(o, "", 0, NULL) == 0 && recv(peer, bytes, sizeof bytes, 0) == 0);
    io_close(o);
    close(peer);
    finish();
}

int main(void) {
    check_begin();
    test_order();
    test_too_long();
    test_send_waits();
    return 0;
}
