/* SPDX-License-Identifier: MIT
 *
 * Whatever makes something leaves all as it was when it fails: each system call, and each allocation, that it makes fails in
 * turn. The calls of the core come here first. */
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "failing.h"
#include "fixture.h"
#include "loop/background.h"
#include "fs/disk.h"
#include "fs/file.h"
#include "fs/notify.h"
#include "net/pipe.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "net/unix.h"
#include "net/watch.h"
#include "thread/channel.h"

FAILING(int, socket, (int family, int type, int protocol), family, type, protocol)
FAILING(int, bind, (int fd, const struct sockaddr *a, socklen_t length), fd, a, length)
FAILING(int, listen, (int fd, int backlog), fd, backlog)
FAILING(int, connect, (int fd, const struct sockaddr *a, socklen_t length), fd, a, length)
FAILING(int, accept4, (int fd, struct sockaddr *a, socklen_t *length, int flags), fd, a, length, flags)
FAILING(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), fd, level, name, value, size)
FAILING(int, socketpair, (int family, int type, int protocol, int ends[2]), family, type, protocol, ends)
FAILING(int, pipe2, (int ends[2], int flags), ends, flags)
FAILING(int, inotify_init1, (int flags), flags)
FAILING(int, epoll_ctl, (int poller, int operation, int fd, struct epoll_event *event), poller, operation, fd, event)
FAILING(int, fchmod, (int fd, mode_t mode), fd, mode)
FAILING(int, fchmodat, (int folder, const char *path, mode_t mode, int flags), folder, path, mode, flags)
FAILING(int, unlink, (const char *path), path)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    return fails(EAGAIN) ? EAGAIN : REAL(pthread_create)(thread, attributes, run, argument);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return command == F_DUPFD_CLOEXEC && fails(ENOBUFS) ? -1 : REAL(fcntl)(fd, command, argument);
}

/* ---- what is made ---- */

static io *made[2];
static address loopback, elsewhere, path, listening;
static char socket_path[64];

static int make_tcp_listener(void) {
    return tcp_listen(ex, &loopback, 5, true, &made[0]);
}

static int make_connection(void) {
    return socket_connect(ex, &listening, NULL, &made[0]);
}

static int make_bound_connection(void) {
    return socket_connect(ex, &listening, &elsewhere, &made[0]);
}

/* A connection that waits for it, and the listener, are there before. */
static int make_accepted(void) {
    counting = false;
    address own = {.length = sizeof own.storage}, peer;
    CHECK(tcp_listen(ex, &loopback, 5, false, &made[0]) == 0);
    CHECK(getsockname(made[0]->fd, (struct sockaddr *)&own.storage, &own.length) == 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client, (const struct sockaddr *)&own.storage, own.length) == 0);
    counting = true;
    int status = socket_accept(made[0], &peer);
    made[1] = status < 0 ? NULL : socket_get_accepted(made[0]);
    counting = false;
    CHECK((made[1] != NULL) == (status == 0));
    close(client);
    io_close(made[0]);
    made[0] = NULL;
    return status;
}

static int make_unix_listener(void) {
    return unix_listen(ex, &path, 5, 0600, &made[0]);
}

static int make_unix_pair(void) {
    return unix_pair(ex, &made[0], &made[1]);
}

static int make_datagram_pair(void) {
    return unix_pair_datagram(ex, &made[0], &made[1]);
}

static int make_unix_datagram(void) {
    return unix_bind_datagram(ex, &path, 0600, &made[0]);
}

static int make_udp(void) {
    return udp_bind(ex, &loopback, true, true, &made[0]);
}

static int make_connected_udp(void) {
    return udp_open(ex, &listening, &made[0]);
}

static int make_pipe(void) {
    return pipe_open(ex, &made[0], &made[1]);
}

static int make_standard(void) {
    return pipe_open_standard(ex, 0, &made[0]);
}

static int make_watch(void) {
    return watch_open(ex, 0, UV_READABLE, &made[0]);
}

static notify *changes;

static int make_notify(void) {
    return notify_open(ex, &changes);
}

static file *opened;

static int make_disk_stream(void) {
    return disk_open(ex, opened, 0, &made[0]);
}

static offload *look_up;

static int make_look_up(void) {
    return resolve_start(ex, "127.0.0.1", &look_up);
}

static sender *sending, *another;
static channel *between;

static void drop(const lane_record *r, list *closing) {
    (void)r;
    (void)closing;
}

