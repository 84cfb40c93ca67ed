/* SPDX-License-Identifier: MIT
 *
 * Unix sockets: see unix.h.
 */
#include "net/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *path_of(const address *a) {
    return ((const struct sockaddr_un *)&a->storage)->sun_path;
}

enum { LOCK_TRIES = 100 }; /* a millisecond apart */

/* Keeps all others who ask for it from binding in the folder of the path: between bind(2) and listen(2), a socket looks like
 * one whose owner is gone. Whoever may read the folder may lock it, and for ever, so it's waited for a while only. A descriptor,
 * to be closed afterwards; -1: there is no lock to be had. */
static int lock_folder(const address *a) {
    struct sockaddr_un folder = *(const struct sockaddr_un *)&a->storage;
    if (!*folder.sun_path) { /* an abstract name is never stale */
        return -1;
    }
    char *slash = strrchr(folder.sun_path, '/');
    if (slash) {
        slash[slash == folder.sun_path] = '\0';
    }
    int fd = open(slash ? folder.sun_path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = LOCK_TRIES; fd >= 0 && tries && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
         tries--) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return fd;
}

/* Whether the path is a socket's, and nobody listens there. */
static bool is_stale(const address *a) {
    struct stat file;
    if (lstat(path_of(a), &file) < 0 || !S_ISSOCK(file.st_mode)) {
        return false;
    }
    int fd = socket_new(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return false;
    }
    bool refused = connect(fd, (const struct sockaddr *)&a->storage, a->length) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The file has been made with fewer permissions already, where the umask is in the way. */
static int set_mode(const address *a, int mode) {
    return fchmodat(AT_FDCWD, path_of(a), (mode_t)mode, AT_SYMLINK_NOFOLLOW) < 0 ? io_last_error() : 0;
}

static int bind_path(int fd, const address *a, int mode) {
    if (mode >= 0 && fchmod(fd, (mode_t)mode) < 0) { /* the file is made with these, or fewer: see umask(2) */
        return io_last_error();
    }
    int status = socket_bind(fd, a);
    if (status == UV_EADDRINUSE && is_stale(a)) {
        status = unlink(path_of(a)) < 0 ? io_last_error() : socket_bind(fd, a);
    }
    return status == 0 && mode >= 0 && path_of(a)[0] ? set_mode(a, mode) : status;
}

int unix_listen(executor *ex, const address *a, int backlog, int mode, io **out) {
    *out = NULL;
    int fd = socket_new(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    int lock = lock_folder(a);
    int status = bind_path(fd, a, mode);
    if (status == 0) {
        status = socket_listen(ex, fd, backlog, out);
    } else {
        close(fd);
    }
    if (lock >= 0) {
        close(lock);
    }
    return status;
}

int unix_pair(executor *ex, io **one, io **other) {
    *one = *other = NULL;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return io_last_error();
    }
    return stream_open_two(ex, ends, &layer_socket, one, other);
}
