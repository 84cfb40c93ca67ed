/* SPDX-License-Identifier: MIT
 *
 * The FFI API of multicast: see net/multicast.h.
 */
#include "net/multicast.h"

int momo_set_multicast_member(executor *ex, const momo_token *token, const char *group, const char *interface,
                              int join) {
    const io *o = io_get(ex, *token);
    return o ? multicast_set_member(o, group, interface, join) : UV_EBADF;
}

int momo_set_multicast_ttl(executor *ex, const momo_token *token, int hops) {
    const io *o = io_get(ex, *token);
    return o ? multicast_set_ttl(o, hops) : UV_EBADF;
}

int momo_set_multicast_loop(executor *ex, const momo_token *token, int on) {
    const io *o = io_get(ex, *token);
    return o ? multicast_set_loop(o, on) : UV_EBADF;
}

int momo_set_multicast_interface(executor *ex, const momo_token *token, const char *interface) {
    const io *o = io_get(ex, *token);
    return o ? multicast_set_interface(o, interface) : UV_EBADF;
}
