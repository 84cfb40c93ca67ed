/* SPDX-License-Identifier: MIT
 *
 * Reading and writing as Lua sees them. A stream is a userdata that holds a token; Lua has checked that it is one, which
 * compiled code does in a tenth of the time.
 */
#include "net/stream.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/suspend.h"

enum {
    READ_MAX = EXECUTOR_SCRATCH, /* bytes, where the caller names no other limit */
    WRITE_BURST = 1024 * 1024,   /* bytes after which a write that never waits lets others have a turn */
    IOV_PIECES = 64,             /* pieces in one send */
};

/* A positive whole number; optional where there is a standard. */
static size_t check_count(lua_State *L, int index, const char *function, const char *what, size_t standard) {
    if (standard && lua_isnoneornil(L, index)) {
        return standard;
    }
    double n = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || !(n >= 1 && n <= INT_MAX) || n != floor(n)) {
        throw(L, "%s: %s must be a whole number from 1 to %d, got %s", function, what, INT_MAX,
              lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    }
    return (size_t)n;
}

/* ---- reading ---- */

/* Enters a read operation. True: go on, with its task and its open stream. False: return
 * *result. */
static bool enter_read(lua_State *L, const char *operation, task **out, io **stream, int *result) {
    const momo_token *token = lua_touserdata(L, 1);
    enum wake wake;
    task *t = *out = suspend_enter(L, operation, &wake);
    io *o = *stream = t ? io_get(t->executor, *token) : NULL;
    if (!t || (o && o->timeout != 0 && suspend_let_others(t, wake))) {
        *result = lua_yield(L, 0);
        return false;
    }
    bool mine = o && o->reader == slab_id(&t->head);
    if (mine) {
        o->reader = 0;
    }
    if (wake == WAKE_CANCEL) {
        suspend_cancelled(L, t);
    } else if (!o) {
        *result = push_closed(L, wake);
    } else if (wake == WAKE_TIMEOUT) {
        *result = push_failure(L, UV_ETIMEDOUT);
    } else if (!mine && o->reader && task_get(t->executor, o->reader)) {
        *result = push_failure(L, UV_EBUSY);
    } else {
        if (!mine) { /* a fresh call */
            t->deadline_ms = suspend_deadline(t, o->timeout);
            t->progress = 0;
            if (o->timeout == 0) { /* it won't wait for an event: ask */
                o->ready |= UV_READABLE;
            }
        }
        return true;
    }
    return false;
}

/* Reads more: true; or else return *result: parked, or a failure that leaves what is unread. */
static bool read_more(lua_State *L, const char *operation, task *t, io *o, size_t want, int *result) {
    ssize_t n = stream_fill(o, want);
    if (n > 0) {
        return true;
    }
    if (n == UV_EAGAIN) {
        if (t->cancelled) {
            suspend_cancelled(L, t);
        }
        n = o->timeout == 0 ? UV_ETIMEDOUT : io_wait(o, t, UV_READABLE, operation, t->deadline_ms, false);
        if (n == 0) {
            o->reader = slab_id(&t->head);
            *result = lua_yield(L, 0);
            return false;
        }
    }
    *result = push_failure(L, (int)n);
    return false;
}

/* The string is pushed first: that may raise, or run a finalizer that closes the stream, whose bytes stay until the
 * loop has seen the close. */
static int push_bytes(lua_State *L, io *o, size_t n) {
    lua_pushlstring(L, stream_bytes(o), n);
    stream_consume(o, n);
    return 1;
}

/* read(stream, max) */
static int stream_read(lua_State *L) {
    size_t max = check_count(L, 2, "read", "max", READ_MAX);
    task *t;
    io *o;
    int result;
    if (!enter_read(L, "read", &t, &o, &result)) {
        return result;
    }
    if (!stream_unread(o) && !read_more(L, "read", t, o, 1, &result)) {
        return result;
    }
    size_t unread = stream_unread(o);
    return push_bytes(L, o, unread < max ? unread : max);
}

/* peek(stream, min, counts) -> the unread bytes, min or more, or only their number; they stay unread */
static int stream_peek(lua_State *L) {
    size_t min = check_count(L, 2, "peek", "min", 1);
    task *t;
    io *o;
    int result;
    if (!enter_read(L, "peek", &t, &o, &result)) {
        return result;
    }
    while (stream_unread(o) < min) {
        if (!read_more(L, "peek", t, o, min, &result)) {
            return result;
        }
    }
    if (lua_toboolean(L, 3)) {
        lua_pushnumber(L, (lua_Number)stream_unread(o));
    } else {
        lua_pushlstring(L, stream_bytes(o), stream_unread(o));
    }
    return 1;
}

