/* SPDX-License-Identifier: MIT
 *
 * TCP sockets: see tcp.h.
 */
#include "tcp.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static int last_error(void) {
    return uv_translate_sys_error(errno);
}

static int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? last_error() : 0;
}

static int new_socket(const address *a) {
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? last_error() : fd;
}

int tcp_listen(executor *ex, const address *a, int backlog, bool reuseport, io **out) {
    *out = NULL;
    int fd = new_socket(a);
    if (fd < 0) {
        return fd;
    }
    int status = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (status == 0 && reuseport) {
        status = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (status == 0 && (bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0 || listen(fd, backlog) < 0)) {
        status = last_error();
    }
    if (status < 0) {
        close(fd);
        return status;
    }
    status = io_open(ex, fd, out);
    if (status == 0) {
        (*out)->listening = true;
    }
    return status;
}

static in_port_t port_of(const address *a) {
    return a->storage.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a->storage)->sin6_port
                                            : ((const struct sockaddr_in *)&a->storage)->sin_port;
}

static bool listens_on(int fd, in_port_t port) {
    int listening = 0;
    socklen_t size = sizeof listening;
    address own = {.length = sizeof own.storage};
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
           getsockname(fd, (struct sockaddr *)&own.storage, &own.length) == 0 && port_of(&own) == port;
}

enum listens tcp_listens(const executor *ex, const address *a) {
    for (const list *node = ex->io_open.next; node != &ex->io_open; node = node->next) {
        const io *o = list_entry(node, io, open);
        if (o->listening && listens_on(o->fd, port_of(a))) {
            return LISTENS_HERE;
        }
    }
    enum listens found = LISTENS_NOBODY;
    DIR *fds = opendir("/proc/self/fd");
    for (struct dirent *entry; fds && !found && (entry = readdir(fds));) {
        if (listens_on(atoi(entry->d_name), port_of(a))) {
            found = LISTENS_OTHER;
        }
    }
    if (fds) {
        closedir(fds);
    }
    return found;
}

int tcp_accept(io *listener, io **out, address *peer) {
    *out = NULL;
    if (!(listener->ready & UV_READABLE)) {
        return UV_EAGAIN;
    }
    for (;;) {
        peer->length = sizeof peer->storage;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer->storage, &peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int status = io_open(listener->executor, fd, out);
            if (status == 0) {
                stream_init(*out);
            }
            return status;
        }
        if (errno == EAGAIN) {
            listener->ready &= (uint8_t)~UV_READABLE;
            return UV_EAGAIN;
        }
        if (errno != EINTR && errno != ECONNABORTED) { /* a peer that left the queue is nobody's failure */
            return last_error();
        }
    }
}

int tcp_connect(executor *ex, const address *a, io **out) {
    *out = NULL;
    int fd = new_socket(a);
    if (fd < 0) {
        return fd;
    }
    if (connect(fd, (const struct sockaddr *)&a->storage, a->length) < 0 && errno != EINPROGRESS && errno != EINTR) {
        int status = last_error();
        close(fd);
        return status;
    }
    int status = io_open(ex, fd, out);
    if (status == 0) {
        stream_init(*out);
    }
    return status;
}

int tcp_connected(io *o) {
    struct pollfd pfd = {.fd = o->fd, .events = POLLOUT};
    if (poll(&pfd, 1, 0) == 0) {
        return UV_EAGAIN;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        return last_error();
    }
    return error ? uv_translate_sys_error(error) : 0;
}