static int make_channel(void) {
    static void *holders[3];
    int status = channel_new(ex, 1, drop, &sending, &between);
    if (status < 0) {
        return status;
    }
    sending->end.holder = &holders[0];
    between->receiver.holder = &holders[1];
    another = sender_clone(sending);
    if (another) {
        another->end.holder = &holders[2];
    }
    return another ? 0 : UV_ENOMEM;
}

static void *run_nothing(void *unused) {
    return unused;
}

static int make_thread(void) {
    return background_start(run_nothing, 65536);
}

static task *spawned;

static int make_task(void) {
    return task_new(ex, &spawned);
}

/* Takes back what has been made. */
static void unmake(void) {
    for (int i = 0; i < 2; i++) {
        if (made[i]) io_close(made[i]);
        made[i] = NULL;
    }
    if (changes) notify_close(changes);
    if (look_up) offload_leave(look_up);
    if (spawned) task_end(spawned);
    changes = NULL;
    look_up = NULL;
    spawned = NULL;
    channel_close_all(ex);
    unlink(socket_path);
}

static const struct maker {
    const char *name;
    int (*make)(void);
} makers[] = {
    {"a listener", make_tcp_listener},
    {"a connection", make_connection},
    {"a bound connection", make_bound_connection},
    {"an accepted connection", make_accepted},
    {"a Unix listener", make_unix_listener},
    {"a pair", make_unix_pair},
    {"a pair of datagram sockets", make_datagram_pair},
    {"a Unix datagram socket", make_unix_datagram},
    {"a UDP socket", make_udp},
    {"a connected UDP socket", make_connected_udp},
    {"a pipe", make_pipe},
    {"a standard stream", make_standard},
    {"a watch", make_watch},
    {"a watcher of files", make_notify},
    {"a stream of a file", make_disk_stream},
    {"a look-up", make_look_up},
    {"a thread", make_thread},
    {"a channel", make_channel},
    {"a task", make_task},
};

static int make_with(const struct maker *m, unsigned n) {
    failing_begin(n);
    int status = m->make();
    failing_end();
    return status;
}

/* Each of its calls fails once. What is told is the code of the call; but what does without an option of
 * the system's succeeds. */
static void each_call_fails(const struct maker *m) {
    unsigned all = 0;
    for (unsigned n = 0; n <= all; n++) {
        printf("%s, call %u\n", m->name, n);
        long held = atomic_load(&blocks);
        begin(NULL);
        unsigned before = open_descriptors(), live = ex->ios.live;
        int status = make_with(m, n);
        all = n == 0 ? calls : all;
        if (status < 0 ? status != failed_with : failed_with != 0 && failed_with != UV_ENOBUFS) {
            fprintf(stderr, "%s, call %u: %s\n", m->name, n, uv_err_name(status ? status : UV_EINVAL));
            CHECK(false);
        }
        if (status < 0) {
            CHECK(!made[0] && !made[1] && !changes && !spawned); /* a look-up is the caller's */
            CHECK(access(socket_path, F_OK) < 0);
        }
        if (status < 0 && open_descriptors() != before) {
            fprintf(stderr, "%s leaks a descriptor when call %u fails\n", m->name, n);
            CHECK(false);
        }
        unmake();
        io_release_closed(ex);
        CHECK(open_descriptors() == before && ex->ios.live == live);
        finish();
        CHECK(atomic_load(&blocks) == held || m->make == make_look_up || m->make == make_thread); /* the system's own */
    }
}

static void resolve_addresses(void) {
    CHECK(address_parse("127.0.0.1", 0, &loopback) == 0 && address_parse("127.0.0.2", 0, &elsewhere) == 0);
    snprintf(socket_path, sizeof socket_path, "/tmp/momo-constructor-%d", (int)getpid());
    CHECK(address_of_path(socket_path, strlen(socket_path), &path) == 0);
}

int main(void) {
    check_begin();
    resolve_addresses();
    static executor other; /* has what the others connect to */
    io *listener;
    CHECK(executor_init(&other) == 0 && tcp_listen(&other, &loopback, 100, false, &listener) == 0);
    listening = (address){.length = sizeof listening.storage};
    CHECK(getsockname(listener->fd, (struct sockaddr *)&listening.storage, &listening.length) == 0);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    opened = file_new(fd);
    CHECK(fd >= 0 && opened);
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) each_call_fails(&makers[i]);
    file_drop(opened);
    executor_deinit(&other);
    return 0;
}
