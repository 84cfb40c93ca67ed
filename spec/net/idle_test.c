/* SPDX-License-Identifier: MIT
 *
 * Idle streams, each beside a model of what it has heard: those whose peer has said something are closed, by the loop or at
 * the latest when they are to be used again, and no others.
 */
#include "net/idle.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

enum { STREAMS = 40, STEPS = 200000, WAITS = 4 };

typedef struct model {
    io *stream;
    momo_token token;
    int peer; /* the other end, or -1 */
    bool idle;
    bool spoken; /* the peer has said something, or ended */
} model;

static model models[STREAMS];
static unsigned reused, closed_by_loop, closed_late;

static void open_pair(model *m) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(stream_open(ex, ends[0], &layer_socket, &m->stream) == 0);
    io_receive(m->stream);
    m->token = io_token(m->stream);
    m->peer = ends[1];
    m->idle = m->spoken = false;
}

static void close_peer(model *m) {
    if (m->peer >= 0) {
        close(m->peer);
        m->peer = -1;
    }
    m->spoken = true;
}

static bool is_open(const model *m) {
    return io_get(ex, m->token) != NULL;
}

/* What the loop does with events, of which the poller may not tell all at once. */
static void turn(void) {
    for (int i = 0; i < WAITS; i++) {
        poller_wait(&ex->poller, 0);
    }
    for (model *m = models; m < models + STREAMS; m++) {
        if (m->idle) {
            CHECK(is_open(m) == !m->spoken);
            closed_by_loop += m->spoken;
            m->idle = is_open(m);
        }
    }
    io_release_closed(ex);
}

static void renew(model *m) {
    if (is_open(m)) {
        io_close(m->stream);
    }
    close_peer(m);
    io_release_closed(ex);
    open_pair(m);
}

static void step(model *m, unsigned choice) {
    if (choice == 0) {
        close_peer(m);
    } else if (choice == 1 && m->peer >= 0) {
        m->spoken |= send(m->peer, "x", 1, MSG_NOSIGNAL) == 1;
    } else if (choice == 2) {
        turn();
    } else if (!is_open(m)) {
        renew(m);
    } else if (m->idle) {
        bool kept = momo_end_idle(ex, &m->token) == 0;
        CHECK(kept == !m->spoken && kept == is_open(m));
        reused += kept;
        closed_late += !kept;
        m->idle = false;
    } else {
        m->idle = momo_begin_idle(ex, &m->token, 1e9) == 0;
        /* What the loop does not know of, it hears of later; nothing is taken for idle that has been told. */
        CHECK(m->idle == is_open(m) && (m->idle || m->spoken));
    }
    CHECK(momo_is_idle(ex, &m->token) == (m->idle && is_open(m)));
}

static void test_random(void) {
    for (model *m = models; m < models + STREAMS; m++) {
        open_pair(m);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        model *m = &models[check_below(STREAMS)];
        step(m, (unsigned)check_below(16));
    }
    CHECK(reused > 1000 && closed_by_loop > 1000 && closed_late > 100);
    turn();
    io_close_idle(ex);
    for (model *m = models; m < models + STREAMS; m++) {
        CHECK(!m->idle || !is_open(m));
        if (is_open(m)) {
            io_close(m->stream);
        }
        close_peer(m);
    }
    io_release_closed(ex);
}

static void test_in_use(void) {
    model m;
    open_pair(&m);
    CHECK(momo_end_idle(ex, &m.token) == UV_EBUSY && !is_open(&m)); /* it was not idle */
    CHECK(momo_begin_idle(ex, &m.token, 1) == UV_EBADF && momo_end_idle(ex, &m.token) == UV_EBADF);
    close_peer(&m);
    open_pair(&m);
    CHECK(momo_begin_idle(ex, &m.token, 1) == 0 && momo_begin_idle(ex, &m.token, 1) == UV_EBUSY && !is_open(&m));
    close_peer(&m);
    open_pair(&m);
    CHECK(send(m.peer, "xy", 2, 0) == 2 && stream_fill(m.stream, 1) == 2);
    CHECK(momo_begin_idle(ex, &m.token, 1) == UV_EBUSY && !is_open(&m)); /* unread bytes */
    close_peer(&m);
    io_release_closed(ex);
}

int main(void) {
    check_begin();
    begin(NULL);
    test_in_use();
    test_random();
    finish();
    return 0;
}
