/* SPDX-License-Identifier: MIT
 *
 * Waiting for a descriptor that is somebody else's: a library's socket, say. It is never closed, nor changed.
 *
 * Each wait watches a duplicate of its own. So several tasks may wait for one descriptor, which may be one that the loop
 * watches anyway; and when its owner closes it meanwhile, its number may go to another file without confusing the loop.
 */
#pragma once
#include "task.h"

typedef struct watch {
    uv_poll_t poll;
    executor *executor;
    uint64_t waiter; /* id of the task that waits, or 0 */
    int fd;          /* the duplicate */
    int events;      /* UV_READABLE, UV_WRITABLE: that are waited for */
} watch;

/* Which of the events a system call could go on with now; an error or an end counts as each of them. UV_EBADF: there is
 * no such descriptor. UV_EPERM: it is a file or folder, for which there is nothing to wait. */
int watch_look(int fd, int events);
int watch_new(executor *, int fd, int events, watch **);
/* Parks the task until an event says to look again. Negative: it is not parked. */
int watch_wait(watch *, task *, uint64_t deadline_ms);
void watch_free(watch *);
