/* SPDX-License-Identifier: MIT
 *
 * Changes of files and folders, as inotify(7) tells them. Its descriptor is watched by the loop, and keeps no run alive.
 */
#pragma once
#include "loop/io.h"

typedef struct notify {
    io_hooks hooks; /* of its io, which finds the watcher by them */
    executor *executor;
    momo_token token;                   /* dead once it was closed, or the run has ended */
    void (*on_change)(struct notify *); /* there is something to read, or it was closed; NULL: nobody asks */
    void *user;
} notify;

/* 0, and *out is owned until notify_close; or negative. */
int notify_open(executor *, notify **out);
void notify_close(notify *);
/* Watches a path: a number that its events bear; or negative. */
int notify_add(const notify *, const char *path);
/* Reads events, as inotify(7) has them: bytes; UV_EAGAIN: there are none; UV_EBADF: it is closed. */
ssize_t notify_read(const notify *, void *events, size_t size);
