/* SPDX-License-Identifier: MIT
 *
 * Writing as Lua sees it: one task's write at a time, whole. A stream is a userdata that holds a token; Lua has checked that it
 * is one.
 */
#include "net/stream.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/op.h"
#include "binding/net/buffer.h"
#include "binding/net/pieces.h"

enum {
    WRITE_BURST = 1024 * 1024, /* bytes after which a write that never waits lets others have a turn */
    PIECES_BURST = 32 * 1024,  /* pieces after which it does, too */
    BATCH_PLACES = 64,         /* of one system call, */
    BATCH_ROOM = 32 * 1024,    /* in which small pieces are gathered: */
    SMALL_PIECE = 1024,
};

/* Not fresh: it is still in the queue, or its write is under way. */
static bool writes(const op *o) {
    return o->io->writer == slab_id(&o->task->head);
}

/* Whether it can be written. */
OP_HOT bool is_data(lua_State *L, int type) {
    return type == LUA_TSTRING || type == LUA_TTABLE || type == LUA_TNUMBER || is_buffer(L, 2);
}

/* Several arguments, as io.write has them, are most often meant as pieces. */
static void check_is_no_piece(lua_State *L) {
    if (lua_type(L, 3) == LUA_TSTRING) {
        throw(L, "write: it takes one value and a timeout; write { a, b } sends several pieces as one");
    }
}

static void check_write(lua_State *L, op *o) {
    if (o->io && o->io->silence_ms != IO_NO_SILENCE) {
        o->timeout = io_silence(o->io);
    }
    if (!lua_isnoneornil(L, 3)) {
        check_is_no_piece(L);
        op_check_timeout(L, o, 3);
    }
}

/* In place of an answer. */
enum {
    BAD_DATA = UV_EAI_FAMILY,    /* it is nothing that can be written */
    BAD_PIECE = UV_EAI_BADHINTS, /* one is no string, or lacks */
    CHANGED = UV_EAI_BADFLAGS,   /* the data was, while it was written */
};

static int end_write(lua_State *L, io *stream) {
    int status = stream_flush(stream);
    if (status < 0) {
        return status;
    }
    size_t written = stream->written;
    stream_end_write(stream);
    lua_pushnumber(L, (lua_Number)written);
    return 1;
}

/* Who can't wait for the poller to send them makes a system call. */
OP_HOT ssize_t send_pieces(const op *o, const struct iovec *places, int count, bool rest) {
    return o->timeout != 0 ? stream_send(o->io, places, count, rest) : stream_write(o->io, places, count);
}

OP_HOT int write_bytes(lua_State *L, op *o, const char *bytes, size_t size) {
    io *stream = o->io;
    size_t burst = stream->written + WRITE_BURST;
    while (stream->written < size) {
        if (stream->written >= burst && o->timeout != 0) {
            return OP_GIVE_WAY;
        }
        const struct iovec rest = {(char *)(uintptr_t)bytes + stream->written, size - stream->written};
        ssize_t n = send_pieces(o, &rest, 1, true);
        if (n < 0) {
            return (int)n;
        }
        stream->written += (size_t)n;
    }
    return end_write(L, stream);
}

/* What is out is dropped from the buffer at once, and what is put into it meanwhile goes out too. stream.offset: as many bytes
 * as it has to have still. */
static int write_buffer(lua_State *L, op *o) {
    io *stream = o->io;
    size_t burst = stream->written + WRITE_BURST;
    do {
        char *bytes;
        size_t size;
        if (!buffer_bytes(L, 2, &bytes, &size)) {
            return UV_ENOMEM;
        }
        if (size < stream->offset) {
            return CHANGED;
        }
        stream->offset = (uint32_t)size;
        if (stream->written >= burst && size && o->timeout != 0) {
            return OP_GIVE_WAY;
        }
        const struct iovec rest = {bytes, size};
        /* What is left of it goes by system calls: whoever ends the write knows what is out, and so done_writer what to drop. */
        ssize_t n = !size ? 0 : stream->written ? stream_write(stream, &rest, 1) : send_pieces(o, &rest, 1, true);
        if (n < 0) {
            return (int)n;
        }
        buffer_skip(L, 2, (size_t)n);
        stream->written += (size_t)n;
        stream->offset -= (uint32_t)n;
    } while (stream->offset);
    int status = end_write(L, stream);
    if (status > 0) {
        buffer_account(L);
    }
    return status;
}

/* What goes out in one system call: pieces, of which neighbours that are small are gathered in one place. */
typedef struct batch {
    int count;
    unsigned piece; /* the first piece behind it, */
    size_t offset;  /* and what of that is in it */
    size_t total, gathered;
    struct iovec places[BATCH_PLACES];
    char room[BATCH_ROOM];
} batch;

