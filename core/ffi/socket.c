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
    return o ? (double)tcp_quiet_ms(o) / 1000 : -1;
}

int momo_refuse(executor *ex, const momo_token *listener) {
    io *o = io_get(ex, *listener);
    return o ? socket_refuse(o) : UV_EBADF;
}
