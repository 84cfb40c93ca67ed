/* SPDX-License-Identifier: MIT
 *
 * An event is told once. So whatever cuts a read short (an end, urgent bytes, a message with a descriptor, a line of a
 * terminal), a reader who waits only when it is told to gets every byte without a further event, and then the end. */
#include "net/socket.h"
#include "net/stream.h"

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static executor own, *const ex = &own;

static void finish(io *o) {
    io_close(o);
    io_release_closed(ex);
    executor_deinit(ex);
}

/* Waits until the stream is readable; false: no event came. */
static bool wait_readable(io *o) {
    task *t;
    CHECK(task_new(ex, &t) == 0);
    task_start(t);
    list_pop_front(&ex->ready);
    CHECK(io_wait(o, t, UV_READABLE, "test", DEADLINE_NEVER, false) == 0);
    poller_wait(&ex->poller, 0);
    bool told = t->state == TASK_READY;
    if (!told) {
        ex->keepalive--;
        t->keepalive = false;
    }
    list_remove(&t->place.link);
    task_end(t);
    return told;
}

/* Reads and waits as a task would, until there is nothing more: it must have been just these bytes, and the end if `end`.
 * What is on its way is waited for: if no event tells of it, the alarm ends this test. */
static void expect(io *o, const char *bytes, bool end) {
    ssize_t n;
    size_t size = strlen(bytes);
    do {
        n = stream_fill(o, 1);
    } while (n > 0 || (n == UV_EAGAIN && (wait_readable(o) || end || stream_unread(o) < size)));
    CHECK(n == (end ? UV_EOF : UV_EAGAIN));
    CHECK(stream_unread(o) == size);
    if (size > 0) {
        CHECK(memcmp(stream_bytes(o), bytes, size) == 0);
        stream_consume(o, size);
    }
}

static void say(int fd, const char *bytes) {
    CHECK(write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
}

/* A TCP connection whose reader has waited before. */
static io *open_tcp(int *peer) {
    CHECK(executor_init(ex) == 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
    *peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&a, &size) == 0);
    CHECK(connect(*peer, (struct sockaddr *)&a, size) == 0);
    CHECK((fd = accept(listener, NULL, NULL)) >= 0 && close(listener) == 0);
    io *o;
    CHECK(socket_adopt(ex, fd, &o) == 0 && o->drains);
    expect(o, "", false);
    return o;
}

static void ends(void) {
    int peer;
    io *o = open_tcp(&peer);
    say(peer, "with the end");
    close(peer);
    expect(o, "with the end", true);
    finish(o);

    o = open_tcp(&peer);
    say(peer, "before the end");
    while (!wait_readable(o)) {
    }
    close(peer); /* between the event and the read */
    expect(o, "before the end", true);
    finish(o);

    o = open_tcp(&peer);
    say(peer, "a");
    expect(o, "a", false);
    CHECK(stream_fill(o, 1) == UV_EAGAIN); /* and no system call was needed to know it */
    close(peer);
    expect(o, "", true);
    finish(o);
}

static void urgent_bytes(void) {
    int peer;
    io *o = open_tcp(&peer);
    say(peer, "before ");
    CHECK(send(peer, "!", 1, MSG_OOB) == 1);
    say(peer, "behind");
    expect(o, "before behind", false);
    close(peer);
    expect(o, "", true);
    finish(o);
}

/* A pair of Unix sockets, one of which is a stream whose reader has waited before. */
static io *open_unix(int *peer) {
    CHECK(executor_init(ex) == 0);
    int pair[2];
    io *o;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0 && socket_adopt(ex, pair[0], &o) == 0);
    *peer = pair[1];
    expect(o, "", false);
    return o;
}

static void close_both(io *o, int peer) {
    close(peer);
    expect(o, "", true);
    finish(o);
}

static void unix_ends(void) {
    int peer;
    io *o = open_unix(&peer);
    say(peer, "a");
    expect(o, "a", false);
    CHECK(stream_fill(o, 1) == UV_EAGAIN && !(o->ready & UV_READABLE)); /* no system call was needed to know it */
    close_both(o, peer);

    o = open_unix(&peer);
    say(peer, "with the end");
    close(peer);
    expect(o, "with the end", true);
    finish(o);
}

static void unix_urgent_bytes(void) {
    int peer;
    io *o = open_unix(&peer);
    say(peer, "before ");
    if (send(peer, "!", 1, MSG_OOB) == 1) { /* since Linux 5.15 */
        say(peer, "behind");
        expect(o, "before behind", false);
        say(peer, "more");
        expect(o, "more", false);
    } else {
        expect(o, "before ", false);
    }
    close_both(o, peer);
}

/* What other processes write is told apart where credentials are asked for. */
static void credentials(void) {
    int peer, status;
    io *o = open_unix(&peer);
    CHECK(setsockopt(o->fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) == 0);
    say(peer, "one ");
    pid_t child = fork();
    if (child == 0) {
        _exit(write(peer, "two", 3) == 3 ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    expect(o, "one two", false);
    close_both(o, peer);
}

static void descriptors(void) {
    int peer;
    io *o = open_unix(&peer);
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &peer, sizeof(int));
    struct iovec text = {"one ", 4};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    CHECK(sendmsg(peer, &message, 0) == 4);
    say(peer, "two");
    expect(o, "one two", false);
    close_both(o, peer);
}

static void lines_of_a_terminal(void) {
    CHECK(executor_init(ex) == 0);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    io *o;
    int fd = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fd >= 0 && stream_open(ex, fd, &layer_file, &o) == 0);
    expect(o, "", false);
    say(terminal, "one\ntwo\n");
    while (!wait_readable(o)) {
    }
    expect(o, "one\ntwo\n", false);
    finish(o);
    close(terminal);
}

static void pipes(void) {
    CHECK(executor_init(ex) == 0);
    int pair[2];
    io *o;
    CHECK(pipe2(pair, O_NONBLOCK | O_CLOEXEC) == 0 && stream_open(ex, pair[0], &layer_file, &o) == 0);
    expect(o, "", false);
    say(pair[1], "one");
    CHECK(wait_readable(o));
    say(pair[1], " two");
    close(pair[1]);
    expect(o, "one two", true);
    finish(o);
}

int main(void) {
    check_begin();
    ends();
    urgent_bytes();
    unix_ends();
    unix_urgent_bytes();
    credentials();
    descriptors();
    lines_of_a_terminal();
    pipes();
    return 0;
}
