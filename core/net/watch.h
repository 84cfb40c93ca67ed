/* SPDX-License-Identifier: MIT
 *
 * Waiting for a descriptor that is somebody else's: a library's socket, say. It is never closed, nor changed.
 *
 * Each watch has a duplicate of the descriptor, which is an io. So several tasks may wait for one descriptor, which may be one
 * that the loop watches anyway; and when its owner closes it meanwhile, its number may go to another file without confusing
 * the wait.
 */
#pragma once
#include "loop/io.h"

/* Which of the events (UV_READABLE, UV_WRITABLE) a system call could go on with now, or 0; an error or an end counts as
 * each of them. UV_EBADF: there is no such descriptor. UV_EPERM: it is a file or folder: there is nothing to wait for. */
int watch_look(int fd, int events);
/* An io whose readers wait for these events: 0, or negative. It is closed by io_close. */
int watch_open(executor *, int fd, int events, io **);
/* From now on it is for these events, also for those who wait already: 0, or negative, and it is as it was. */
int watch_change(io *, int events);
/* Which of its events have come, or 0. */
int watch_ready(const io *);
