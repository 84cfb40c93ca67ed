/* SPDX-License-Identifier: MIT
 *
 * Sockets of any family: what TCP and Unix sockets share, and some of it UDP sockets too.
 */
#pragma once
#include "base/address.h"
#include "net/stream.h"

/* A descriptor of this type (SOCK_STREAM, SOCK_DGRAM), or a code. */
int socket_new(int family, int type);
/* Sets an option of SOL_SOCKET that is a flag. */
int socket_set_flag(int fd, int name);
int socket_bind(int fd, const address *);
/* A bound socket becomes a listener; its descriptor is closed when this fails. */
int socket_listen(executor *, int fd, int backlog, io **);
/* Takes the next connection from the queue: 0, and its peer; UV_EAGAIN: there is none now. It stays with the listener until
 * somebody gets it, so that it is not lost when something fails in between. */
int socket_accept(io *listener, address *peer);
/* Gives it to the caller; NULL: the listener was closed meanwhile, and the connection with it. */
io *socket_get_accepted(io *listener);
/* Nobody else gets into a listener's queue; those who are there can still be accepted. UV_EPERM: another process may have the
 * listener, too. */
int socket_refuse(io *listener);
/* A socket whose connect(2) is under way: it is writable when that has ended. from: its own address; NULL: what the system
 * chooses. UV_EAGAIN: a Unix listener's queue is full, and nothing tells when it no longer is. UV_EAFNOSUPPORT: `from` is of
 * another family. */
int socket_connect(executor *, const address *, const address *from, io **);
/* How a connect(2) ended: 0, UV_EAGAIN while it goes on, or its error. */
int socket_connected(io *);

/* What a descriptor is, in words such as "a TCP listener" (SOCKET_*); NULL: none, or no socket: see errno. */
#define SOCKET_TCP_LISTENER "a TCP listener"
#define SOCKET_TCP_STREAM "a TCP stream"
#define SOCKET_UNIX_LISTENER "a Unix listener"
#define SOCKET_UNIX_STREAM "a Unix stream"
const char *socket_kind(int fd);
/* Takes over a socket that was made elsewhere: a stream, or a listener. UV_EBUSY: it is open here already. Only when the
 * descriptor was taken over is it closed when this fails. */
int socket_adopt(executor *, int fd, io **);

/* As text, terminated, of at most `size` bytes: its length, or negative. */
int socket_local_address(const io *, char *text, size_t size);
int socket_peer_address(const io *, char *text, size_t size);
