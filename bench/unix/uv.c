/* SPDX-License-Identifier: MIT
 *
 * A peer: an echo server on a Unix socket, on libuv in plain C; see momo.lua. For small messages: what can't be written
 * at once ends the connection. */
#include <stdio.h>
#include <stdlib.h>
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

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read) {
    if (size == 0) return;
    uv_buf_t bytes = uv_buf_init(read->base, (unsigned)(size > 0 ? size : 0));
    if (size < 0 || uv_try_write(stream, &bytes, 1) != size) uv_close((uv_handle_t *)stream, on_close);
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_pipe_t *pipe = status < 0 ? NULL : malloc(sizeof *pipe);
    if (pipe == NULL) return;
    uv_pipe_init(listener->loop, pipe, 0);
    if (uv_accept(listener, (uv_stream_t *)pipe) < 0 || uv_read_start((uv_stream_t *)pipe, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)pipe, on_close);
}

int main(int argc, char **argv) {
    uv_loop_t *loop = uv_default_loop();
    uv_pipe_t listener;
    uv_pipe_init(loop, &listener, 0);
    if (argc < 2 || uv_pipe_bind(&listener, argv[1]) < 0 || uv_listen((uv_stream_t *)&listener, 511, on_connection) < 0)
        return 1;
    printf("%s\n", argv[1]);
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
