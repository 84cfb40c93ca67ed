/* SPDX-License-Identifier: MIT
 *
 * Unix sockets: see unix.h.
 */
#include "net/unix.h"

#include "net/succession.h"
#include "net/udp.h"

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

static void unlock_folder(int lock) {
    if (lock >= 0) {
        close(lock);
    }
}

/* Whether the path is a socket's, and nobody listens there; of which type does not matter. Negative: it can't be asked. */
static int is_stale(const address *a) {
    struct stat file;
    if (lstat(path_of(a), &file) < 0 || !S_ISSOCK(file.st_mode)) {
        return false;
    }
    int fd = socket_new(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    bool refused = connect(fd, (const struct sockaddr *)&a->storage, a->length) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* What has failed leaves no file: its code. */
static int remove_path(const address *a, int code) {
    if (path_of(a)[0]) {
        unlink(path_of(a));
    }
    return code;
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
    int stale = status == UV_EADDRINUSE ? is_stale(a) : 0;
    if (stale < 0) {
        status = stale;
    } else if (stale) {
        status = unlink(path_of(a)) < 0 ? io_last_error() : socket_bind(fd, a);
    }
    if (status < 0) {
        return status;
    }
    status = mode >= 0 && path_of(a)[0] ? set_mode(a, mode) : 0;
    return status < 0 ? remove_path(a, status) : 0;
}

int unix_listen(executor *ex, const address *a, int backlog, int mode, io **out) {
    *out = NULL;
    int fd = succession_claim(a);
    if (fd >= 0) {
        return socket_listen(ex, fd, backlog, out);
    }
    fd = socket_new(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    int lock = lock_folder(a), status = bind_path(fd, a, mode);
    if (status < 0) {
        close(fd);
    } else {
        status = socket_listen(ex, fd, backlog, out);
        status = status < 0 ? remove_path(a, status) : 0;
    }
    unlock_folder(lock);
    return status;
}

int unix_bind_datagram(executor *ex, const address *a, int mode, io **out) {
    *out = NULL;
    int fd = socket_new(AF_UNIX, SOCK_DGRAM);
    if (fd < 0) {
        return fd;
    }
    int lock = lock_folder(a), bound = bind_path(fd, a, mode);
    int status = udp_take_over(ex, fd, bound, out);
    status = bound == 0 && status < 0 ? remove_path(a, status) : status;
    unlock_folder(lock);
    return status;
}

int unix_pair_datagram(executor *ex, io **one, io **other) {
    *one = *other = NULL;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return io_last_error();
    }
    int status = udp_take_over(ex, ends[0], 0, one);
    if (status < 0) {
        close(ends[1]);
        return status;
    }
    status = udp_take_over(ex, ends[1], 0, other);
    if (status < 0) {
        io_close(*one);
        *one = NULL;
    }
    return status;
}

int unix_pair(executor *ex, io **one, io **other) {
    *one = *other = NULL;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return io_last_error();
    }
    int status = stream_open_two(ex, ends, &layer_local, one, other);
    if (status == 0) {
        (*one)->drains = (*other)->drains = true;
        io_receive(*one);
        io_receive(*other);
    }
    return status;
}
