/* SPDX-License-Identifier: MIT
 *
 * A peer: an HTTP server on libuv in plain C, see momo.lua. It reads as little of a request as epoll.c does: the end of the
 * head, and the path. Answers of pipelined requests leave together; a file is read whole, and sent with its head. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BUFFER = 64 * 1024, UPLOAD = 64 * 1024, LARGE = 1024 * 1024, HEAD_MAX = 256 };

struct connection {
    uv_tcp_t tcp;           /* first: they have one address */
    char *head;             /* the part of a head that came */
    size_t head_size, skip; /* the upload is answered when nothing is left to skip */
};

/* Bytes on their way, which are its own but where they last as long as the program. */
struct sending {
    uv_write_t request; /* first */
    char bytes[];
};

static char input[2 * BUFFER], output[BUFFER], body[LARGE];
static size_t output_size;
static const char *folder;

static void on_close(uv_handle_t *handle) {
    free(((struct connection *)handle)->head);
    free(handle);
}

static void end(struct connection *c) {
    if (!uv_is_closing((uv_handle_t *)c)) uv_close((uv_handle_t *)c, on_close);
}

static void on_write(uv_write_t *request, int status) {
    (void)status; /* the next read tells */
    free(request);
}

static struct sending *make_sending(size_t size) {
    struct sending *sending = malloc(sizeof *sending + size);
    if (sending == NULL) abort();
    return sending;
}

static void start_sending(struct connection *c, struct sending *sending, const char *bytes, size_t size) {
    uv_buf_t all = uv_buf_init((char *)bytes, (unsigned)size);
    if (uv_write(&sending->request, (uv_stream_t *)c, &all, 1, on_write) < 0) free(sending);
}

/* Writes what was put together; what can't be written at once is copied and queued. */
static void flush(struct connection *c) {
    uv_buf_t all = uv_buf_init(output, (unsigned)output_size);
    int written = output_size ? uv_try_write((uv_stream_t *)c, &all, 1) : 0;
    size_t left = output_size - (size_t)(written > 0 ? written : 0);
    if (left) {
        struct sending *sending = make_sending(left);
        memcpy(sending->bytes, output + output_size - left, left);
        start_sending(c, sending, sending->bytes, left);
    }
    output_size = 0;
}

static size_t format_head(char *to, const char *type, size_t length) {
    return (size_t)sprintf(to,
                           "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: %s\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           type, length);
}

static void put(const char *type, const char *bytes, size_t n) {
    output_size += format_head(output + output_size, type, n);
    memcpy(output + output_size, bytes, n);
    output_size += n;
}

static void send_large(struct connection *c) {
    output_size += format_head(output + output_size, "text/plain", LARGE);
    flush(c);
    start_sending(c, make_sending(0), body, LARGE);
}

static void send_file(struct connection *c, const char *name, size_t n) {
    char path[256];
    uv_fs_t call;
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)n, name);
    int file = uv_fs_open(NULL, &call, path, O_RDONLY | O_CLOEXEC, 0, NULL);
    uv_fs_req_cleanup(&call);
    if (file < 0 || uv_fs_fstat(NULL, &call, file, NULL) < 0) exit(1);
    size_t size = (size_t)call.statbuf.st_size;
    uv_fs_req_cleanup(&call);
    struct sending *sending = make_sending(HEAD_MAX + size);
    size_t head = format_head(sending->bytes, "application/octet-stream", size);
    uv_buf_t rest = uv_buf_init(sending->bytes + head, (unsigned)size);
    if (uv_fs_read(NULL, &call, file, &rest, 1, 0, NULL) != (int)size) exit(1);
    uv_fs_req_cleanup(&call);
    uv_fs_close(NULL, &call, file, NULL);
    uv_fs_req_cleanup(&call);
    flush(c);
    start_sending(c, sending, sending->bytes, head + size);
}

static void answer(struct connection *c, const char *head) {
    const char *path = strchr(head, ' ') + 1;
    if (output_size > BUFFER / 2) flush(c);
    if (memcmp(path, "/json ", 6) == 0) {
        put("application/json", "{\"message\":\"Hello, world!\"}", 27);
    } else if (memcmp(path, "/1k ", 4) == 0) {
        put("text/plain", body, 1024);
    } else if (memcmp(path, "/1m ", 4) == 0) {
        send_large(c);
    } else if (memcmp(path, "/upload ", 8) == 0) {
        c->skip = UPLOAD;
    } else if (memcmp(path, "/static/", 8) == 0) {
        send_file(c, path + 8, strcspn(path + 8, " "));
    } else if (memcmp(path, "/websocket ", 11) == 0) {
        output_size += (size_t)sprintf(output + output_size, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    } else {
        put("text/plain", "Hello, world!\n", 14);
    }
}

static void keep(struct connection *c, const char *bytes, size_t n) {
    free(c->head);
    c->head = n ? malloc(n) : NULL;
    if (n) memcpy(c->head, bytes, n);
    c->head_size = n;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    struct connection *c = (struct connection *)handle;
    (void)suggested;
    if (c->head_size) memcpy(input, c->head, c->head_size);
    *out = uv_buf_init(input + c->head_size, BUFFER);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *read) {
    struct connection *c = (struct connection *)stream;
    (void)read; /* behind the head that was kept */
    if (got < 0) end(c);
    if (got <= 0) return;
    char *p = input, *stop = input + c->head_size + got, *blank;
    while (p < stop) {
        if (c->skip) {
            size_t some = c->skip < (size_t)(stop - p) ? c->skip : (size_t)(stop - p);
            p += some;
            c->skip -= some;
            if (!c->skip) put("text/plain", "65536\n", 6);
            continue;
        }
        if (!(blank = memmem(p, (size_t)(stop - p), "\r\n\r\n", 4))) break;
        answer(c, p);
        p = blank + 4;
    }
    if (stop - p > BUFFER) {
        end(c); /* no head is as long as that */
        return;
    }
    keep(c, p, (size_t)(stop - p));
    flush(c);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct connection *c = status < 0 ? NULL : calloc(1, sizeof *c);
    if (c == NULL) return;
    uv_tcp_init(listener->loop, &c->tcp);
    if (uv_accept(listener, (uv_stream_t *)c) < 0 || uv_read_start((uv_stream_t *)c, on_alloc, on_read) < 0) end(c);
}

int main(int argc, char **argv) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    if (argc < 3) return 2;
    folder = argv[1];
    memset(body, 'x', sizeof body);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 511, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length) < 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
