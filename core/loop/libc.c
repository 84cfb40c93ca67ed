/* SPDX-License-Identifier: MIT
 *
 * By glibc, where that is the C library; else by hand.
 */
#include "loop/libc.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__

const char *libc_error_name(int number) {
    return strerrorname_np(number);
}

const char *libc_error_text(int number) {
    return strerrordesc_np(number);
}

const char *libc_signal_name(int number) {
    return sigabbrev_np(number);
}

int libc_start_thread(pthread_t *thread, const cpu_set_t *cpus, void *(*fn)(void *), void *arg) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_setaffinity_np(&attributes, sizeof *cpus, cpus);
        if (error == 0) {
            error = pthread_create(thread, &attributes, fn, arg);
        }
        pthread_attr_destroy(&attributes);
    }
    return error;
}

ssize_t libc_preadv2(int fd, const struct iovec *pieces, int n, off_t offset, int flags) {
    return preadv2(fd, pieces, n, offset, flags);
}

#else

const char *libc_error_name(int number) {
    (void)number; /* libuv names all that a program meets */
    return NULL;
}

const char *libc_error_text(int number) {
    (void)number;
    return NULL;
}

const char *libc_signal_name(int number) {
    static const struct {
        int number;
        const char *name;
    } signals[] = {
        {SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"},   {SIGILL, "ILL"},       {SIGTRAP, "TRAP"},
        {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},     {SIGKILL, "KILL"},     {SIGUSR1, "USR1"},
        {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"},   {SIGALRM, "ALRM"},     {SIGTERM, "TERM"},
        {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"}, {SIGSTOP, "STOP"},   {SIGTSTP, "TSTP"},     {SIGTTIN, "TTIN"},
        {SIGTTOU, "TTOU"}, {SIGURG, "URG"},   {SIGXCPU, "XCPU"},   {SIGXFSZ, "XFSZ"},     {SIGVTALRM, "VTALRM"},
        {SIGPROF, "PROF"}, {SIGIO, "IO"},     {SIGWINCH, "WINCH"}, {SIGSTKFLT, "STKFLT"}, {SIGPWR, "PWR"},
        {SIGSYS, "SYS"},
    };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (signals[i].number == number) {
            return signals[i].name;
        }
    }
    return NULL;
}

/* The thread inherits the CPUs of the one that starts it. */
int libc_start_thread(pthread_t *thread, const cpu_set_t *cpus, void *(*fn)(void *), void *arg) {
    cpu_set_t own;
    int error = pthread_getaffinity_np(pthread_self(), sizeof own, &own);
    if (error == 0) {
        error = pthread_setaffinity_np(pthread_self(), sizeof *cpus, cpus);
    }
    if (error == 0) {
        error = pthread_create(thread, NULL, fn, arg);
        pthread_setaffinity_np(pthread_self(), sizeof own, &own);
    }
    return error;
}

ssize_t libc_preadv2(int fd, const struct iovec *pieces, int n, off_t offset, int flags) {
    return syscall(SYS_preadv2, fd, pieces, n, (long)offset, (long)((uint64_t)offset >> 32), flags);
}

#endif