/* read_exact(stream, n) */
static int stream_read_exact(lua_State *L) {
    size_t n = check_count(L, 2, "read_exact", "n", 0);
    task *t;
    io *o;
    int result;
    if (!enter_read(L, "read_exact", &t, &o, &result)) {
        return result;
    }
    while (stream_unread(o) < n) {
        if (!read_more(L, "read_exact", t, o, n, &result)) {
            return result;
        }
    }
    return push_bytes(L, o, n);
}

/* read_until(stream, delim, max) */
static int stream_read_until(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING || lua_objlen(L, 2) == 0) {
        return throw(L, "read_until: delim must be a string of 1 byte or more, got %s",
                     lua_type(L, 2) == LUA_TSTRING ? "an empty one" : luaL_typename(L, 2));
    }
    size_t size, max = check_count(L, 3, "read_until", "max", READ_MAX);
    const char *delimiter = lua_tolstring(L, 2, &size);
    task *t;
    io *o;
    int result;
    if (!enter_read(L, "read_until", &t, &o, &result)) {
        return result;
    }
    for (;;) { /* t->progress: unread bytes in which no delimiter begins */
        size_t unread = stream_unread(o), searched = (size_t)t->progress;
        if (unread > max) {
            unread = max;
        }
        const char *bytes = unread ? stream_bytes(o) : NULL;
        const char *found = unread > searched ? memmem(bytes + searched, unread - searched, delimiter, size) : NULL;
        if (found) {
            return push_bytes(L, o, (size_t)(found - bytes) + size);
        }
        if (unread == max) {
            lua_pushnil(L);
            lua_pushfstring(L, "ENOBUFS: no delimiter within %d bytes", (int)max);
            lua_pushliteral(L, "ENOBUFS");
            return 3;
        }
        t->progress = unread >= size ? unread - size + 1 : 0;
        if (!read_more(L, "read_until", t, o, 1, &result)) {
            return result;
        }
    }
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

/* write(stream, data) */
static int stream_write_all(lua_State *L) {
    const momo_token *token = lua_touserdata(L, 1);
    ssize_t measured = measure_data(L);
    enum wake wake;
    task *t = suspend_enter(L, "write", &wake);
    io *o = t ? io_get(t->executor, *token) : NULL;
    if (!t || (o && o->timeout != 0 && suspend_let_others(t, wake))) {
        return lua_yield(L, 0);
    }
    bool mine = o && o->writer == slab_id(&t->head); /* it goes on; else the call is fresh, or still in the queue */
    bool changed = mine && t->progress > 0 && measured != o->writing;
    if (mine && (wake < WAKE_NONE || changed)) {
        stream_cut_write(o, t);
    }
    if (changed) {
        return throw(L, "write: the data was changed while it was written");
    }
    if (measured < 0) {
        return throw(L, "%s", lua_tostring(L, -1));
    }
    size_t total = (size_t)measured;
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (!o) {
        return push_closed(L, wake);
    }
    if (wake == WAKE_TIMEOUT) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    if (!mine && wake == WAKE_NONE) {
        t->deadline_ms = suspend_deadline(t, o->timeout);
        if (o->timeout == 0) { /* it won't wait for an event: ask */
            o->ready |= UV_WRITABLE;
        }
        if (!o->broken && !stream_begin_write(o, t)) {
            if (o->timeout == 0) {
                return push_failure(L, UV_ETIMEDOUT);
            }
            stream_wait_turn(o, t, t->deadline_ms);
            return lua_yield(L, 0);
        }
    }
    o->writing = measured;
    ssize_t n = o->broken ? UV_EPIPE : 0;
    for (size_t written = 0; n >= 0 && t->progress < total; written += (size_t)n) {
        if (written >= WRITE_BURST && o->timeout != 0) { /* the peer keeps up: let the others have a turn */
            task_yield(t, WAKE_READY);
            return lua_yield(L, 0);
        }
        n = write_once(L, o, t->progress);
        t->progress += n > 0 ? (size_t)n : 0;
    }
    if (n == UV_EAGAIN) {
        if (t->cancelled) {
            stream_cut_write(o, t);
            return suspend_cancelled(L, t);
        }
        n = o->timeout == 0 ? UV_ETIMEDOUT : io_wait(o, t, UV_WRITABLE, "write", t->deadline_ms, true);
        if (n == 0) {
            return lua_yield(L, 0);
        }
    }
    if (n < 0) {
        stream_cut_write(o, t);
        return push_failure(L, (int)n);
    }
    stream_end_write(o);
    lua_pushnumber(L, (lua_Number)total);
    return 1;
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
