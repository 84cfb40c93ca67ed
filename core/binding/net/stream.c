/* SPDX-License-Identifier: MIT
 *
 * Reading as Lua sees it. A stream is a userdata that holds a token; Lua has checked that it is one, which
 * compiled code does in a tenth of the time.
 */
#include "net/stream.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/net/buffer.h"
#include "binding/net/reading.h"

enum {
    READ_MAX = EXECUTOR_SCRATCH, /* bytes, where the caller names no other limit */
};

/* A positive whole number; optional where there is a standard. */
OP_HOT void check_count(lua_State *L, int index, const char *function, const char *what, size_t standard) {
    if (standard && lua_isnoneornil(L, index)) {
        return;
    }
    double n = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || !(n >= 1 && n <= INT_MAX) || n != floor(n)) {
        throw(L, "%s: %s must be a whole number from 1 to %d, got %s", function, what, INT_MAX,
              lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    }
}

/* It, once it was checked: nil is no number. */
static size_t count(lua_State *L, int index, size_t standard) {
    double n = lua_tonumber(L, index);
    return n != 0 ? (size_t)n : standard;
}

static void check_read(lua_State *L, op *o) {
    check_count(L, 2, "read", "max", READ_MAX);
    op_check_timeout(L, o, 3);
}

static int attempt_read(lua_State *L, op *o) {
    int status = reading_fill(o, 1);
    if (status < 0) {
        return status;
    }
    size_t unread = stream_unread(o->io), max = count(L, 2, READ_MAX);
    return reading_push(L, o->io, unread < max ? unread : max);
}

/* read(stream, max, timeout) -> bytes | nil, err, code */
static int stream_read(lua_State *L) {
    static const op_kind kind = READING("read", check_read, attempt_read, NULL);
    return op_run(L, &kind);
}

static void check_read_into(lua_State *L, op *o) {
    if (!is_buffer(L, 2)) {
        throw(L, "read_into: buffer must be a string.buffer, got %s", luaL_typename(L, 2));
    }
    check_count(L, 3, "read_into", "max", READ_MAX);
    op_check_timeout(L, o, 4);
}

/* A buffer that has room for all that may come is read into. Another one grows with what has come, by way of the scratch: so one
 * whose peer sends nothing, or little, stays small. */
static int attempt_read_into(lua_State *L, op *o) {
    if (reading_another(o)) {
        return UV_EBUSY;
    }
    if (!stream_unread(o->io) && !stream_may_tell(o->io)) {
        return UV_EAGAIN;
    }
    size_t max = count(L, 3, READ_MAX), most = max < READ_MAX ? max : READ_MAX, room;
    char *into;
    bool has_room = buffer_reserve(L, 2, 0, &into, &room);
    if (has_room && room < most) {
        int status = reading_fill(o, 1);
        if (status < 0) {
            return status;
        }
        size_t unread = stream_unread(o->io);
        most = unread < most ? unread : most;
        has_room = buffer_reserve(L, 2, most, &into, &room);
    }
    ssize_t n = has_room ? stream_read_into(o->io, into, most) : UV_ENOMEM;
    if (n < 0) {
        return (int)n;
    }
    buffer_commit(L, 2, (size_t)n);
    buffer_account(L);
    lua_pushnumber(L, (lua_Number)n);
    return 1;
}

/* read_into(stream, buffer, max, timeout) -> bytes | nil, err, code */
static int read_into(lua_State *L) {
    static const op_kind kind = READING("read_into", check_read_into, attempt_read_into, NULL);
    return op_run(L, &kind);
}

static void check_peek(lua_State *L, op *o) {
    check_count(L, 2, "peek", "min", 1);
    op_check_timeout(L, o, 4);
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

/* peek(stream, min, counts, timeout) -> the unread bytes, min or more, or only their number; they stay unread | nil, err, code */
static int stream_peek(lua_State *L) {
    static const op_kind kind = READING("peek", check_peek, attempt_peek, NULL);
    return op_run(L, &kind);
}

static void check_read_exact(lua_State *L, op *o) {
    check_count(L, 2, "read_exact", "n", 0);
    op_check_timeout(L, o, 3);
}

static int attempt_read_exact(lua_State *L, op *o) {
    size_t n = count(L, 2, 0);
    int status = reading_fill(o, n);
    return status < 0 ? status : reading_push(L, o->io, n);
}

/* read_exact(stream, n, timeout) -> bytes | nil, err, code */
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
    op_check_timeout(L, o, 4);
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

/* read_until(stream, delim, max, timeout) -> bytes | nil, err, code */
static int stream_read_until(lua_State *L) {
    static const op_kind kind = READING("read_until", check_read_until, attempt_read_until, push_until_failure);
    return op_run(L, &kind);
}

/* take_back(stream) -> whether its bytes were still lent to a push, which has raised: where a task may suspend, no C function
 * is under way that could still push */
static int stream_take_back(lua_State *L) {
    const task *t = running_task(L);
    io *o = t ? io_get(t->executor, *(const momo_token *)lua_touserdata(L, 1)) : NULL;
    bool stale = o && o->lent && t->top == L && lua_isyieldable(L);
    if (stale) {
        o->lent = false;
    }
    lua_pushboolean(L, stale);
    return 1;
}

static const function functions[] = {
    {"read", stream_read},
    {"read_into", read_into},
    {"peek", stream_peek},
    {"read_exact", stream_read_exact},
    {"read_until", stream_read_until},
    {"take_back", stream_take_back},
    {NULL, NULL},
};
const module stream_module = {.functions = functions};
