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
    IOV_PIECES = 64,             /* pieces in one send */
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
        lua_pushlstring(L, stream_bytes(o->io), stream_unread(o->io));
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
    o->task->progress = 0;
}

/* t->progress: unread bytes in which no delimiter begins */
static int attempt_read_until(lua_State *L, op *o) {
    size_t size, max = count(L, 3, READ_MAX);
    const char *delimiter = lua_tolstring(L, 2, &size);
    int status;
    for (status = reading_fill(o, 0); status == 0; status = reading_fill(o, stream_unread(o->io) + 1)) {
        size_t unread = stream_unread(o->io), searched = (size_t)o->task->progress;
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
        o->task->progress = unread >= size ? unread - size + 1 : 0;
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

/* The bytes of the data at index 2, a string or an array of strings; or -1, and a text that says what is wrong is
 * pushed. */
static ssize_t measure_data(lua_State *L) {
    if (lua_type(L, 2) == LUA_TSTRING) {
        return (ssize_t)lua_objlen(L, 2);
    }
    if (lua_type(L, 2) != LUA_TTABLE) {
        lua_pushfstring(L, "write: data must be a string or an array of strings, got %s", luaL_typename(L, 2));
        return -1;
    }
    ssize_t total = 0;
    int n = (int)lua_objlen(L, 2);
    if (n == 0) {
        lua_pushnil(L);
        if (lua_next(L, 2)) {
            lua_pushliteral(L, "write: data must be a string or an array of strings, got a table without a place 1");
            return -1;
        }
    }
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pushfstring(L, "write: piece %d must be a string, got %s", i, luaL_typename(L, -1));
            return -1;
        }
        total += (ssize_t)lua_objlen(L, -1);
        lua_pop(L, 1);
    }
    return total;
}

/* Writes once, from the offset on. Nothing here allocates, so the strings stay where they are. */
static ssize_t write_once(lua_State *L, io *o, size_t offset) {
    struct iovec pieces[IOV_PIECES];
    int count = 0;
    bool table = lua_type(L, 2) == LUA_TTABLE;
    int n = table ? (int)lua_objlen(L, 2) : 1;
    for (int i = 1; i <= n && count < IOV_PIECES; i++) {
        size_t size;
        if (table) {
            lua_rawgeti(L, 2, i);
        } else {
            lua_pushvalue(L, 2);
        }
        const char *bytes = lua_tolstring(L, -1, &size);
        lua_pop(L, 1);
        if (offset >= size) {
            offset -= size;
            continue;
        }
        pieces[count++] = (struct iovec){(char *)(uintptr_t)bytes + offset, size - offset};
        offset = 0;
    }
    return stream_write(o, pieces, count);
}

/* Not fresh: it is still in the queue, or its write is under way. */
static bool writes(const op *o) {
    return o->io->writer == slab_id(&o->task->head);
}

static void check_write(lua_State *L, op *o) {
    (void)o;
    if (measure_data(L) < 0) {
        throw(L, "%s", lua_tostring(L, -1));
    }
}

enum { CHANGED = UV_EAI_BADFLAGS }; /* in place of an answer: the data was, while it was written */

static int attempt_write(lua_State *L, op *o) {
    io *stream = o->io;
    if (stream->broken) {
        return UV_EPIPE;
    }
    if (!writes(o) && !stream_begin_write(stream, o->task)) {
        return UV_EAGAIN;
    }
    ssize_t total = measure_data(L);
    if (total < 0 || (o->task->progress > 0 && total != stream->writing)) {
        return CHANGED;
    }
    stream->writing = total;
    for (size_t written = 0; o->task->progress < (size_t)total;) {
        if (written >= WRITE_BURST && o->timeout != 0) { /* the peer keeps up */
            return OP_LET_OTHERS;
        }
        ssize_t n = write_once(L, stream, o->task->progress);
        if (n < 0) {
            return (int)n;
        }
        o->task->progress += (size_t)n;
        written += (size_t)n;
    }
    int status = stream_flush(stream);
    if (status < 0) {
        return status;
    }
    stream_end_write(stream);
    lua_pushnumber(L, (lua_Number)total);
    return 1;
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

static int push_write_failure(lua_State *L, int code) {
    return code == CHANGED ? throw(L, "write: the data was changed while it was written") : push_failure(L, code);
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
