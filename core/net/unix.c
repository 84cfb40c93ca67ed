/* SPDX-License-Identifier: MIT
 *
 * Unix sockets: see unix.h.
 */
#include "net/unix.h"

#include "net/succession.h"
#include "net/udp.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_of(const address *a) {
    return ((const struct sockaddr_un *)&a->storage)->sun_path;
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
    return mode >= 0 && path_of(a)[0] && chmod(path_of(a), (mode_t)mode) < 0 ? remove_path(a, io_last_error()) : 0;
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
    int status = bind_path(fd, a, mode);
    if (status < 0) {
        close(fd);
        return status;
    }
    status = socket_listen(ex, fd, backlog, out);
    return status < 0 ? remove_path(a, status) : 0;
}

int unix_bind_datagram(executor *ex, const address *a, int mode, io **out) {
    *out = NULL;
    int fd = socket_new(AF_UNIX, SOCK_DGRAM);
    if (fd < 0) {
        return fd;
    }
    int bound = bind_path(fd, a, mode);
    int status = udp_take_over(ex, fd, bound, out);
    return bound == 0 && status < 0 ? remove_path(a, status) : status;
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
