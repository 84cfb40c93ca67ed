/* SPDX-License-Identifier: MIT
 *
 * A peer: a TCP proxy that splices, on epoll alone; see momo.lua. What comes from an end waits in that end's pipe until the
 * other end takes it; nothing more is read before it has. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, MOST = 1 << 16 };

struct end {
    struct end *other;
    int fd, pipe[2]; /* fd is -1 when the pair has ended; it is not freed, as an event may still name it */
    size_t inside;   /* the pipe */
    bool ended;      /* nothing more comes */
    uint32_t watched;
};

static int poll;

static void move(struct end *e) {
    ssize_t n = 1;
    if (e->inside == 0 && !e->ended) {
        n = splice(e->fd, NULL, e->pipe[1], NULL, MOST, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0) e->inside = (size_t)n;
    }
    if (e->inside > 0) {
        n = splice(e->pipe[0], NULL, e->other->fd, NULL, e->inside, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0) e->inside -= (size_t)n;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        e->ended = true;
        e->inside = 0;
        shutdown(e->other->fd, SHUT_WR);
    }
}

static void watch(struct end *e, int operation) {
    uint32_t wanted = (e->inside == 0 && !e->ended ? EPOLLIN : 0u) | (e->other->inside > 0 ? EPOLLOUT : 0u);
    struct epoll_event event = {.events = wanted, .data.ptr = e};
    if (operation == EPOLL_CTL_MOD && wanted == e->watched) return;
    e->watched = wanted;
    if (epoll_ctl(poll, operation, e->fd, &event) < 0) abort();
}

static void end(struct end *e) {
    close(e->fd);
    close(e->pipe[0]);
    close(e->pipe[1]);
    e->fd = -1;
}

static void on_event(struct end *e, uint32_t events) {
    if (events & EPOLLIN) move(e);
    if (events & EPOLLOUT) move(e->other);
    if (events & (EPOLLHUP | EPOLLERR) || (e->ended && e->other->ended)) {
        end(e->other);
        end(e);
    } else {
        watch(e, EPOLL_CTL_MOD);
        watch(e->other, EPOLL_CTL_MOD);
    }
}

static void begin(int client, const struct sockaddr_in *upstream) {
    struct end *ends = calloc(2, sizeof *ends);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (ends == NULL || server < 0 || connect(server, (const struct sockaddr *)upstream, sizeof *upstream) < 0) abort();
    ends[0].fd = client;
    ends[1].fd = server;
    for (int i = 0, on = 1; i < 2; i++) {
        ends[i].other = &ends[1 - i];
        setsockopt(ends[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(ends[i].fd, F_SETFL, O_NONBLOCK);
        if (pipe2(ends[i].pipe, O_NONBLOCK) < 0) abort();
        watch(&ends[i], EPOLL_CTL_ADD);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, upstream = address;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    poll = epoll_create1(0);
    if (argc < 2 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 511) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        return 1;
    upstream.sin_port = htons((uint16_t)atoi(argv[1]));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, -1), client;
        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;
            if (e != NULL && e->fd >= 0) {
                on_event(e, events[i].events);
            } else if (e == NULL) {
                while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) begin(client, &upstream);
            }
        }
    }
}
