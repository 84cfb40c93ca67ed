/* SPDX-License-Identifier: MIT
 *
 * The system calls that bytes take, without what the C library does around them.
 *
 * There each of them is a point where a thread can be cancelled (pthread_cancel): as soon as a process has had a second thread,
 * glibc enables asynchronous cancellation before such a call and disables it after, which takes some 50 instructions. Nobody
 * cancels a thread of ours. Results and errno are those of the functions without `system_`.
 *
 * Sanitizers look into the C library's functions, to see what the kernel reads, writes and orders: their builds call these.
 */
#pragma once
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where a long holds each argument, and the kernel's structures are the C library's. */
#if defined(__LP64__) && !defined(MOMO_SANITIZED)
#define SYSTEM_CALL(function, number, ...) syscall(number, __VA_ARGS__)
#else
#define SYSTEM_CALL(function, number, ...) (function)
#endif

static inline ssize_t system_read(int fd, void *into, size_t room) {
    return SYSTEM_CALL(read(fd, into, room), SYS_read, (long)fd, into, room);
}
static inline ssize_t system_write(int fd, const void *bytes, size_t size) {
    return SYSTEM_CALL(write(fd, bytes, size), SYS_write, (long)fd, bytes, size);
}
static inline ssize_t system_writev(int fd, const struct iovec *pieces, int count) {
    return SYSTEM_CALL(writev(fd, pieces, count), SYS_writev, (long)fd, pieces, (long)count);
}
static inline ssize_t system_recv(int fd, void *into, size_t room, int flags) {
    return SYSTEM_CALL(recv(fd, into, room, flags), SYS_recvfrom, (long)fd, into, room, (long)flags, NULL, NULL);
}
static inline ssize_t system_recvmsg(int fd, struct msghdr *message, int flags) {
    return SYSTEM_CALL(recvmsg(fd, message, flags), SYS_recvmsg, (long)fd, message, (long)flags);
}
static inline int system_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return (int)SYSTEM_CALL(recvmmsg(fd, messages, count, flags, NULL), SYS_recvmmsg, (long)fd, messages, (long)count,
                            (long)flags, NULL);
}
static inline ssize_t system_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                                    socklen_t length) {
    return SYSTEM_CALL(sendto(fd, bytes, size, flags, to, length), SYS_sendto, (long)fd, bytes, size, (long)flags, to,
                       (long)length);
}
static inline ssize_t system_send(int fd, const void *bytes, size_t size, int flags) {
    return system_sendto(fd, bytes, size, flags, NULL, 0);
}
static inline ssize_t system_sendmsg(int fd, const struct msghdr *message, int flags) {
    return SYSTEM_CALL(sendmsg(fd, message, flags), SYS_sendmsg, (long)fd, message, (long)flags);
}
static inline int system_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags) {
    return (int)SYSTEM_CALL(accept4(fd, peer, length, flags), SYS_accept4, (long)fd, peer, length, (long)flags);
}
/* Between two descriptors that have no offsets; or from one that has. */
static inline ssize_t system_splice(int from, loff_t *offset, int to, size_t size) {
    return SYSTEM_CALL(splice(from, offset, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK), SYS_splice, (long)from,
                       offset, (long)to, NULL, size, (long)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}
