/* SPDX-License-Identifier: MIT
 *
 * Reading and writing as Lua sees them. A stream is a userdata that holds a token; Lua has checked that it is one, which
 * compiled code does in a tenth of the time.
 */
#include "net/stream.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/reading.h"

enum {
    READ_MAX = EXECUTOR_SCRATCH, /* bytes, where the caller names no other limit */
    WRITE_BURST = 1024 * 1024,   /* bytes after which a write that never waits lets others have a turn */
    PIECES_BURST = 32 * 1024,    /* pieces after which it does, too */
    BATCH_PLACES = 64,           /* of one system call, */
    BATCH_ROOM = 32 * 1024,      /* in which small pieces are gathered: */
    SMALL_PIECE = 1024,
};

/* A positive whole number; optional where there is a standard. */
static void check_count(lua_State *L, int index, const char *function, const char *what, size_t standard) {
    if (standard && lua_isnoneornil(L, index)) {
        return;
    }
    double n = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || !(n >= 1 && n <= INT_MAX) || n != floor(n)) {
        throw(L, "%s: %s must be a whole number from 1 to %d, got %s", function, what, INT_MAX,
              lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    }
}

/* It, once it was checked. */
static size_t count(lua_State *L, int index, size_t standard) {
    return lua_isnoneornil(L, index) ? standard : (size_t)lua_tonumber(L, index);
}

/* ---- reading ---- */

static void check_read(lua_State *L, op *o) {
    (void)o;
    check_count(L, 2, "read", "max", READ_MAX);
}

static int attempt_read(lua_State *L, op *o) {
    int status = reading_fill(o, 1);
    if (status < 0) {
        return status;
    }
    size_t unread = stream_unread(o->io), max = count(L, 2, READ_MAX);
    return reading_push(L, o->io, unread < max ? unread : max);
}

/* read(stream, max) -> bytes | nil, err, code */
static int stream_read(lua_State *L) {
    static const op_kind kind = READING("read", check_read, attempt_read, NULL);
    return op_run(L, &kind);
}

static void check_peek(lua_State *L, op *o) {
    (void)o;
    check_count(L, 2, "peek", "min", 1);
}

static int attempt_peek(lua_State *L, op *o) {
    int status = reading_fill(o, count(L, 2, 1));
    if (status < 0) {
        return status;
    }
    if (lua_toboolean(L, 3)) {
        lua_pushnumber(L, (lua_Number)stream_unread(o->io));
    } else {
        reading_copy(L, o->io, stream_unread(o->io));
    }
    return 1;
}

/* peek(stream, min, counts) -> the unread bytes, min or more, or only their number; they stay unread | nil, err, code */
static int stream_peek(lua_State *L) {
    static const op_kind kind = READING("peek", check_peek, attempt_peek, NULL);
    return op_run(L, &kind);
}

static void check_read_exact(lua_State *L, op *o) {
    (void)o;
    check_count(L, 2, "read_exact", "n", 0);
}

static int attempt_read_exact(lua_State *L, op *o) {
    size_t n = count(L, 2, 0);
    int status = reading_fill(o, n);
    return status < 0 ? status : reading_push(L, o->io, n);
}

/* read_exact(stream, n) -> bytes | nil, err, code */
static int stream_read_exact(lua_State *L) {
    static const op_kind kind = READING("read_exact", check_read_exact, attempt_read_exact, NULL);
    return op_run(L, &kind);
}

static void check_read_until(lua_State *L, op *o) {
    if (lua_type(L, 2) != LUA_TSTRING || lua_objlen(L, 2) == 0) {
        throw(L, "read_until: delim must be a string of 1 byte or more, got %s",
              lua_type(L, 2) == LUA_TSTRING ? "an empty one" : luaL_typename(L, 2));
    }
    check_count(L, 3, "read_until", "max", READ_MAX);
    if (o->io) {
        o->io->searched = 0;
    }
}

static int attempt_read_until(lua_State *L, op *o) {
    size_t size, max = count(L, 3, READ_MAX);
    const char *delimiter = lua_tolstring(L, 2, &size);
    int status;
    for (status = reading_fill(o, 0); status == 0; status = reading_fill(o, stream_unread(o->io) + 1)) {
        size_t unread = stream_unread(o->io), searched = o->io->searched;
        if (unread > max) {
            unread = max;
        }
        const char *bytes = unread ? stream_bytes(o->io) : NULL;
        const char *found = unread > searched ? memmem(bytes + searched, unread - searched, delimiter, size) : NULL;
        if (found) {
            return reading_push(L, o->io, (size_t)(found - bytes) + size);
        }
        if (unread == max) {
            return UV_ENOBUFS;
        }
        o->io->searched = unread >= size ? (uint32_t)(unread - size + 1) : 0;
    }
    return status;
}

static int push_until_failure(lua_State *L, int code) {
    if (code != UV_ENOBUFS) {
        return push_failure(L, code);
    }
    lua_pushnil(L);
    lua_pushfstring(L, "ENOBUFS: no delimiter within %d bytes", (int)count(L, 3, READ_MAX));
    lua_pushliteral(L, "ENOBUFS");
    return 3;
}

/* read_until(stream, delim, max) -> bytes | nil, err, code */
static int stream_read_until(lua_State *L) {
    static const op_kind kind = READING("read_until", check_read_until, attempt_read_until, push_until_failure);
    return op_run(L, &kind);
}

/* ---- writing ---- */

