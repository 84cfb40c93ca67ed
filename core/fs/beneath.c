/* SPDX-License-Identifier: MIT
 *
 * Opening files beneath a folder: see beneath.h.
 */
#include "fs/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

enum {
    FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, /* nonblocking: who opens a pipe waits for its writer */
    TRIES = 8,
};

static int open_how(int folder, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags, .resolve = resolve};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* resolve: RESOLVE_CACHED, or 0. */
static int open_path(int folder, const char *path, uint64_t flags, uint64_t resolve) {
    return resolve ? open_how(folder, path, flags, resolve) : openat(folder, path, (int)flags);
}

/* The root is looked up each time, so that it may be a link which is changed. */
static int open_in(const char *root, const char *path, uint64_t resolve) {
    int folder = open_path(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, resolve);
    if (folder < 0) {
        return -1;
    }
    int fd, tries = resolve ? TRIES : 0;
    do { /* EAGAIN: something was renamed meanwhile, and a ".." can't be trusted */
        fd = open_how(folder, path, FLAGS, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve);
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < TRIES)));
    int error = errno;
    close(folder);
    errno = error;
    return fd;
}

int beneath_open(const char *root, const char *path, bool at_once, struct stat *status) {
    uint64_t resolve = at_once ? RESOLVE_CACHED : 0;
    int fd = root ? open_in(root, path, resolve) : open_path(AT_FDCWD, path, FLAGS, resolve);
    if (fd < 0) {
        if (at_once && (errno == ENOSYS || errno == EINVAL)) { /* the kernel does not know the flag */
            return UV_EAGAIN;
        }
        /* ENXIO: a socket, or a device without its driver */
        return errno == ENXIO ? UV_ENOENT : uv_translate_sys_error(errno);
    }
    int code = fstat(fd, status) < 0      ? uv_translate_sys_error(errno)
               : S_ISREG(status->st_mode) ? fd
               : S_ISDIR(status->st_mode) ? UV_EISDIR
                                          : UV_ENOENT;
    if (code < 0) {
        close(fd);
    }
    return code;
}
