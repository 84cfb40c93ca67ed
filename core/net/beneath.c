/* SPDX-License-Identifier: MIT
 *
 * Opening files beneath a folder: see beneath.h.
 */
#include "net/beneath.h"

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

/* The root is looked up each time, so that it may be a link which is changed. */
static int open_in(const char *root, const char *path) {
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -1;
    }
    struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd;
    int tries = 0;
    do { /* EAGAIN: something was renamed meanwhile, and a ".." can't be trusted */
        fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < TRIES)));
    int error = errno;
    close(folder);
    errno = error;
    return (int)fd;
}

int beneath_open(const char *root, const char *path, struct stat *status) {
    int fd = root ? open_in(root, path) : open(path, FLAGS);
    if (fd < 0) {
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