/* False: there is no room left. */
static bool batch_add(batch *b, const char *bytes, size_t size) {
    struct iovec *last = b->count ? &b->places[b->count - 1] : NULL;
    bool small = size <= SMALL_PIECE, joins = small && last && last->iov_base == b->room + b->gathered - last->iov_len;
    if ((small && size > BATCH_ROOM - b->gathered) || (!joins && b->count == BATCH_PLACES)) {
        return false;
    }
    if (small) {
        memcpy(b->room + b->gathered, bytes, size);
        bytes = b->room + b->gathered;
        b->gathered += size;
    }
    if (joins) {
        last->iov_len += size;
    } else {
        b->places[b->count++] = (struct iovec){(char *)(uintptr_t)bytes, size};
    }
    b->total += size;
    return true;
}

/* As many of the next pieces as one batch takes. A number's text is small, and so in its room. False: one is no piece. */
static bool gather(lua_State *L, const io *stream, batch *b) {
    b->count = 0;
    b->total = b->gathered = 0;
    b->piece = stream->piece;
    b->offset = 0;
    for (size_t offset = stream->offset; b->piece < stream->pieces; b->piece++, offset = 0) {
        char number[PIECE_NUMBER];
        size_t size;
        const char *bytes = piece_at(L, 2, b->piece + 1, number, &size);
        if (!bytes || size < offset) {
            return false;
        }
        if (size > offset && !batch_add(b, bytes + offset, size - offset)) {
            return true;
        }
    }
    return true;
}

/* The first n bytes from where the write stands are out. */
static void advance(lua_State *L, io *stream, size_t n) {
    stream->written += n;
    n += stream->offset;
    char number[PIECE_NUMBER];
    size_t size;
    while (n > 0 && piece_at(L, 2, stream->piece + 1, number, &size) && n >= size) {
        n -= size;
        stream->piece++;
    }
    stream->offset = (uint32_t)n;
}

/* Looks at pieces before the first of them is written: 0, or a code. */
static int look_at_pieces(lua_State *L, op *o) {
    io *stream = o->io;
    unsigned n = (unsigned)lua_objlen(L, 2);
    int status = pieces_look(L, 2, n, &stream->piece, o->timeout != 0 ? PIECES_BURST : UINT_MAX);
    if (status < 0) {
        return status == UV_EAGAIN ? OP_GIVE_WAY : BAD_PIECE;
    }
    stream->pieces = n;
    stream->piece = 0;
    return 0;
}

static ssize_t write_batch(const op *o, const batch *b) {
    return send_pieces(o, b->places, b->count, b->piece == o->io->pieces);
}

static int write_pieces(lua_State *L, op *o) {
    io *stream = o->io;
    if (!stream->pieces) {
        int status = look_at_pieces(L, o);
        if (status < 0) {
            return status;
        }
    } else if (lua_objlen(L, 2) != stream->pieces) {
        return CHANGED;
    }
    size_t burst = stream->written + WRITE_BURST;
    for (unsigned begin = stream->piece; stream->piece < stream->pieces;) {
        if ((stream->written >= burst || stream->piece - begin >= PIECES_BURST) && o->timeout != 0) {
            return OP_GIVE_WAY;
        }
        batch b;
        if (!gather(L, stream, &b)) {
            return CHANGED;
        }
        ssize_t n = b.count ? write_batch(o, &b) : 0;
        if (n < 0) {
            return (int)n;
        }
        if ((size_t)n > b.total) { /* than it had when it was sent */
            return CHANGED;
        }
        if ((size_t)n < b.total) {
            advance(L, stream, (size_t)n);
            continue;
        }
        stream->written += b.total;
        stream->piece = b.piece;
        stream->offset = 0;
    }
    return end_write(L, stream);
}

OP_HOT bool begins(const op *o) {
    if (o->timeout == 0) {
        stream_settle_write(o->io);
    }
    return stream_begin_write(o->io, o->task);
}

/* The pieces of an array are looked at when its turn has come. */
static int attempt_write(lua_State *L, op *o) {
    int type = lua_type(L, 2);
    if (!is_data(L, type)) {
        return BAD_DATA;
    }
    if (o->io->broken) {
        return UV_EPIPE;
    }
    if (!writes(o) && !begins(o)) {
        return UV_EAGAIN;
    }
    size_t size;
    char number[PIECE_NUMBER];
    const char *bytes = type == LUA_TSTRING ? lua_tolstring(L, 2, &size) : piece_text(L, 2, number, &size);
    if (!bytes) {
        return type == LUA_TTABLE ? write_pieces(L, o) : write_buffer(L, o);
    }
    return write_bytes(L, o, bytes, size);
}

