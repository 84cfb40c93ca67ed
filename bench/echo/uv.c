/* SPDX-License-Identifier: MIT
 *
 * A peer: an echo server on libuv in plain C. Prints its port. One buffer for all reads, and no allocation a request:
 * what can't be written at once is copied and queued, which echoes of small messages do not come to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char buffer[64 * 1024];

static void on_close(uv_handle_t *handle) {
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void on_write(uv_write_t *request, int status) {
    (void)status;
    free(request);
}

static void write_later(uv_stream_t *stream, const char *bytes, size_t size) {
    uv_write_t *request = malloc(sizeof *request + size);
    if (request == NULL) abort();
    uv_buf_t rest = uv_buf_init((char *)(request + 1), (unsigned)size);
    memcpy(rest.base, bytes, size);
    if (uv_write(request, stream, &rest, 1, on_write) < 0) free(request);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read) {
    if (size == 0) return;
    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    uv_buf_t bytes = uv_buf_init(read->base, (unsigned)size);
    int written = uv_try_write(stream, &bytes, 1);
    if (written < 0 && written != UV_EAGAIN) return; /* the next read tells */
    if (written < 0) written = 0;
    if (written < size) write_later(stream, bytes.base + written, (size_t)(size - written));
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *tcp = status < 0 ? NULL : malloc(sizeof *tcp);
    if (tcp == NULL) return;
    uv_tcp_init(listener->loop, tcp);
    if (uv_accept(listener, (uv_stream_t *)tcp) < 0 || uv_read_start((uv_stream_t *)tcp, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)tcp, on_close);
}

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
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
