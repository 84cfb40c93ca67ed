/* SPDX-License-Identifier: MIT
 *
 * The FFI API of sockets, their addresses and listeners: see net/socket.h.
 */
#include "net/socket.h"
#include "net/tcp.h"

int momo_local_address(executor *ex, const momo_token *token, char *text, size_t size) {
    const io *o = io_get(ex, *token);
    return o ? socket_local_address(o, text, size) : UV_EBADF;
}

int momo_peer_address(executor *ex, const momo_token *token, char *text, size_t size) {
    const io *o = io_get(ex, *token);
    return o ? socket_peer_address(o, text, size) : UV_EBADF;
}

double momo_quiet(executor *ex, const momo_token *token) {
    const io *o = io_get(ex, *token);
    if (!o) {
        return -1;
    }
    int64_t quiet_ms = tcp_quiet_ms(o);
    if (quiet_ms < 0) {
        const task *reader = task_get(ex, o->reader);
        quiet_ms = reader ? (int64_t)(executor_now_ms(ex) - task_since_ms(reader)) : -1000;
    }
    return (double)quiet_ms / 1000;
}

int momo_refuse(executor *ex, const momo_token *listener) {
    io *o = io_get(ex, *listener);
    return o ? socket_refuse(o) : UV_EBADF;
}
