/* SPDX-License-Identifier: MIT
 *
 * Open descriptors: events that come too late, descriptors whose number is reused, and who is woken by what. */
#include "loop/io.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

enum { REUSES = 1000000 };

static executor own, *const ex = &own;

static void begin(void) {
    CHECK(executor_init(ex) == 0);
}

/* Everything that was still held has been given back. */
static void finish(void) {
    io_release_closed(ex);
    uint32_t cursor = 0;
    CHECK(slab_next(&ex->ios, &cursor) == NULL && ex->ios.live == 0);
    CHECK_INVARIANTS(slab_check(&ex->ios));
    CHECK_INVARIANTS(slab_check(&ex->tasks));
    CHECK_INVARIANTS(wheel_check(&ex->wheel));
    CHECK(list_empty(&ex->ready) && ex->wheel.count == 0 && ex->keepalive == 0 && ex->scratch.holder == NULL);
    executor_deinit(ex);
}

static io *open_io(int fd) {
    io *o;
    CHECK(fd >= 0 && io_open(ex, fd, &o) == 0 && o->fd == fd);
    return o;
}

static void socket_pair(int ends[2]) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
}

/* A task as if it were running, without the executor's loop. */
static task *running_task(void) {
    task *t;
    CHECK(task_new(ex, &t) == 0);
    task_start(t);
    CHECK(list_pop_front(&ex->ready) == &t->place.link);
    t->state = TASK_RUNNING;
    return t;
}

static task *waiting_task(io *o, int direction, uint64_t deadline_ms) {
    task *t = running_task();
    CHECK(io_wait(o, t, direction, "test", deadline_ms, false) == 0);
    CHECK(t->state == TASK_WAITING && strcmp(t->waits_for, "test") == 0);
    return t;
}

static bool woken(const task *t, enum wake wake) {
    return t->state == TASK_READY && t->wake == (int8_t)wake;
}

static void end_task(task *t) {
    list_remove(&t->place.link);
    task_end(t);
}

/* The same descriptor, opened and closed a million times. After each close its last token, an older one and the first
 * are given events: none of them reaches the socket that has the number now, or its waiting task. */
static void late_events_reach_nobody(void) {
    begin();
    int ends[2], number = -1;
    socket_pair(ends);
    uint64_t first = 0, forged = 0, ids[64] = {0};
    task *t = running_task();
    for (int i = 0; i < REUSES; i++) {
        io *o = open_io(dup(ends[0]));
        if (i == 0) {
            number = o->fd;
            first = slab_id(&o->head);
        }
        CHECK(o->fd == number && io_get(ex, io_token(o)) == o);
        bool waits = i % 16 == 0; /* a watch costs system calls: not each time */
        if (waits) CHECK(io_wait(o, t, UV_READABLE, "test", DEADLINE_NEVER, false) == 0);
        o->ready = 0;
        for (int j = 0; j < 3 && i > 0; j++) {
            uint64_t id = j == 0 ? ids[(i - 1) % 64] : j == 1 ? ids[check_below(i < 64 ? (uint64_t)i : 64)] : first;
            io_event(ex, id, UV_READABLE | UV_WRITABLE);
            forged++;
        }
        CHECK(o->ready == 0 && ex->counters.stale_events == forged);
        if (waits) CHECK(t->state == TASK_WAITING);
        ids[i % 64] = slab_id(&o->head);
        io_close(o);
        if (waits) {
            CHECK(woken(t, WAKE_CLOSED));
            list_remove(&t->place.link);
            t->state = TASK_RUNNING;
        }
        io_event(ex, ids[i % 64], UV_READABLE); /* closed, while the slot is held */
        forged++;
        if (i % 8 == 7) io_release_closed(ex);
    }
    CHECK(ex->counters.stale_events == forged && forged > 3 * (uint64_t)REUSES);
    CHECK(ex->ios.used <= 8);
    end_task(t);
    close(ends[0]);
    close(ends[1]);
    finish();
}

static void close_wakes_all(void) {
    begin();
    int ends[2];
    socket_pair(ends);
    io *o = open_io(ends[0]);
    uint64_t soon_ms = executor_deadline_ms(ex, 3600);
    task *tasks[] = {
        waiting_task(o, UV_READABLE, DEADLINE_NEVER),
        waiting_task(o, UV_READABLE, soon_ms),
        waiting_task(o, UV_WRITABLE, soon_ms),
        waiting_task(o, UV_WRITABLE, DEADLINE_NEVER),
    };
    CHECK(ex->wheel.count == 2 && ex->keepalive == 4);
    momo_token token = io_token(o);
    io_close(o);
    CHECK(io_get(ex, token) == NULL && ex->wheel.count == 0 && ex->keepalive == 0 && ex->ios.live == 0);
    for (int i = 0; i < 4; i++) {
        CHECK(woken(tasks[i], WAKE_CLOSED));
        CHECK(list_first(&ex->ready) == &tasks[i]->place.link); /* first come, first woken */
        end_task(tasks[i]);
    }
    CHECK(fcntl(ends[0], F_GETFD) < 0 && errno == EBADF);
    close(ends[1]);
    finish();
}

