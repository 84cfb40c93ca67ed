/* SPDX-License-Identifier: MIT
 *
 * The FFI API of streams: see net/stream.h. Closing, the descriptor and the timeout are those of any io.
 */
#include "net/stream.h"

int momo_close(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    if (o) {
        io_close(o);
    }
    return 0;
}

int momo_shutdown(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    return o ? stream_shutdown(o) : UV_EBADF;
}

int momo_set_timeout(executor *ex, const momo_token *token, double seconds) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    o->timeout = seconds;
    return 0;
}

int momo_set_silence(executor *ex, const momo_token *token, double seconds) {
    io *o = io_get(ex, *token);
    if (!o) {
        return UV_EBADF;
    }
    io_set_silence(o, seconds);
    return 0;
}

int momo_failure(const executor *ex, const momo_token *token) {
    const io *o = io_get(ex, *token);
    return o ? o->failed : 0;
}

int momo_descriptor(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    int status = o ? stream_end_receiving(o) : UV_EBADF;
    return status < 0 ? status : o->fd;
}

int momo_give_away(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    return o ? stream_give_away(o) : UV_EBADF;
}

const char *momo_unread(executor *ex, const momo_token *token, size_t *length) {
    const io *o = io_get(ex, *token);
    *length = o ? stream_unread(o) : 0;
    return *length ? stream_bytes(o) : NULL;
}

int momo_consume(executor *ex, const momo_token *token, size_t length) {
    io *o = io_get(ex, *token);
    return o ? stream_discard(o, length) : UV_EBADF;
}

void momo_expire_read(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    if (o) {
        io_expire_reader(o);
    }
}
