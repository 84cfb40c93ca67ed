/* SPDX-License-Identifier: MIT
 *
 * Copying: see copy.h.
 */
#include "net/copy.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "loop/system.h"

enum {
    PIPE_SIZE = 1024 * 1024,  /* what is asked for; a system that refuses gives 64 KiB */
    SPLICE_LEAST = 16 * 1024, /* bytes below which reading is cheaper */
};

static bool take_pipe(copy *c, executor *ex) {
    if (!c->has_pipe && ex->spare_pipe.there) {
        c->pipe[0] = ex->spare_pipe.ends[0];
        c->pipe[1] = ex->spare_pipe.ends[1];
        ex->spare_pipe.there = false;
        c->has_pipe = true;
    } else if (!c->has_pipe && pipe2(c->pipe, O_NONBLOCK | O_CLOEXEC) == 0) {
        fcntl(c->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
        io_survive(SIGPIPE);
        c->has_pipe = true;
    }
    return c->has_pipe;
}

static void release_pipe(copy *c, executor *ex) {
    if (c->has_pipe && !c->piped && !ex->spare_pipe.there && !ex->closed) {
        ex->spare_pipe.ends[0] = c->pipe[0];
        ex->spare_pipe.ends[1] = c->pipe[1];
        ex->spare_pipe.there = true;
    } else if (c->has_pipe) {
        close(c->pipe[0]);
        close(c->pipe[1]);
    }
    c->has_pipe = false;
    c->piped = 0;
}

static size_t at_most(const copy *c, size_t n) {
    return c->left < n ? (size_t)c->left : n;
}

/* While it splices, it waits for the descriptor itself. */
static void end_receiving(copy *c, io *from) {
    if (from->transfer.state != RECEIVED_NEVER) {
        io_stop_receiving(from);
        c->received = !from->transfer.size && !from->transfer.code; /* else they come first */
        from->transfer.state = c->received ? RECEIVED_NEVER : RECEIVED_MAY;
    }
}

static void receive_again(copy *c, io *from) {
    if (c->received) {
        io_receive(from);
        c->received = false;
    }
}

static bool may_splice(const copy *c, const io *from) {
    return c->much && !c->plain && !from->end_code && !from->transfer.size && !from->transfer.code &&
           (from->ready & UV_READABLE || from->transfer.state >= RECEIVED_NOW);
}

ssize_t copy_take(copy *c, io *from, const io *to) {
    if (!may_splice(c, from)) {
        ssize_t n = stream_fill(from, 1);
        c->much = n > 0 ? n >= EXECUTOR_SCRATCH : c->much;
        return n;
    }
    if (!c->has_pipe && !(layer_raw(from->layer, from) && layer_raw(to->layer, to) && take_pipe(c, from->executor))) {
        c->plain = true;
        return 0;
    }
    end_receiving(c, from);
    if (from->transfer.state != RECEIVED_NEVER) {
        return stream_fill(from, 1);
    }
    ssize_t n = layer_splice(from->layer, from, c->pipe[1], at_most(c, PIPE_SIZE));
    if (n > 0) {
        c->piped = (size_t)n;
    } else if (n == UV_EAGAIN) {
        release_pipe(c, from->executor); /* others may have use for it while this copy waits */
        return n;
    } else if (n == UV_EINVAL) {
        c->plain = true;
        receive_again(c, from);
        return 0;
    }
    c->much = n >= SPLICE_LEAST;
    if (!c->much) {
        receive_again(c, from);
    }
    return n;
}

/* When it fails, the bytes may still be in the pipe, which then serves nobody else. */
static int put_back(copy *c, io *from) {
    int status = c->piped ? stream_put_back(from, c->pipe[0], c->piped) : 0;
    if (status == 0) {
        c->piped = 0;
    }
    return status;
}

static void given(copy *c, size_t n) {
    c->done += n;
    c->left -= c->left == UINT64_MAX ? 0 : n;
}

ssize_t copy_give(copy *c, io *from, io *to) {
    ssize_t n;
    if (!c->piped) {
        const struct iovec bytes = {(char *)(uintptr_t)stream_bytes(from), at_most(c, stream_unread(from))};
        n = stream_write(to, &bytes, 1);
        if (n > 0) {
            stream_consume(from, (size_t)n);
            given(c, (size_t)n);
        }
        return n;
    }
    n = transport_keep_failure(to, layer_write_try(to->layer, to, system_splice(c->pipe[0], NULL, to->fd, c->piped)));
    if (n > 0) {
        transport_count_out(to, n);
        c->piped -= (size_t)n;
        given(c, (size_t)n);
    } else if (n == UV_EINVAL) {
        c->plain = true;
        return put_back(c, from);
    }
    return n;
}

void copy_end(copy *c, executor *ex, io *from) {
    if (from) {
        put_back(c, from); /* if there is no memory for it, reading says so */
        receive_again(c, from);
    }
    release_pipe(c, ex);
}
