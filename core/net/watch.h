/* SPDX-License-Identifier: MIT
 *
 * Waiting for a descriptor that is somebody else's: a library's socket, say. It is never closed, nor changed.
 *
 * Each wait has an epoll of its own, in which a duplicate of the descriptor stands alone, and which the loop watches as it does
 * any other. So several tasks may wait for one descriptor, which may be one that the loop watches anyway; and when its owner
 * closes it meanwhile, its number may go to another file without confusing the wait.
 */
#pragma once
#include "loop/io.h"

/* Which of the events (UV_READABLE, UV_WRITABLE) a system call could go on with now, or 0; an error or an end counts as
 * each of them. UV_EBADF: there is no such descriptor. UV_EPERM: it is a file or folder: there is nothing to wait for. */
int watch_look(int fd, int events);
typedef struct watch {
    momo_token token; /* of its epoll: readable once an event has come */
    int fd;           /* the duplicate, or -1 */
    int events;
} watch;

/* 0, or negative: the watch is closed. */
int watch_open(watch *, executor *, int fd, int events);
void watch_close(watch *, executor *);
/* Which of the events have come, or 0. */
int watch_ready(const watch *, const io *);
