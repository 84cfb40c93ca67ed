/* SPDX-License-Identifier: MIT
 *
 * TCP sockets.
 */
#pragma once
#include "address.h"
#include "stream.h"

/* A listening socket. */
int tcp_listen(executor *, const address *, int backlog, bool reuseport, io **);
/* Who in this process listens on the address's port, if anyone does. */
enum listens { LISTENS_NOBODY, LISTENS_HERE, LISTENS_OTHER };
enum listens tcp_listens(const executor *, const address *);
/* The next connection and its peer; UV_EAGAIN: there is none now. */
int tcp_accept(io *listener, io **, address *peer);
/* A socket whose connect(2) is under way: it is writable when that has ended. */
int tcp_connect(executor *, const address *, io **);
/* How a connect(2) ended: 0, UV_EAGAIN while it goes on, or its error. */
int tcp_connected(io *);
