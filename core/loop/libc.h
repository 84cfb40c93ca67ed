/* SPDX-License-Identifier: MIT
 *
 * Functions that glibc has and other C libraries lack, musl above all.
 */
#pragma once
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* of preadv2: what is not in memory is not waited for */
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Such as "ENOENT", or NULL. */
const char *libc_error_name(int number);
/* Such as "No such file or directory", or NULL. */
const char *libc_error_text(int number);
/* Such as "HUP", or NULL. */
const char *libc_signal_name(int number);
/* Starts a thread that may run on these CPUs. Returns 0 or an error number. */
int libc_start_thread(pthread_t *, const cpu_set_t *, void *(*)(void *), void *);
ssize_t libc_preadv2(int fd, const struct iovec *, int n, off_t offset, int flags);
