/* SPDX-License-Identifier: MIT
 *
 * Sockets that others are after as well: a path that several threads bind, a file that is replaced in between; and sockets
 * that only look like those we know. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fixture.h"
#include "net/unix.h"

int __real_bind(int fd, const struct sockaddr *name, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *name, socklen_t length);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length);

static const char *link_to; /* what a bound path is replaced by a link to, or NULL */
static int protocol;        /* that sockets say they have, or 0 */
static char folder[] = "/tmp/socket_test_XXXXXX";

int __wrap_bind(int fd, const struct sockaddr *name, socklen_t length) {
    int status = __real_bind(fd, name, length);
    const char *path = ((const struct sockaddr_un *)(const void *)name)->sun_path;
    if (status == 0 && link_to) CHECK(unlink(path) == 0 && symlink(link_to, path) == 0);
    return status;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
    int status = __real_getsockopt(fd, level, option, value, length);
    if (status == 0 && protocol && option == SO_PROTOCOL) *(int *)value = protocol;
    return status;
}

static address path_in_folder(const char *name) {
    char path[100];
    address a;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(address_of_path(path, (size_t)length, &a) == 0);
    return a;
}

static const char *text_of(const address *a) {
    return ((const struct sockaddr_un *)(const void *)&a->storage)->sun_path;
}

/* ---- a path that is bound by several at once ---- */

enum { BINDERS = 3, ROUNDS = 400 };

static struct binder {
    executor executor;
    pthread_t thread;
    io *listener;
    int status;
} binders[BINDERS];

static pthread_barrier_t start;
static address contended;

static void *bind_it(void *argument) {
    struct binder *b = argument;
    pthread_barrier_wait(&start);
    b->status = unix_listen(&b->executor, &contended, 8, -1, &b->listener);
    return NULL;
}

/* Where nobody is, or only the file of one who is gone, exactly one gets it, and is there for who connects. */
static void one_gets_the_path(void) {
    begin(NULL);
    contended = path_in_folder("contended");
    CHECK(pthread_barrier_init(&start, NULL, BINDERS) == 0);
    for (int i = 0; i < BINDERS; i++) CHECK(executor_init(&binders[i].executor) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BINDERS; i++) CHECK(pthread_create(&binders[i].thread, NULL, bind_it, &binders[i]) == 0);
        int winners = 0;
        for (int i = 0; i < BINDERS; i++) {
            CHECK(pthread_join(binders[i].thread, NULL) == 0);
            CHECK(binders[i].status == 0 || binders[i].status == UV_EADDRINUSE);
            winners += binders[i].status == 0;
        }
        CHECK(winners == 1);
        io *o;
        CHECK(socket_connect(ex, &contended, NULL, &o) == 0);
        io_close(o);
        for (int i = 0; i < BINDERS; i++) {
            if (binders[i].listener) io_close(binders[i].listener); /* its file stays behind */
            io_release_closed(&binders[i].executor);
        }
        if (check_below(2)) CHECK(unlink(text_of(&contended)) == 0);
    }
    for (int i = 0; i < BINDERS; i++) executor_deinit(&binders[i].executor);
    pthread_barrier_destroy(&start);
    unlink(text_of(&contended));
    finish();
}

/* ---- permissions ---- */

static mode_t mode_of(const char *path) {
    struct stat file;
    CHECK(stat(path, &file) == 0);
    return file.st_mode & 0777;
}

/* Permissions are the socket's, never those of what somebody has put in its place. */
static void modes_follow_no_link(void) {
    begin(NULL);
    address a = path_in_folder("linked"), other = path_in_folder("other");
    io *o;
    fclose(fopen(text_of(&other), "w"));
    chmod(text_of(&other), 0600);
    link_to = text_of(&other);
    CHECK(unix_listen(ex, &a, 8, 0777, &o) < 0 && mode_of(text_of(&other)) == 0600);
    link_to = NULL;
    CHECK(unlink(text_of(&a)) < 0 && unlink(text_of(&other)) == 0); /* what failed leaves no file */
    mode_t mask = umask(0077);
    CHECK(unix_listen(ex, &a, 8, 0666, &o) == 0 && mode_of(text_of(&a)) == 0666);
    umask(mask);
    io_close(o);
    CHECK(unlink(text_of(&a)) == 0);
    finish();
}

/* ---- kinds ---- */

static void is_kind(int fd, const char *kind) {
    CHECK(fd >= 0 && strcmp(socket_kind(fd), kind) == 0);
}

/* A stream of another protocol, such as SCTP, is no TCP stream; one of several paths is. */
static void protocols_are_told_apart(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), paths = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    CHECK(listen(fd, 1) == 0);
    is_kind(fd, SOCKET_TCP_LISTENER);
    protocol = IPPROTO_SCTP;
    is_kind(fd, "a socket of another kind");
    protocol = 0;
    if (paths >= 0) {
        CHECK(listen(paths, 1) == 0);
        is_kind(paths, SOCKET_TCP_LISTENER);
        close(paths);
    }
    close(fd);
}

int main(void) {
    check_begin();
    CHECK(mkdtemp(folder));
    one_gets_the_path();
    modes_follow_no_link();
    protocols_are_told_apart();
    CHECK(rmdir(folder) == 0);
    return 0;
}
