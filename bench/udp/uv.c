/* SPDX-License-Identifier: MIT
 *
 * A peer: a UDP echo server on libuv in plain C; with an argument, it receives by recvmmsg(2). Prints its port. */
#include <stdio.h>
#include <uv.h>

enum { LARGEST = 64 * 1024, BATCH = 16 };

static char buffer[LARGEST * BATCH];

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    *out = uv_buf_init(buffer, uv_udp_using_recvmmsg((uv_udp_t *)handle) ? sizeof buffer : LARGEST);
}

static void on_receive(uv_udp_t *socket, ssize_t size, const uv_buf_t *data, const struct sockaddr *from,
                       unsigned flags) {
    (void)flags;
    if (size < 0 || from == NULL) return;
    uv_buf_t echo = uv_buf_init(data->base, (unsigned)size);
    uv_udp_try_send(socket, &echo, 1, from); /* one that can't be sent is one that got lost */
}

int main(int argc, char **argv) {
    (void)argv;
    uv_loop_t *loop = uv_default_loop();
    uv_udp_t socket;
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_udp_init_ex(loop, &socket, AF_INET | (argc > 1 ? UV_UDP_RECVMMSG : 0)) < 0 ||
        uv_udp_bind(&socket, (struct sockaddr *)&address, 0) < 0 ||
        uv_udp_getsockname(&socket, (struct sockaddr *)&address, &length) < 0 ||
        uv_udp_recv_start(&socket, on_alloc, on_receive) < 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