/* One event, one waiter; the one that did not get what it came for goes back to the front. */
static void readers_are_served_in_turn(void) {
    begin();
    int ends[2];
    socket_pair(ends);
    io *o = open_io(ends[0]);
    o->ready = 0;
    task *a = waiting_task(o, UV_READABLE, DEADLINE_NEVER), *b = waiting_task(o, UV_READABLE, DEADLINE_NEVER);
    io_event(ex, slab_id(&o->head), UV_READABLE);
    CHECK(woken(a, WAKE_READY) && b->state == TASK_WAITING && o->ready == UV_READABLE);
    list_pop_front(&ex->ready);
    a->state = TASK_RUNNING;
    CHECK(io_wait(o, a, UV_READABLE, "test", DEADLINE_NEVER, true) == 0);
    io_event(ex, slab_id(&o->head), UV_READABLE);
    CHECK(woken(a, WAKE_READY) && b->state == TASK_WAITING);
    io_event(ex, slab_id(&o->head), UV_READABLE);
    CHECK(woken(b, WAKE_READY));
    end_task(a);
    end_task(b);
    io_close(o);
    close(ends[1]);
    finish();
}

/* Behind the task whose write is under way, the others wait for their turn, not for the descriptor. */
static void an_event_is_for_the_writer(void) {
    begin();
    int ends[2];
    socket_pair(ends);
    io *o = open_io(ends[0]);
    task *writer = waiting_task(o, UV_WRITABLE, DEADLINE_NEVER);
    task *next = waiting_task(o, UV_WRITABLE, DEADLINE_NEVER);
    o->writer = slab_id(&writer->head);
    io_event(ex, slab_id(&o->head), UV_WRITABLE);
    CHECK(woken(writer, WAKE_READY) && next->state == TASK_WAITING);
    io_event(ex, slab_id(&o->head), UV_WRITABLE);
    CHECK(next->state == TASK_WAITING);
    io_close(o);
    CHECK(woken(next, WAKE_CLOSED));
    end_task(writer);
    end_task(next);
    close(ends[1]);
    finish();
}

/* An event is told once, in later polls no more, and is remembered for who comes late. */
static void an_event_is_told_once(void) {
    begin();
    int ends[2];
    socket_pair(ends);
    io *o = open_io(ends[0]);
    task *t = waiting_task(o, UV_READABLE, DEADLINE_NEVER);
    task_cancel(t);
    CHECK(woken(t, WAKE_CANCEL) && list_empty(&o->readers) && ex->keepalive == 0);
    end_task(t);
    o->ready = 0;
    CHECK(write(ends[1], "x", 1) == 1);
    poller_wait(&ex->poller, 0);
    CHECK(o->ready == UV_READABLE);
    o->ready = 0;
    poller_wait(&ex->poller, 0);
    CHECK(o->ready == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    t = waiting_task(o, UV_READABLE, DEADLINE_NEVER);
    poller_wait(&ex->poller, 0);
    CHECK(woken(t, WAKE_READY));
    end_task(t);
    t = waiting_task(o, UV_WRITABLE, DEADLINE_NEVER); /* what is there when a watch begins is told as well */
    poller_wait(&ex->poller, 0);
    CHECK(woken(t, WAKE_READY));
    end_task(t);
    io_close(o);
    close(ends[1]);
    finish();
}

/* What is always ready has no events, so nobody can wait for it; it is closed like all others. */
static void what_has_no_events_parks_nobody(void) {
    begin();
    int fd = open("/dev/null", O_RDWR), ends[2];
    io *o = open_io(fd);
    CHECK(!io_has_events(ex, fd));
    task *t = running_task();
    CHECK(io_wait(o, t, UV_READABLE, "test", DEADLINE_NEVER, false) == UV_EAGAIN);
    CHECK(t->state == TASK_RUNNING && list_empty(&o->readers) && ex->keepalive == 0);
    end_task(t);
    io_close(o);
    CHECK(fcntl(fd, F_GETFD) < 0);
    CHECK(pipe(ends) == 0 && io_has_events(ex, ends[0]) && io_has_events(ex, ends[0]));
    close(ends[0]);
    close(ends[1]);
    finish();
}

/* What is open at the end is closed with the executor. */
static void free_closes_all(void) {
    begin();
    int ends[2];
    socket_pair(ends);
    task *t = waiting_task(open_io(ends[0]), UV_READABLE, executor_deadline_ms(ex, 3600));
    open_io(dup(ends[1]));
    CHECK(t->state == TASK_WAITING);
    executor_deinit(ex);
    CHECK(fcntl(ends[0], F_GETFD) < 0);
    char byte;
    CHECK(read(ends[1], &byte, 1) == 0);
    close(ends[1]);
}

int main(void) {
    check_begin();
    close_wakes_all();
    readers_are_served_in_turn();
    an_event_is_for_the_writer();
    an_event_is_told_once();
    what_has_no_events_parks_nobody();
    free_closes_all();
    late_events_reach_nobody();
    return 0;
}
