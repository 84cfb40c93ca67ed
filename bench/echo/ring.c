/* SPDX-License-Identifier: MIT
 *
 * A peer: an echo server on io_uring alone. Prints its port; with an argument, it listens on a Unix socket at that path.
 *
 * The kernel receives until further notice, into buffers that it takes from a group, and sends from the same buffers: one
 * system call for all that has come and goes. Of a connection one buffer is sent at a time, so that bytes stay in order. */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SUBMISSIONS = 1024, COMPLETIONS = 8192, BUFFERS = 256, BUFFER_SIZE = 32 * 1024, FD_MAX = 1 << 20 };
enum { ACCEPT, RECEIVE, SEND };

static struct io_uring ring;
static struct io_uring_buf_ring *group;
static char (*bytes)[BUFFER_SIZE];
static struct buffer { unsigned next, size; /* of the same connection: its number + 1, or 0 */ } buffers[BUFFERS];
static struct connection {
    unsigned first, last; /* buffers that are to be sent; the first is under way */
} connections[FD_MAX];

static struct io_uring_sqe *submit(int fd, uint64_t what) {
    struct io_uring_sqe *s = io_uring_get_sqe(&ring);
    if (s == NULL) {
        io_uring_submit(&ring);
        s = io_uring_get_sqe(&ring);
        if (s == NULL) abort();
    }
    s->user_data = what << 32 | (unsigned)fd; /* the functions that fill it in leave that */
    return s;
}

static void give_back(unsigned number) {
    io_uring_buf_ring_add(group, bytes[number], BUFFER_SIZE, (unsigned short)number, BUFFERS - 1, 0);
    io_uring_buf_ring_advance(group, 1);
}

static void receive(int fd) {
    struct io_uring_sqe *s = submit(fd, RECEIVE);
    io_uring_prep_recv_multishot(s, fd, NULL, 0, 0);
    s->flags |= IOSQE_BUFFER_SELECT;
    s->buf_group = 0;
}

static void send_first(int fd) {
    unsigned number = connections[fd].first - 1;
    io_uring_prep_send(submit(fd, SEND), fd, bytes[number], buffers[number].size, MSG_NOSIGNAL | MSG_WAITALL);
}

static void on_received(int fd, int size, unsigned flags) {
    struct connection *c = &connections[fd];
    if (size > 0) {
        unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
        buffers[number] = (struct buffer){.size = (unsigned)size};
        if (c->first) {
            buffers[c->last - 1].next = number + 1;
        } else {
            c->first = number + 1;
            send_first(fd);
        }
        c->last = number + 1;
    }
    if (size <= 0 && size != -ENOBUFS) {
        if (!c->first) close(fd);
        c->last = 0; /* closed when all is sent */
    } else if (!(flags & IORING_CQE_F_MORE)) {
        receive(fd);
    }
}

static void on_sent(int fd) {
    struct connection *c = &connections[fd];
    unsigned number = c->first - 1;
    c->first = buffers[number].next;
    give_back(number);
    if (c->first) {
        send_first(fd);
    } else if (!c->last) {
        close(fd);
    }
}

static int listen_at(const char *path) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr *address = path ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    socklen_t length = path ? sizeof un : sizeof in;
    if (path) strncpy(un.sun_path, path, sizeof un.sun_path - 1);
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (!path) { /* inherited; else a large message, which is sent in pieces, waits for acknowledgements */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    if (bind(fd, address, length) < 0 || listen(fd, 511) < 0 || getsockname(fd, address, &length) < 0) exit(1);
    if (path) {
        printf("%s\n", path);
    } else {
        printf("%d\n", ntohs(in.sin_port));
    }
    fflush(stdout);
    return fd;
}

static void open_ring(void) {
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};
    size_t size = BUFFERS * sizeof(struct io_uring_buf);
    bytes = aligned_alloc(4096, BUFFERS * sizeof *bytes);
    group = aligned_alloc(4096, size);
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)group, .ring_entries = BUFFERS};
    if (bytes == NULL || group == NULL || io_uring_queue_init_params(SUBMISSIONS, &ring, &params) < 0 ||
        io_uring_register_ring_fd(&ring) < 0 || io_uring_register_buf_ring(&ring, &registration, 0) < 0)
        exit(1);
    io_uring_buf_ring_init(group);
    for (unsigned i = 0; i < BUFFERS; i++) give_back(i);
}

int main(int argc, char **argv) {
    int listener = listen_at(argc > 1 ? argv[1] : NULL);
    open_ring();
    io_uring_prep_multishot_accept(submit(listener, ACCEPT), listener, NULL, NULL, 0);
    for (;;) {
        struct io_uring_cqe *c;
        unsigned head, n = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, c) {
            int fd = (int)(uint32_t)c->user_data;
            n++;
            switch (c->user_data >> 32) {
            case ACCEPT:
                if (c->res >= 0) {
                    connections[c->res] = (struct connection){0};
                    receive(c->res);
                }
                break;
            case RECEIVE: on_received(fd, c->res, c->flags); break;
            default: on_sent(fd);
            }
        }
        io_uring_cq_advance(&ring, n);
    }
}
