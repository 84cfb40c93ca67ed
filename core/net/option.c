/* SPDX-License-Identifier: MIT
 *
 * The options of sockets: see option.h.
 */
#include "net/option.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static const struct option {
    const char *name;
    int level, number;
    int kind;  /* enum momo_option_kind */
    int units; /* that the system counts a second; else 1 */
} options[] = {
    {"so_broadcast", SOL_SOCKET, SO_BROADCAST, MOMO_FLAG, 1},
    {"so_keepalive", SOL_SOCKET, SO_KEEPALIVE, MOMO_FLAG, 1},
    {"so_reuseaddr", SOL_SOCKET, SO_REUSEADDR, MOMO_FLAG, 1},
    {"so_reuseport", SOL_SOCKET, SO_REUSEPORT, MOMO_FLAG, 1},
    {"so_rcvbuf", SOL_SOCKET, SO_RCVBUF, MOMO_COUNT, 1},
    {"so_sndbuf", SOL_SOCKET, SO_SNDBUF, MOMO_COUNT, 1},
    {"so_rcvlowat", SOL_SOCKET, SO_RCVLOWAT, MOMO_COUNT, 1},
    {"so_priority", SOL_SOCKET, SO_PRIORITY, MOMO_COUNT, 1},
    {"so_mark", SOL_SOCKET, SO_MARK, MOMO_COUNT, 1},
    {"so_busy_poll", SOL_SOCKET, SO_BUSY_POLL, MOMO_COUNT, 1},
    {"so_incoming_cpu", SOL_SOCKET, SO_INCOMING_CPU, MOMO_COUNT, 1},
    {"so_linger", SOL_SOCKET, SO_LINGER, MOMO_SECONDS_OR_OFF, 1},
    {"so_bindtodevice", SOL_SOCKET, SO_BINDTODEVICE, MOMO_TEXT, 1},
    {"tcp_nodelay", IPPROTO_TCP, TCP_NODELAY, MOMO_FLAG, 1},
    {"tcp_cork", IPPROTO_TCP, TCP_CORK, MOMO_FLAG, 1},
    {"tcp_quickack", IPPROTO_TCP, TCP_QUICKACK, MOMO_FLAG, 1},
    {"tcp_keepidle", IPPROTO_TCP, TCP_KEEPIDLE, MOMO_SECONDS, 1},
    {"tcp_keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, MOMO_SECONDS, 1},
    {"tcp_keepcnt", IPPROTO_TCP, TCP_KEEPCNT, MOMO_COUNT, 1},
    {"tcp_user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, MOMO_SECONDS, 1000},
    {"tcp_defer_accept", IPPROTO_TCP, TCP_DEFER_ACCEPT, MOMO_SECONDS, 1},
    {"tcp_linger2", IPPROTO_TCP, TCP_LINGER2, MOMO_SECONDS, 1},
    {"tcp_fastopen", IPPROTO_TCP, TCP_FASTOPEN, MOMO_COUNT, 1},
    {"tcp_syncnt", IPPROTO_TCP, TCP_SYNCNT, MOMO_COUNT, 1},
    {"tcp_maxseg", IPPROTO_TCP, TCP_MAXSEG, MOMO_COUNT, 1},
    {"tcp_window_clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP, MOMO_COUNT, 1},
    {"tcp_notsent_lowat", IPPROTO_TCP, TCP_NOTSENT_LOWAT, MOMO_COUNT, 1},
    {"tcp_congestion", IPPROTO_TCP, TCP_CONGESTION, MOMO_TEXT, 1},
    {"ip_tos", IPPROTO_IP, IP_TOS, MOMO_COUNT, 1},
    {"ip_ttl", IPPROTO_IP, IP_TTL, MOMO_COUNT, 1},
    {"ip_freebind", IPPROTO_IP, IP_FREEBIND, MOMO_FLAG, 1},
    {"ip_transparent", IPPROTO_IP, IP_TRANSPARENT, MOMO_FLAG, 1},
    {"ipv6_v6only", IPPROTO_IPV6, IPV6_V6ONLY, MOMO_FLAG, 1},
    {"ipv6_tclass", IPPROTO_IPV6, IPV6_TCLASS, MOMO_COUNT, 1},
    {"ipv6_unicast_hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, MOMO_COUNT, 1},
    {"close_on_exec", -1, FD_CLOEXEC, MOMO_FLAG, 1}, /* a flag of the descriptor: see fcntl(2) */
};

const char *option_name(int i, int *kind) {
    if (i < 0 || (size_t)i >= sizeof options / sizeof *options) {
        return NULL;
    }
    *kind = options[i].kind;
    return options[i].name;
}

int option_set(io *o, int i, double value, const char *text) {
    const struct option *option = &options[i];
    if (option->level < 0) {
        o->shared |= value == 0;
        return fcntl(o->fd, F_SETFD, value != 0 ? FD_CLOEXEC : 0) < 0 ? io_last_error() : 0;
    }
    int number = 0;
    struct linger linger = {0, 0};
    const void *data = &number;
    socklen_t size = sizeof number;
    if (option->kind == MOMO_TEXT) {
        data = text;
        size = (socklen_t)strlen(text);
    } else {
        double scaled = ceil(value * option->units); /* no time is shorter than was asked for */
        if (!(scaled >= INT_MIN && scaled <= INT_MAX)) {
            return UV_EINVAL;
        }
        number = (int)scaled;
    }
    if (option->kind == MOMO_SECONDS_OR_OFF) {
        linger = (struct linger){number >= 0, number >= 0 ? number : 0};
        data = &linger;
        size = sizeof linger;
    }
    if (setsockopt(o->fd, option->level, option->number, data, size) < 0) {
        return io_last_error();
    }
    if (option->kind == MOMO_SECONDS_OR_OFF) {
        o->resets = linger.l_onoff && linger.l_linger == 0;
    }
    return 0;
}

int option_get(const io *o, int i, double *value, char *text, size_t size) {
    const struct option *option = &options[i];
    if (option->level < 0) {
        int flags = fcntl(o->fd, F_GETFD);
        *value = flags & option->number;
        return flags < 0 ? io_last_error() : 0;
    }
    int number = 0;
    struct linger linger = {0, 0};
    bool lingers = option->kind == MOMO_SECONDS_OR_OFF, is_text = option->kind == MOMO_TEXT;
    void *data = is_text ? (void *)text : lingers ? (void *)&linger : &number;
    socklen_t length = is_text ? (socklen_t)size : lingers ? sizeof linger : sizeof number;
    if (getsockopt(o->fd, option->level, option->number, data, &length) < 0) {
        return io_last_error();
    }
    if (is_text) {
        return (int)strnlen(text, length);
    }
    number = !lingers ? number : linger.l_onoff ? linger.l_linger : -1;
    *value = (double)number / option->units;
    return 0;
}
