/* SPDX-License-Identifier: MIT
 *
 * A peer: an HTTP server on epoll alone, see momo.lua. It looks for the end of a head and at the path, and trusts the client in
 * all else: what the machine takes. Answers of pipelined requests leave together. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 1024, FD_MAX = 1 << 16, BUFFER = 64 * 1024, UPLOAD = 64 * 1024, LARGE = 1024 * 1024 };

/* What a connection still has to do: a part of a head, a body to skip, an answer to go on with. */
static struct connection {
    char *head;
    size_t head_size, skip; /* the upload is answered when nothing is left to skip */
    const char *rest;       /* of an answer from memory, or */
    int file;               /* a file to be sent; 0: none */
    size_t left;
} connections[FD_MAX];

static char input[2 * BUFFER], output[BUFFER], body[LARGE];
static size_t output_size;
static const char *folder;

static void watch(int poll, int fd, int operation, uint32_t what) {
    struct epoll_event event = {.events = what, .data.fd = fd};
    if (epoll_ctl(poll, operation, fd, &event) < 0) close(fd);
}

static void end(int fd) {
    struct connection *c = &connections[fd];
    free(c->head);
    if (c->file) close(c->file);
    memset(c, 0, sizeof *c);
    close(fd);
}

static void put(const char *type, const char *bytes, size_t n, size_t length) {
    output_size += (size_t)sprintf(output + output_size,
                                   "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: %s\r\n"
                                   "Content-Length: %zu\r\n\r\n",
                                   type, length);
    memcpy(output + output_size, bytes, n);
    output_size += n;
}

/* Sends what there is; false: it has to wait, or the connection has ended. */
static bool flush(int poll, int fd) {
    struct connection *c = &connections[fd];
    while (c->left) {
        ssize_t n = c->file ? sendfile(fd, c->file, NULL, c->left) : send(fd, c->rest, c->left, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(poll, fd, EPOLL_CTL_MOD, EPOLLOUT); /* nothing more is read before it is gone */
            return false;
        }
        if (n <= 0) {
            end(fd);
            return false;
        }
        c->left -= (size_t)n;
        c->rest = c->file ? NULL : c->rest + n;
    }
    if (c->file) close(c->file);
    c->file = 0;
    return true;
}

static void send_file(struct connection *c, const char *name, size_t n) {
    char path[256];
    struct stat about;
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)n, name);
    c->file = open(path, O_RDONLY | O_CLOEXEC);
    if (c->file < 0 || fstat(c->file, &about) < 0) exit(1);
    c->left = (size_t)about.st_size;
    put("application/octet-stream", "", 0, c->left);
}

static void answer(struct connection *c, const char *head) {
    const char *path = strchr(head, ' ') + 1;
    if (memcmp(path, "/json ", 6) == 0) {
        put("application/json", "{\"message\":\"Hello, world!\"}", 27, 27);
    } else if (memcmp(path, "/1k ", 4) == 0) {
        put("text/plain", body, 1024, 1024);
    } else if (memcmp(path, "/1m ", 4) == 0) {
        put("text/plain", "", 0, LARGE);
        c->rest = body;
        c->left = LARGE;
    } else if (memcmp(path, "/upload ", 8) == 0) {
        c->skip = UPLOAD;
    } else if (memcmp(path, "/static/", 8) == 0) {
        send_file(c, path + 8, strcspn(path + 8, " "));
    } else if (memcmp(path, "/websocket ", 11) == 0) {
        output_size = (size_t)sprintf(output, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    } else {
        put("text/plain", "Hello, world!\n", 14, 14);
    }
}

static void keep(struct connection *c, const char *bytes, size_t n) {
    free(c->head);
    c->head = n ? malloc(n) : NULL;
    if (n) memcpy(c->head, bytes, n);
    c->head_size = n;
}

static void on_readable(int poll, int fd) {
    struct connection *c = &connections[fd];
    size_t n = c->head_size;
    if (n) memcpy(input, c->head, n);
    ssize_t got = recv(fd, input + n, BUFFER, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) end(fd);
        return;
    }
    char *p = input, *stop = input + n + got, *blank;
    output_size = 0;
    while (p < stop) {
        if (c->skip) {
            size_t some = c->skip < (size_t)(stop - p) ? c->skip : (size_t)(stop - p);
            p += some;
            c->skip -= some;
            if (!c->skip) put("text/plain", "65536\n", 6, 6);
            continue;
        }
        if (!(blank = memmem(p, (size_t)(stop - p), "\r\n\r\n", 4))) break;
        answer(c, p);
        p = blank + 4;
    }
    keep(c, p, (size_t)(stop - p));
    if (output_size && send(fd, output, output_size, MSG_NOSIGNAL | (c->left ? MSG_MORE : 0)) < 0) {
        end(fd);
        return;
    }
    if (c->left) flush(poll, fd);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    if (argc < 3) return 2;
    folder = argv[1];
    memset(body, 'x', sizeof body);
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
            } else if (connections[fd].left == 0) {
                on_readable(poll, fd);
            } else if (flush(poll, fd)) {
                watch(poll, fd, EPOLL_CTL_MOD, EPOLLIN);
            }
        }
    }
}
