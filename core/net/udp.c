/* SPDX-License-Identifier: MIT
 *
 * UDP sockets: see udp.h.
 */
#include "net/udp.h"

#include "loop/system.h"
#include "loop/task.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(datagram) + EXECUTOR_SCRATCH <= EXECUTOR_DATAGRAM, "the head of a datagram does not fit");

static int connect_to(int fd, const address *a) {
    return connect(fd, (const struct sockaddr *)&a->storage, a->length) < 0 ? io_last_error() : 0;
}

/* The bytes of one with its head, so that another can stand behind it. */
static size_t space_of(const datagram *d) {
    size_t alignment = _Alignof(datagram);
    return (sizeof *d + d->size + alignment - 1) / alignment * alignment;
}

static datagram *at(const io *o, size_t place) {
    return (datagram *)(void *)(o->data + place);
}

/* Moves what is left out of the scratch. Out of memory, it is lost, and the next call says so. */
static void spill(io *o) {
    size_t total = 0, end = 0;
    for (size_t place = o->start; place < o->end; place = at(o, place)->next) {
        total += space_of(at(o, place));
    }
    char *data = total ? malloc(total) : NULL;
    for (size_t place = o->start; data && place < o->end; place = at(o, place)->next) {
        const datagram *d = at(o, place);
        datagram *copy = (datagram *)(void *)(data + end);
        memcpy(copy, d, sizeof *d + d->size);
        end += space_of(d);
        copy->next = end;
    }
    io_drop_data(o);
    if (total && !data) {
        o->end_code = UV_ENOMEM;
        o->told = 0;
    }
    o->data = data;
    o->end = o->capacity = (uint32_t)end;
}

static const io_hooks hooks = {.spill = spill};

void udp_init(io *o) {
    o->hooks = &hooks;
    o->in_turn = true;
    o->told = 0;
}

bool udp_is(const io *o) {
    return o->hooks == &hooks;
}

int udp_take_over(executor *ex, int fd, int status, io **out) {
    if (status < 0) {
        close(fd);
        return status;
    }
    status = io_open(ex, fd, out);
    if (status == 0) {
        udp_init(*out);
    }
    return status;
}

int udp_bind(executor *ex, const address *a, bool reuseaddr, bool reuseport, io **out) {
    *out = NULL;
    int fd = socket_new(a->storage.ss_family, SOCK_DGRAM);
    if (fd < 0) {
        return fd;
    }
    int status = reuseaddr ? socket_set_flag(fd, SO_REUSEADDR) : 0;
    if (status == 0 && reuseport) {
        status = socket_set_flag(fd, SO_REUSEPORT);
    }
    if (status == 0) {
        status = socket_bind(fd, a);
    }
    return udp_take_over(ex, fd, status, out);
}

int udp_open(executor *ex, const address *a, io **out) {
    *out = NULL;
    int fd = socket_new(a->storage.ss_family, SOCK_DGRAM);
    return fd < 0 ? fd : udp_take_over(ex, fd, connect_to(fd, a), out);
}

int udp_connect(io *o, const address *a) {
    o->end_code = o->send_code = 0; /* of another peer */
    return connect_to(o->fd, a);
}

static uint64_t who_runs(const io *o) {
    const task *t = o->executor->current;
    return t ? slab_id(&t->head) : 0;
}

/* The failure that is kept, unless it was this task that heard of it; it is told once. */
static int take_code(const io *o, int16_t *code) {
    int kept = o->told && o->told == who_runs(o) ? 0 : *code;
    *code = 0;
    return kept;
}

/* Whether it is the socket's, an earlier datagram's, and not that of the one that is being sent. */
static bool is_earlier(int code, const address *to) {
    switch (code) {
    case UV_ECONNREFUSED:
    case UV_EHOSTDOWN:
    case UV_ENOPROTOOPT: return !to || to->storage.ss_family != AF_UNIX;
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH: return !to;
    default: return false;
    }
}

/* What recvmmsg(2) is told: the same each time, but for the lengths of addresses. */
struct burst {
    struct mmsghdr messages[EXECUTOR_BATCH];
    struct iovec pieces[EXECUTOR_BATCH];
};

static struct burst *get_burst(executor *ex, const io *o) {
    struct burst *b = ex->scratch.burst;
    if (b || !(b = ex->scratch.burst = malloc(sizeof *b))) {
        return b;
    }
    for (int i = 0; i < EXECUTOR_BATCH; i++) {
        datagram *d = at(o, (size_t)i * EXECUTOR_DATAGRAM);
        b->pieces[i] = (struct iovec){d->bytes, EXECUTOR_SCRATCH};
        b->messages[i].msg_hdr = (struct msghdr){.msg_name = &d->from.storage,
                                                 .msg_namelen = sizeof d->from.storage,
                                                 .msg_iov = &b->pieces[i],
                                                 .msg_iovlen = 1};
    }
    return b;
}

static int receive_some(io *o) {
    io_claim_scratch(o);
    struct burst *b = get_burst(o->executor, o);
    int n = b ? (int)io_try(o, UV_READABLE, system_recvmmsg(o->fd, b->messages, EXECUTOR_BATCH, 0)) : UV_ENOMEM;
    if (n < 0) {
        io_drop_data(o);
        if (n != UV_EAGAIN && n != UV_ENOMEM) {
            o->send_code = (int16_t)n;
            o->told = who_runs(o);
        }
        return n;
    }
    if (n < EXECUTOR_BATCH) {
        o->ready &= (uint8_t)~UV_READABLE; /* drained: the next one is an event, and so is an error */
    }
    for (int i = 0; i < n; i++) {
        datagram *d = at(o, (size_t)i * EXECUTOR_DATAGRAM);
        struct msghdr *message = &b->messages[i].msg_hdr;
        d->next = (size_t)(i + 1) * EXECUTOR_DATAGRAM;
        d->size = b->messages[i].msg_len;
        o->executor->counters.bytes_in += d->size;
        d->cut = message->msg_flags & MSG_TRUNC;
        d->from.length = message->msg_namelen;
        message->msg_namelen = sizeof d->from.storage;
    }
    o->end = (uint32_t)n * EXECUTOR_DATAGRAM;
    return 0;
}

int udp_receive(io *o, const datagram **out) {
    if (!udp_has_more(o)) {
        int code = take_code(o, &o->end_code);
        if (code == 0) {
            code = o->ready & UV_READABLE ? receive_some(o) : UV_EAGAIN;
        }
        if (code < 0) {
            return code;
        }
    }
    *out = at(o, o->start);
    return 0;
}

void udp_consume(io *o) {
    o->start = (uint32_t)at(o, o->start)->next;
    if (!udp_has_more(o)) {
        io_drop_data(o);
    }
}

int udp_send(io *o, const void *bytes, size_t size, const address *to) {
    int code = take_code(o, &o->send_code);
    if (code < 0) {
        return code;
    }
    const struct sockaddr *name = to ? (const struct sockaddr *)&to->storage : NULL;
    ssize_t n = io_try(o, UV_WRITABLE, system_sendto(o->fd, bytes, size, MSG_NOSIGNAL, name, to ? to->length : 0));
    if (n >= 0) {
        o->executor->counters.bytes_out += (uint64_t)n;
        return 0;
    }
    if (is_earlier((int)n, to)) {
        o->end_code = (int16_t)n;
        o->told = who_runs(o);
        io_wake_first(o, UV_READABLE);
    }
    return (int)n;
}
