/* SPDX-License-Identifier: MIT
 *
 * A peer: an echo server on epoll alone. Prints its port. What can't be written at once is kept; nothing more is read
 * before it is gone. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, FD_MAX = 1 << 20 };

static struct rest {
    char *bytes; /* NULL: nothing is left to write */
    size_t size, written;
} rests[FD_MAX];

static char buffer[64 * 1024];

static void watch(int poll, int fd, int operation, uint32_t what) {
    struct epoll_event event = {.events = what, .data.fd = fd};
    if (epoll_ctl(poll, operation, fd, &event) < 0) close(fd);
}

static void end(int fd) {
    free(rests[fd].bytes);
    rests[fd].bytes = NULL;
    close(fd);
}

static void on_readable(int poll, int fd) {
    ssize_t size = read(fd, buffer, sizeof buffer);
    ssize_t written = size > 0 ? write(fd, buffer, (size_t)size) : -1;
    if (written == size) return;
    if (size <= 0 || (written < 0 && errno != EAGAIN)) {
        end(fd);
        return;
    }
    if (written < 0) written = 0;
    struct rest *rest = &rests[fd];
    rest->bytes = malloc((size_t)(size - written));
    if (rest->bytes == NULL) abort();
    memcpy(rest->bytes, buffer + written, (size_t)(size - written));
    rest->size = (size_t)(size - written);
    rest->written = 0;
    watch(poll, fd, EPOLL_CTL_MOD, EPOLLOUT);
}

static void on_writable(int poll, int fd) {
    struct rest *rest = &rests[fd];
    ssize_t written = write(fd, rest->bytes + rest->written, rest->size - rest->written);
    if (written < 0) {
        end(fd);
        return;
    }
    rest->written += (size_t)written;
    if (rest->written < rest->size) return;
    free(rest->bytes);
    rest->bytes = NULL;
    watch(poll, fd, EPOLL_CTL_MOD, EPOLLIN);
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 511) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    watch(poll, listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    watch(poll, fd, EPOLL_CTL_ADD, EPOLLIN);
                }
            } else if (rests[fd].bytes != NULL) {
                on_writable(poll, fd);
            } else {
                on_readable(poll, fd);
            }
        }
    }
}
