/* SPDX-License-Identifier: MIT
 *
 * Sockets for datagrams (UDP, Unix) on an io: what has come is a row of datagrams in its data.
 *
 *   descriptor --recvmmsg(2)--> scratch (held): [head, bytes, room ][head, bytes, room ]...
 *                                  |
 *                                  +--spill: some are left--> data of its own: [head, bytes][head, bytes]...
 *
 * The system tells once that a datagram was refused, to whoever makes the next call. So that is kept for the other direction,
 * where another task may wait for what will never come.
 *
 * One call takes a burst, and tells whether the socket is drained. Room that no byte lands in costs no memory.
 */
#pragma once
#include "base/address.h"
#include "loop/io.h"

typedef struct datagram {
    size_t next; /* where the one behind it begins, from the beginning of the data */
    size_t size;
    bool cut; /* it was longer than there was room for */
    address from;
    char bytes[];
} datagram;

void udp_init(io *);
/* Whether it was made one. */
bool udp_is(const io *);
/* Takes over a descriptor that was opened, or failed to be set up with this status: then it is closed. */
int udp_take_over(executor *, int fd, int status, io **);
/* A socket that is bound to the address. */
int udp_bind(executor *, const address *, bool reuseaddr, bool reuseport, io **);
/* A socket that is connected to the address. */
int udp_open(executor *, const address *, io **);
/* From now on it sends there, and receives from there only. */
int udp_connect(io *, const address *);

/* The oldest datagram that has not been consumed: 0; UV_EAGAIN, or what the system says, such as that an earlier one was
 * refused. It stays where it is until something else is received. */
int udp_receive(io *, const datagram **);
void udp_consume(io *);
/* Whether there is one that needs no system call. */
static inline bool udp_has_more(const io *o) {
    return o->start < o->end;
}
/* Sends one, to where the socket is connected if `to` is NULL: 0, UV_EAGAIN or an error. */
int udp_send(io *, const void *bytes, size_t size, const address *to);
