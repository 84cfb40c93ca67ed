/* SPDX-License-Identifier: MIT
 *
 * Unix sockets. For what they share with other sockets, see socket.h.
 */
#pragma once
#include "net/socket.h"

/* A socket file that nobody answers at any more is replaced. mode: the permissions of the file, or -1: what the umask
 * leaves of 777. */
int unix_listen(executor *, const address *, int backlog, int mode, io **);
/* Two streams that are connected to each other. */
int unix_pair(executor *, io **one, io **other);
/* The same for datagrams (udp.h). */
int unix_bind_datagram(executor *, const address *, int mode, io **);
int unix_pair_datagram(executor *, io **one, io **other);
