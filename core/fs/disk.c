/* SPDX-License-Identifier: MIT
 *
 * Regular files beneath streams: see disk.h.
 */
#include "fs/disk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop/libc.h"
#include "loop/system.h"

enum {
    AHEAD = 1024 * 1024, /* bytes that are read ahead in one go */
    PIECE = 32 * 1024,   /* in which they are */
    PROBE =
        128 * 1024, /* what is read ahead, and dropped, together: where a byte is in memory, so is what follows it */
};

typedef struct disk {
    layer layer;
    file *file;     /* held */
    int64_t offset; /* of the next byte */
    int64_t ahead;  /* up to here it was read ahead: a read need not ask again */
    bool reading;   /* ahead, now */
    int code;       /* what reading ahead came to: 0, UV_EOF, or how it failed */
} disk;

/* It may outlive the stream. */
typedef struct ahead {
    job job;
    executor *executor;
    momo_token token; /* the stream's */
    file *file;       /* held */
    int64_t offset;
    ssize_t n; /* bytes that came, or a code */
} ahead;

static disk *disk_of(const layer *l) {
    return (disk *)(uintptr_t)l;
}

/* ---- ahead ---- */

/* What is read falls to nobody: it is in memory then. */
static void on_run(job *j, void **state) {
    (void)state;
    ahead *a = list_entry(j, ahead, job);
    char piece[PIECE];
    ssize_t n;
    do {
        n = pread(a->file->fd, piece, PIECE, a->offset + a->n);
        a->n += n > 0 ? n : 0;
    } while ((n > 0 && a->n < AHEAD) || (n < 0 && errno == EINTR));
    if (n < 0 && a->n == 0) {
        a->n = file_error();
    }
}

static void on_drop(job *j) {
    ahead *a = list_entry(j, ahead, job);
    file_drop(a->file);
    free(a);
}

static void on_done(job *j) {
    const ahead *a = list_entry(j, ahead, job);
    io *o = io_get(a->executor, a->token);
    if (o) {
        disk *d = disk_of(o->layer);
        d->reading = false;
        d->ahead = a->offset + (a->n > 0 ? a->n : 0);
        d->code = a->n > 0 ? 0 : a->n == 0 ? UV_EOF : (int)a->n;
        o->ready |= UV_READABLE;
        io_wake_first(o, UV_READABLE);
    }
    on_drop(j);
}

/* UV_EAGAIN, and who waits is woken; or why it can't be. */
static ssize_t read_ahead(disk *d, io *o) {
    if (d->reading) {
        return io_must_wait(o, UV_READABLE);
    }
    ahead *a = calloc(1, sizeof *a);
    pool *p = a ? pool_of(o->executor, &file_pool) : NULL;
    if (!p) {
        free(a);
        return UV_ENOMEM;
    }
    a->job = (job){.run = on_run, .done = on_done, .drop = on_drop};
    a->executor = o->executor;
    a->token = io_token(o);
    a->file = d->file;
    a->offset = d->offset;
    file_hold(a->file);
    int status = pool_submit(p, &a->job);
    if (status < 0) {
        on_drop(&a->job);
        return status;
    }
    d->reading = true;
    return io_must_wait(o, UV_READABLE);
}

/* ---- the transport ---- */

static ssize_t took(disk *d, ssize_t n) {
    d->offset += n > 0 ? n : 0;
    return n == 0 ? UV_EOF : n;
}

/* What reading ahead has come to, where it brought nothing: told once, as the file may grow. */
static int take_code(disk *d) {
    int code = d->code;
    d->code = 0;
    return code;
}

static ssize_t disk_read(const layer *l, io *o, char *into, size_t room) {
    disk *d = disk_of(l);
    if (d->code) {
        return take_code(d);
    }
    struct iovec piece = {into, room};
    ssize_t n;
    if (d->offset < d->ahead) { /* and if it was dropped since: it waits, so that it comes on in the end */
        piece.iov_len = room < (size_t)(d->ahead - d->offset) ? room : (size_t)(d->ahead - d->offset);
        n = io_try(o, UV_READABLE, preadv(o->fd, &piece, 1, d->offset));
    } else {
        n = io_try(o, UV_READABLE, libc_preadv2(o->fd, &piece, 1, d->offset, RWF_NOWAIT));
    }
    return n == UV_EAGAIN || n == UV_ENOTSUP || n == UV_EINVAL ? read_ahead(d, o) : took(d, n);
}

/* Of so many bytes, those that are in memory. */
static size_t count_present(const disk *d, size_t n) {
    size_t present = 0;
    char byte;
    while (present < n && file_read_now(d->file->fd, &byte, 1, d->offset + (int64_t)present) >= 0) {
        present += PROBE;
    }
    return present < n ? present : n;
}

static ssize_t disk_splice(const layer *l, io *o, int pipe, size_t room) {
    disk *d = disk_of(l);
    if (d->code) {
        return take_code(d);
    }
    size_t known = d->offset < d->ahead ? (size_t)(d->ahead - d->offset) : 0;
    size_t n = known > 0 ? (room < known ? room : known) : count_present(d, room);
    if (n == 0) {
        return read_ahead(d, o);
    }
    loff_t offset = d->offset;
    ssize_t moved = io_try(o, UV_READABLE, system_splice(o->fd, &offset, pipe, n));
    return moved == UV_EAGAIN ? read_ahead(d, o) : took(d, moved);
}

static ssize_t disk_writev(const layer *l, io *o, const struct iovec *pieces, int count) {
    (void)l, (void)o, (void)pieces, (void)count;
    return UV_EBADF;
}

static int disk_shutdown(const layer *l, io *o) {
    (void)l, (void)o;
    return UV_ENOTSUP;
}

static void disk_close(const layer *l, io *o) {
    (void)o;
    disk *d = disk_of(l);
    file_drop(d->file);
    free(d);
}

static bool disk_raw(const io *o) {
    (void)o;
    return true;
}

int disk_open(executor *ex, file *f, int64_t offset, io **out) {
    static const transport disk_transport = {.read = disk_read,
                                             .writev = disk_writev,
                                             .shutdown = disk_shutdown,
                                             .close = disk_close,
                                             .raw = disk_raw,
                                             .splice = disk_splice};
    *out = NULL;
    disk *d = calloc(1, sizeof *d);
    int fd = d ? fcntl(f->fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd < 0) {
        int code = d ? io_last_error() : UV_ENOMEM;
        free(d);
        return code;
    }
    d->layer.transport = &disk_transport;
    d->file = f;
    d->offset = offset;
    file_hold(f);
    int status = stream_open(ex, fd, &d->layer, out);
    if (status < 0) {
        disk_close(&d->layer, NULL);
        return status;
    }
    (*out)->unwatched = true;
    return 0;
}
