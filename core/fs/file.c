/* SPDX-License-Identifier: MIT
 *
 * Calls on open files: see file.h.
 */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop/libc.h"

enum {
    FILE_THREADS = 4, /* of one executor */
    FILE_JOBS = 4096, /* that wait for one of them */
};

file *file_new(int fd) {
    file *f = malloc(sizeof *f);
    if (!f) {
        close(fd);
        return NULL;
    }
    atomic_init(&f->holders, 1);
    f->fd = fd;
    return f;
}

void file_hold(file *f) {
    atomic_fetch_add_explicit(&f->holders, 1, memory_order_relaxed);
}

void file_drop(file *f) {
    if (atomic_fetch_sub_explicit(&f->holders, 1, memory_order_acq_rel) == 1) {
        close(f->fd);
        free(f);
    }
}

const pool_kind file_pool = {.name = "momo-files", .threads_max = FILE_THREADS, .jobs_max = FILE_JOBS};

static void run(offload *f, void **state) {
    (void)state;
    file_call *c = file_call_of(f);
    c->result = c->operation->run(c);
    if (c->result == UV_EAGAIN) { /* here it is no reason to wait: somebody else has the file, or its lock */
        c->result = UV_EBUSY;
    }
}

static void discard(offload *f) {
    file_call *c = file_call_of(f);
    if ((c->operation->answer == FILE_OPENED || c->operation->answer == FILE_REGULAR) &&
        c->result > 0) { /* nobody has taken it */
        close((int)c->result);
    }
    if (c->opened >= 0) {
        close(c->opened);
    }
    if (c->file) {
        file_drop(c->file);
    }
    free(c->path);
    free(c->other);
    free(c->bytes);
    free(c);
}

file_call *file_call_new(executor *ex, const file_operation *operation) {
    static const offload_kind kind = {.pool = &file_pool, .run = run, .free = discard};
    file_call *c = calloc(1, sizeof *c);
    if (c) {
        offload_init(&c->offload, ex, &kind);
        c->operation = operation;
        c->opened = -1;
        c->result = UV_ECANCELED;
    }
    return c;
}

int file_call_reserve(file_call *c, size_t size) {
    char *bytes = realloc(c->bytes, size ? size : 1);
    if (!bytes) {
        return UV_ENOMEM;
    }
    c->bytes = bytes;
    return 0;
}

/* ---- reading ---- */

/* Up to n bytes; RWF_NOWAIT in flags: those in memory. offset < 0: where the descriptor stands. */
static ssize_t read_some(int fd, char *into, size_t n, int64_t offset, int flags) {
    struct iovec piece = {into, n};
    ssize_t got;
    do {
        got = libc_preadv2(fd, &piece, 1, offset, flags);
        if (got < 0 && errno == ESPIPE && offset >= 0 && !flags) { /* a pipe or terminal has no offsets */
            got = readv(fd, &piece, 1);
        }
    } while (got < 0 && errno == EINTR);
    return got < 0 ? file_error() : got;
}

/* n bytes, or fewer where the file ends, or, if there are any, where reading fails. */
static ssize_t read_at(int fd, char *into, size_t n, int64_t offset, int flags) {
    size_t have = 0;
    ssize_t got = 1;
    while (have < n && got > 0) {
        got = read_some(fd, into + have, n - have, offset + (int64_t)have, flags);
        have += got > 0 ? (size_t)got : 0;
    }
    return got < 0 && (flags || have == 0) ? got : (ssize_t)have;
}

ssize_t file_read_now(int fd, char *into, size_t n, int64_t offset) {
    ssize_t got = read_at(fd, into, n, offset, RWF_NOWAIT);
    return got == UV_ENOTSUP || got == UV_ESPIPE || got == UV_EINVAL ? UV_EAGAIN : got;
}

/* mode: how many bytes. */
static ssize_t read_call(file_call *c, ssize_t (*read)(int, char *, size_t, int64_t)) {
    ssize_t n = file_call_reserve(c, c->mode);
    if (n == 0) {
        n = read(c->file->fd, c->bytes, c->mode, c->offset);
    }
    c->size = n > 0 ? (size_t)n : 0;
    return n;
}

static ssize_t read_waiting(int fd, char *into, size_t n, int64_t offset) {
    return read_at(fd, into, n, offset, 0);
}

static ssize_t run_read(file_call *c) {
    return read_call(c, read_waiting);
}

static ssize_t now_read(file_call *c) {
    return c->mode <= FILE_NOW_MAX ? read_call(c, file_read_now) : UV_EAGAIN;
}

ssize_t file_read_all(file_call *c, int fd, size_t limit) {
    size_t capacity = 0;
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        if ((uint64_t)status.st_size > limit) {
            return UV_EMSGSIZE;
        }
        capacity = (size_t)status.st_size + 1; /* one more: a read that finds the end */
    }
    for (c->size = 0;;) {
        if (capacity <= c->size) {
            capacity = c->size < 32768 ? 65536 : 2 * c->size;
        }
        if (capacity > limit + 1) {
            capacity = limit + 1;
        }
        ssize_t got = file_call_reserve(c, capacity);
        if (got == 0) {
            got = read_some(fd, c->bytes + c->size, capacity - c->size, -1, 0);
        }
        if (got <= 0) {
            return got < 0 ? got : (ssize_t)c->size;
        }
        c->size += (size_t)got;
        if (c->size > limit) {
            return UV_EMSGSIZE;
        }
    }
}

/* ---- writing ---- */

/* A pipe that nobody reads is an error of this call alone. (SIGPIPE stays blocked on the pool's thread: no Lua runs there.) */
ssize_t file_write_all(const file_call *c, int fd) {
    sigset_t broken;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, NULL);
    for (size_t done = 0; done < c->size;) {
        ssize_t n = write(fd, c->bytes + done, c->size - done);
        if (n < 0 && errno != EINTR) {
            return file_error();
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)c->size;
}

static ssize_t run_write(file_call *c) {
    size_t done = 0;
    while (done < c->size) {
        ssize_t n = pwrite(c->file->fd, c->bytes + done, c->size - done, (off_t)(c->offset + (int64_t)done));
        if (n < 0 && errno == ESPIPE) {
            n = write(c->file->fd, c->bytes + done, c->size - done);
        }
        if (n < 0 && errno != EINTR) {
            return file_error();
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)done;
}

static ssize_t run_status(file_call *c) {
    return file_status(fstat(c->file->fd, &c->status));
}

static ssize_t run_sync(file_call *c) {
    return file_status(c->flags ? fdatasync(c->file->fd) : fsync(c->file->fd));
}

static ssize_t run_truncate(file_call *c) {
    return file_status(ftruncate(c->file->fd, (off_t)c->offset));
}

static ssize_t run_lock(file_call *c) {
    int status;
    do {
        status = flock(c->file->fd, c->flags);
    } while (status < 0 && errno == EINTR);
    return file_status(status);
}

const file_operation file_operations[] = {
    {"read", FILE_BYTES, run_read, now_read},
    {"write", FILE_NUMBER, run_write, NULL},
    {"status", FILE_STATUS, run_status, run_status},
    {"sync", FILE_DONE, run_sync, NULL},
    {"truncate", FILE_DONE, run_truncate, NULL},
    {"lock", FILE_DONE, run_lock, NULL},
    {NULL, FILE_DONE, NULL, NULL},
};
