/* SPDX-License-Identifier: MIT
 *
 * Calls on whole files: see file.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop/libc.h"
#include "fs/file.h"

/* What `now` has opened without waiting becomes what open returns: of a pipe, once there has been a writer. */
static int wait_opened(file_call *c) {
    int fd = c->opened, flags = fcntl(fd, F_GETFL);
    c->opened = -1;
    struct pollfd writer = {.fd = fd, .events = POLLIN};
    while (poll(&writer, 1, -1) < 0 && errno == EINTR) {
    }
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

/* offset: the most bytes. */
static ssize_t run_load(file_call *c) {
    int fd = c->opened >= 0 ? wait_opened(c) : open(c->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return file_error();
    }
    ssize_t n = file_read_all(c, fd, (size_t)c->offset);
    close(fd);
    return n;
}

/* What is opened and not in memory stays open for run_load: a pipe's writer may have seen a reader already. */
static ssize_t now_load(file_call *c) {
    ssize_t n = file_open_now(c->path);
    if (n < 0) {
        return n;
    }
    c->opened = (int)n;
    int64_t size = fstat(c->opened, &c->status) == 0 && S_ISREG(c->status.st_mode) ? c->status.st_size : 0;
    if (size == 0 || size > FILE_NOW_MAX || size > c->offset) {
        return UV_EAGAIN;
    }
    n = file_call_reserve(c, (size_t)size + 1); /* one more: what was changed meanwhile has another size */
    if (n == 0) {
        n = libc_preadv2(c->opened, &(struct iovec){c->bytes, (size_t)size + 1}, 1, 0, RWF_NOWAIT);
    }
    c->size = n > 0 ? (size_t)n : 0;
    return n == size || n == UV_ENOMEM ? n : UV_EAGAIN;
}

static ssize_t sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    if (slash) {
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return file_error();
    }
    ssize_t status = file_status(fsync(fd));
    close(fd);
    return status == UV_EINVAL ? 0 : status; /* a file system that knows of no such thing */
}

/* A new file whose name begins as the target's. */
static int open_beside(const char *target, char *name, size_t size, mode_t mode) {
    int fd;
    do {
        uint32_t random;
        if (getrandom(&random, sizeof random, 0) < 0) {
            return -1;
        }
        snprintf(name, size, "%s.%08x", target, (unsigned)random);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

/* What has a file behind it and leads to no name: /dev/stdout, where that was removed. A file that has just come is none. */
static bool is_link(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

/* Into a file beside it, which takes its place: who reads it has the old one or the new one, whole, also after a crash. A
 * link stays, and what it leads to is replaced. A pipe, a device, and a file without a name are written to where they are. */
static ssize_t run_store(file_call *c) {
    char target[PATH_MAX], beside[PATH_MAX + 16];
    struct stat before;
    bool replaces = stat(c->path, &before) == 0, named = realpath(c->path, target);
    if (!named) {
        snprintf(target, sizeof target, "%s", c->path);
    }
    if (replaces && (!S_ISREG(before.st_mode) || (!named && is_link(target)))) {
        int fd = open(target, O_WRONLY | O_TRUNC | O_CLOEXEC);
        ssize_t n = fd < 0 ? file_error() : file_write_all(c, fd);
        if (fd >= 0) {
            close(fd);
        }
        return n;
    }
    int fd = open_beside(target, beside, sizeof beside, c->mode);
    if (fd < 0) {
        return file_error();
    }
    ssize_t n = file_write_all(c, fd);
    if (n >= 0 && replaces && fchmod(fd, before.st_mode & 07777) < 0) {
        n = file_error();
    }
    if (n >= 0 && replaces && fchown(fd, before.st_uid, before.st_gid) < 0 && errno != EPERM) {
        n = file_error();
    }
    if (n >= 0 && fsync(fd) < 0) {
        n = file_error();
    }
    if (close(fd) < 0 && n >= 0) {
        n = file_error();
    }
    if (n >= 0 && rename(beside, target) < 0) {
        n = file_error();
    }
    if (n < 0) {
        unlink(beside);
        return n;
    }
    ssize_t status = sync_folder_of(target);
    return status < 0 ? status : n;
}

static ssize_t run_append(file_call *c) {
    int fd = open(c->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, c->mode);
    ssize_t n = fd < 0 ? file_error() : file_write_all(c, fd);
    if (fd >= 0 && close(fd) < 0 && n >= 0) {
        n = file_error();
    }
    return n;
}

static ssize_t copy_bytes(int from, int to) {
    ssize_t total = 0;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
            char piece[64 * 1024];
            n = read(from, piece, sizeof piece);
            for (ssize_t done = 0; n > 0 && done < n;) {
                ssize_t written = write(to, piece + done, (size_t)(n - done));
                if (written < 0 && errno != EINTR) {
                    return file_error();
                }
                done += written > 0 ? written : 0;
            }
        }
        if (n < 0 && errno != EINTR) {
            return file_error();
        }
        if (n == 0) {
            return total;
        }
        total += n > 0 ? n : 0;
    }
}

static ssize_t run_copy(file_call *c) {
    int from = open(c->path, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return file_error();
    }
    struct stat of_from, of_to;
    ssize_t n = file_status(fstat(from, &of_from));
    if (n == 0 && S_ISDIR(of_from.st_mode)) {
        n = UV_EISDIR;
    }
    bool there = stat(c->other, &of_to) == 0;
    if (n == 0 && there && of_to.st_dev == of_from.st_dev && of_to.st_ino == of_from.st_ino) {
        n = UV_EINVAL; /* onto itself: opening it would empty it */
    }
    if (n == 0) {
        int to = open(c->other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, of_from.st_mode & 0777);
        n = to < 0 ? file_error() : copy_bytes(from, to);
        if (to >= 0 && close(to) < 0 && n >= 0) {
            n = file_error();
        }
        if (to >= 0 && n < 0 && !there) {
            unlink(c->other);
        }
    }
    close(from);
    return n;
}

const file_operation whole_operations[] = {
    {"load", FILE_BYTES, run_load, now_load},
    {"store", FILE_NUMBER, run_store, NULL},
    {"append", FILE_NUMBER, run_append, NULL},
    {"copy", FILE_NUMBER, run_copy, NULL},
    {NULL, FILE_DONE, NULL, NULL},
};