/* Not fresh: it is still in the queue, or its write is under way. */
static bool writes(const op *o) {
    return o->io->writer == slab_id(&o->task->head);
}

/* The pieces of an array are looked at when its turn has come. */
static void check_write(lua_State *L, op *o) {
    (void)o;
    if (lua_type(L, 2) == LUA_TSTRING) {
        return;
    }
    if (lua_type(L, 2) != LUA_TTABLE) {
        throw(L, "write: data must be a string or an array of strings, got %s", luaL_typename(L, 2));
    }
    if (lua_objlen(L, 2) == 0) {
        lua_pushnil(L);
        if (lua_next(L, 2)) {
            throw(L, "write: data must be a string or an array of strings, got a table without a place 1");
        }
    }
}

/* In place of an answer. */
enum {
    BAD_PIECE = UV_EAI_BADHINTS, /* it is no string */
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

static int write_string(lua_State *L, op *o) {
    io *stream = o->io;
    size_t size, burst = stream->written + WRITE_BURST;
    const char *bytes = lua_tolstring(L, 2, &size);
    while (stream->written < size) {
        if (stream->written >= burst && o->timeout != 0) {
            return OP_LET_OTHERS;
        }
        const struct iovec rest = {(char *)(uintptr_t)bytes + stream->written, size - stream->written};
        ssize_t n = stream_write(stream, &rest, 1);
        if (n < 0) {
            return (int)n;
        }
        stream->written += (size_t)n;
    }
    return end_write(L, stream);
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

/* The i-th piece, from 0; NULL: it is no string. As nothing here allocates, it stays where it is. */
static const char *piece_at(lua_State *L, unsigned i, size_t *size) {
    lua_rawgeti(L, 2, (int)i + 1);
    const char *bytes = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, size) : NULL;
    lua_pop(L, 1);
    return bytes;
}

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

/* As many of the next pieces as one batch takes. False: one of them is no string. */
static bool gather(lua_State *L, const io *stream, batch *b) {
    b->count = 0;
    b->total = b->gathered = 0;
    b->piece = stream->piece;
    b->offset = 0;
    for (size_t offset = stream->offset; b->piece < stream->pieces; b->piece++, offset = 0) {
        size_t size;
        const char *bytes = piece_at(L, b->piece, &size);
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
    size_t size;
    while (n > 0 && piece_at(L, stream->piece, &size) && n >= size) {
        n -= size;
        stream->piece++;
    }
    stream->offset = (uint32_t)n;
}

/* Looks at pieces before the first of them is written: 0, or a code. */
static int look_at_pieces(lua_State *L, op *o) {
    io *stream = o->io;
    unsigned n = (unsigned)lua_objlen(L, 2), begin = stream->piece;
    for (size_t size; stream->piece < n; stream->piece++) {
        if (stream->piece - begin >= PIECES_BURST && o->timeout != 0) {
            return OP_LET_OTHERS;
        }
        if (!piece_at(L, stream->piece, &size)) {
            return BAD_PIECE;
        }
    }
    stream->pieces = n;
    stream->piece = 0;
    return 0;
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
            return OP_LET_OTHERS;
        }
        batch b;
        if (!gather(L, stream, &b)) {
            return CHANGED;
        }
        ssize_t n = b.count ? stream_write(stream, b.places, b.count) : 0;
        if (n < 0) {
            return (int)n;
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

static int attempt_write(lua_State *L, op *o) {
    if (o->io->broken) {
        return UV_EPIPE;
    }
    if (!writes(o) && !stream_begin_write(o->io, o->task)) {
        return UV_EAGAIN;
    }
    return lua_type(L, 2) == LUA_TSTRING ? write_string(L, o) : write_pieces(L, o);
}

static int park_writer(lua_State *L, op *o) {
    (void)L;
    if (!writes(o)) {
        stream_wait_turn(o->io, o->task, o->deadline_ms);
        return 0;
    }
    return io_wait(o->io, o->task, UV_WRITABLE, "write", o->deadline_ms, true);
}

static void leave_writer(lua_State *L, op *o) {
    (void)L;
    if (o->io) {
        stream_cut_write(o->io, o->task);
    }
}

/* The first piece that is no string. */
static int throw_bad_piece(lua_State *L) {
    size_t size;
    unsigned i = 0;
    while (piece_at(L, i, &size)) {
        i++;
    }
    lua_rawgeti(L, 2, (int)i + 1);
    return throw(L, "write: piece %d must be a string, got %s", (int)i + 1, luaL_typename(L, -1));
}

static int push_write_failure(lua_State *L, int code) {
    switch (code) {
    case BAD_PIECE: return throw_bad_piece(L);
    case CHANGED: return throw(L, "write: the data was changed while it was written");
    default: return push_failure(L, code);
    }
}

/* write(stream, data) -> bytes | nil, err, code */
static int stream_write_all(lua_State *L) {
    static const op_kind kind = {.name = "write",
                                 .token = 1,
                                 .direction = UV_WRITABLE,
                                 .check = check_write,
                                 .attempt = attempt_write,
                                 .park = park_writer,
                                 .leave = leave_writer,
                                 .fail = push_write_failure};
    return op_run(L, &kind);
}

static const function functions[] = {
    {"read", stream_read},
    {"peek", stream_peek},
    {"read_exact", stream_read_exact},
    {"read_until", stream_read_until},
    {"write", stream_write_all},
    {NULL, NULL},
};
const module stream_module = {.functions = functions};
