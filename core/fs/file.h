/* SPDX-License-Identifier: MIT
 *
 * Files: system calls that may wait for a disk, each made on a thread of the pool, or at once where it is sure not to wait.
 *
 *   file_call_new --now--> the answer is in memory: done
 *                   '----> offload --run--> done
 *
 * A call is a description of what it works on and what came of it. The operations are three tables: on open
 * files (file.c), on paths (path.c), on whole files (whole.c).
 */
#pragma once
#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "loop/offload.h"

/* An open descriptor, closed when its last holder drops it: calls on the pool are holders, so that a file that is closed
 * meanwhile can't become another one under them. */
typedef struct file {
    atomic_uint holders;
    int fd;
} file;

/* Takes the descriptor over, also when it returns NULL: out of memory. */
file *file_new(int fd);
void file_hold(file *);
void file_drop(file *);

enum { FILE_NOW_MAX = 256 * 1024 /* bytes that are read at once, without the pool */ };

/* What an operation answers. */
enum file_answer {
    FILE_DONE,    /* nothing more */
    FILE_NUMBER,  /* result */
    FILE_BYTES,   /* bytes, size */
    FILE_OPENED,  /* result: a descriptor, which is the caller's */
    FILE_REGULAR, /* the same, and status */
    FILE_STATUS,  /* status */
};

typedef struct file_call file_call;

typedef struct file_operation {
    const char *name;
    enum file_answer answer;
    ssize_t (*run)(file_call *); /* a result >= 0, or a negative UV_E*; may wait for the disk */
    ssize_t (*now)(file_call *); /* the same without waiting; UV_EAGAIN: it would. NULL: it always may */
} file_operation;

extern const pool_kind file_pool;
/* Ends with a NULL name. */
extern const file_operation file_operations[], path_operations[], whole_operations[];

struct file_call {
    offload offload;
    const file_operation *operation;
    file *file;         /* held, or NULL */
    char *path, *other; /* owned, or NULL */
    char *bytes;        /* owned: to write, or read */
    size_t size;
    int opened;     /* owned: a descriptor of the path that `now` has come to, or -1 */
    int64_t offset; /* where in the file, or a limit of bytes */
    int flags;      /* of the operation */
    mode_t mode;
    double times[2]; /* seconds since 1970 */
    struct stat status;
    ssize_t result;
};

/* The code of the system call that failed last. */
static inline ssize_t file_error(void) {
    return uv_translate_sys_error(errno);
}
/* Of what a system call returned: 0, or its code. */
static inline ssize_t file_status(int status) {
    return status < 0 ? file_error() : 0;
}
file_call *file_call_new(executor *, const file_operation *);
static inline file_call *file_call_of(offload *f) {
    return list_entry(f, file_call, offload);
}
/* Room for so many bytes at c->bytes: 0, or UV_ENOMEM. */
int file_call_reserve(file_call *, size_t);
/* All of a file, of at most `limit` bytes: appended to c->bytes. UV_EMSGSIZE: there are more. */
ssize_t file_read_all(file_call *, int fd, size_t limit);
/* What is in memory, without waiting for a disk: n bytes at `offset`, fewer only where the file ends; or UV_EAGAIN. */
ssize_t file_read_now(int fd, char *into, size_t n, int64_t offset);
/* Opens for reading, without waiting and not to wait, if the path is in the kernel's cache: a descriptor, UV_EAGAIN, or how it
 * fails. */
int file_open_now(const char *path);
/* c->status of c->path (flags: of a link itself), if that is in the kernel's cache: 0, UV_EAGAIN, or how it fails. */
ssize_t file_stat_now(file_call *);
/* All of c->bytes. */
ssize_t file_write_all(const file_call *, int fd);