static int park_writer(lua_State *L, op *o) {
    (void)L;
    if (!writes(o)) {
        stream_wait_turn(o->io, o->task, o->deadline_ms);
        return 0;
    }
    if (o->io->driven && o->io->transfer.block) { /* the poller's next wait sends it: before that no time is over */
        int status = io_wait(o->io, o->task, UV_WRITABLE, o->name, DEADLINE_NEVER, true);
        o->task->timer.deadline_ms = o->deadline_ms;
        return status;
    }
    bool silence = o->woken && o->io->silence_ms != IO_NO_SILENCE;
    uint64_t deadline_ms = silence ? op_deadline(o->task, io_silence(o->io)) : o->deadline_ms;
    return io_wait(o->io, o->task, UV_WRITABLE, o->name, deadline_ms, true);
}

/* What the poller was given is sent at once, as a system call would have sent it by now. */
static bool settle_writer(op *o) {
    return writes(o) && io_settle(o->io);
}

static void leave_writer(lua_State *L, op *o) {
    (void)L;
    if (o->io) {
        stream_cut_write(o->io, o->task);
    }
}

static void done_writer(lua_State *L, size_t written) {
    if (lua_type(L, 2) == LUA_TUSERDATA) {
        buffer_skip(L, 2, written);
    }
}

static int push_write_failure(lua_State *L, int code) {
    if (!is_data(L, lua_type(L, 2))) { /* also where the stream is closed */
        return throw(L, "write: data must be a string, a number, an array of these or a string.buffer, got %s",
                     luaL_typename(L, 2));
    }
    switch (code) {
    case BAD_PIECE: return pieces_throw(L, 2, "write", "");
    case CHANGED: return throw(L, "write: the data was changed while it was written");
    default: return push_failure(L, code);
    }
}

/* write(stream, data, timeout) -> bytes | nil, err, code */
static int stream_write_all(lua_State *L) {
    static const op_kind kind = {.name = "write",
                                 .token = 1,
                                 .direction = UV_WRITABLE,
                                 .check = check_write,
                                 .attempt = attempt_write,
                                 .settle = settle_writer,
                                 .park = park_writer,
                                 .leave = leave_writer,
                                 .done = done_writer,
                                 .fail = push_write_failure};
    return op_run(L, &kind);
}

/* ---- a part ---- */

/* Where it begins, from 1. */
static size_t first_of(lua_State *L) {
    return lua_isnoneornil(L, 3) ? 1 : (size_t)lua_tonumber(L, 3);
}

static void check_write_some(lua_State *L, op *o) {
    if (lua_type(L, 2) != LUA_TSTRING) {
        throw(L, "write_some: data must be a string, got %s", luaL_typename(L, 2));
    }
    double first = lua_isnoneornil(L, 3) ? 1 : lua_type(L, 3) == LUA_TNUMBER ? lua_tonumber(L, 3) : 0;
    if (!(first >= 1 && first <= (double)lua_objlen(L, 2) + 1) || first != floor(first)) {
        throw(L, "write_some: first must be a place in the data, from 1 to %.0f, got %s", (double)lua_objlen(L, 2) + 1,
              lua_type(L, 3) == LUA_TNUMBER ? lua_tostring(L, 3) : luaL_typename(L, 3));
    }
    op_check_timeout(L, o, 4);
}

/* It has sent nothing while it waits, and is at its end as soon as it has: so it is never cut short. */
static int attempt_write_some(lua_State *L, op *o) {
    if (o->io->broken) {
        return UV_EPIPE;
    }
    if (!writes(o) && !begins(o)) {
        return UV_EAGAIN;
    }
    size_t size, sent = first_of(L) - 1;
    const char *bytes = lua_tolstring(L, 2, &size);
    const struct iovec rest = {(char *)(uintptr_t)bytes + sent, size - sent};
    ssize_t n = sent < size ? stream_write(o->io, &rest, 1) : 0;
    if (n < 0) {
        return (int)n;
    }
    stream_end_write(o->io);
    lua_pushnumber(L, (lua_Number)n);
    return 1;
}

/* write_some(stream, data, first, timeout) -> bytes | nil, err, code */
static int stream_write_some(lua_State *L) {
    static const op_kind kind = {.name = "write_some",
                                 .token = 1,
                                 .direction = UV_WRITABLE,
                                 .check = check_write_some,
                                 .attempt = attempt_write_some,
                                 .park = park_writer,
                                 .leave = leave_writer};
    return op_run(L, &kind);
}

/* pieces_size(data, function, of, what) -> how many bytes it is */
static int pieces_size(lua_State *L) {
    lua_pushnumber(L, (lua_Number)pieces_measure(L, 1, lua_tostring(L, 2), lua_tostring(L, 3), lua_tostring(L, 4)));
    return 1;
}

static const function functions[] = {
    {"write", stream_write_all},
    {"write_some", stream_write_some},
    {"pieces_size", pieces_size},
    {NULL, NULL},
};
const module write_module = {.functions = functions};
