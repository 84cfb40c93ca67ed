/* SPDX-License-Identifier: MIT
 *
 * Pipes: see pipe.h.
 */
#include "net/pipe.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int pipe_open(executor *ex, io **reader, io **writer) {
    int ends[2];
    *reader = *writer = NULL;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
        return io_last_error();
    }
    return stream_open_two(ex, ends, &layer_file, reader, writer);
}

/* The same pipe or terminal once more, with flags of its own; negative where that is refused. */
static int reopen(int number, mode_t mode, int flags) {
    if (!S_ISFIFO(mode) && !isatty(number)) {
        return -1;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    return open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The layer for a descriptor that others have too. */
static const layer *layer_of(executor *ex, int fd, mode_t mode) {
    return S_ISSOCK(mode) ? &layer_socket : io_has_events(ex, fd) ? &layer_shared : &layer_file;
}

int pipe_open_standard(executor *ex, int number, io **out) {
    *out = NULL;
    struct stat status;
    int flags = fcntl(number, F_GETFL);
    if (flags < 0 || fstat(number, &status) < 0) {
        return io_last_error();
    }
    int fd = reopen(number, status.st_mode, flags);
    if (fd >= 0) {
        return stream_open(ex, fd, &layer_standard, out);
    }
    fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return io_last_error();
    }
    return stream_open(ex, fd, layer_of(ex, fd, status.st_mode), out);
}
