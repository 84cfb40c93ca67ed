/* SPDX-License-Identifier: MIT
 *
 * TCP listeners: see tcp.h.
 */
#include "net/tcp.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/succession.h"

static in_port_t port_of(const address *a) {
    return a->storage.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a->storage)->sin6_port
                                            : ((const struct sockaddr_in *)&a->storage)->sin_port;
}

int tcp_listen(executor *ex, const address *a, int backlog, bool reuseport, io **out) {
    *out = NULL;
    int fd = succession_claim(a);
    if (fd >= 0) {
        return socket_listen(ex, fd, backlog, out);
    }
    fd = socket_new(a->storage.ss_family, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    int status = socket_set_flag(fd, SO_REUSEADDR);
    if (status == 0 && reuseport) {
        status = socket_set_flag(fd, SO_REUSEPORT);
    }
    if (status == 0) {
        status = socket_bind(fd, a);
    }
    if (status < 0) {
        close(fd);
        return status;
    }
    if (port_of(a) == 0) {
        succession_chose(fd);
    }
    return socket_listen(ex, fd, backlog, out);
}

static bool listens_on(int fd, in_port_t port) {
    int listening = 0;
    socklen_t size = sizeof listening;
    address own = {.length = sizeof own.storage};
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
           getsockname(fd, (struct sockaddr *)&own.storage, &own.length) == 0 && own.storage.ss_family != AF_UNIX &&
           port_of(&own) == port;
}

enum listens tcp_listens(const executor *ex, const address *a) {
    uint32_t cursor = 0;
    for (const io *o; (o = io_next_open(ex, &cursor));) {
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

int64_t tcp_quiet_ms(const io *o) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(o->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) {
        return io_last_error();
    }
    return info.tcpi_last_data_sent < info.tcpi_last_data_recv ? info.tcpi_last_data_sent : info.tcpi_last_data_recv;
}
