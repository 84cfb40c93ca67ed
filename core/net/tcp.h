/* SPDX-License-Identifier: MIT
 *
 * TCP listeners. For what TCP shares with other sockets, see socket.h.
 */
#pragma once
#include "net/socket.h"

int tcp_listen(executor *, const address *, int backlog, bool reuseport, io **);
/* Who in this process listens on the address's port, if anyone does. */
enum listens { LISTENS_NOBODY, LISTENS_HERE, LISTENS_OTHER };
enum listens tcp_listens(const executor *, const address *);
/* Milliseconds since bytes came or went; or a code, where the system does not tell. */
int64_t tcp_quiet_ms(const io *);
