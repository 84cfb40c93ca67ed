/* SPDX-License-Identifier: MIT
 *
 * Copying as Lua sees it. Its state is a userdata, so that a pipe is closed whatever becomes of the task.
 */
#include "net/copy.h"
#include "binding/suspend.h"

enum {
    COPY_BURST = 4 * 1024 * 1024, /* bytes after which a copy that never waits lets others have a turn, */
    STEP_LEAST = 64 * 1024,       /* where each step counts as so many at least */
};

/* __gc of copies */
static int copy_collect(lua_State *L) {
    copy_end(lua_touserdata(L, 1), &runtime_of(L)->executor, NULL);
    return 0;
}

static const metatable copy_metatable = {"momo.copy", copy_collect, 0};

/* copy_new([n]) -> copy */
static int copy_new(lua_State *L) {
    copy *c = push_object(L, sizeof *c, &copy_metatable);
    bool all = lua_isnoneornil(L, 1) || lua_tonumber(L, 1) >= 0x1p64;
    copy_init(c, all ? UINT64_MAX : (uint64_t)lua_tonumber(L, 1));
    return 1;
}

/* Gives back what the task had of both streams; what was not written is unread again. */
static void leave(copy *c, task *t, io *from, io *to) {
    copy_end(c, t->executor, from);
    if (from && from->reader == slab_id(&t->head)) {
        from->reader = 0;
    }
    if (to && to->writer == slab_id(&t->head)) {
        stream_end_write(to);
    }
}

static int push_side(lua_State *L, const char *side) {
    lua_pushstring(L, side);
    return 4;
}

/* Waits for one side. True: parked. */
static bool wait(copy *c, task *t, io *o, int direction, int *code) {
    if (o->timeout == 0) {
        *code = UV_ETIMEDOUT;
        return false;
    }
    uint64_t deadline_ms = c->waits == direction ? t->deadline_ms : suspend_deadline(t, o->timeout);
    *code = io_wait(o, t, direction, "copy", deadline_ms, direction == UV_WRITABLE);
    c->waits = (uint8_t)direction;
    return *code == 0;
}

/* One step. UV_EAGAIN: the side has to wait. A stream that must not wait is asked, whatever is known of it. */
static ssize_t step(copy *c, io *from, io *to, bool gives) {
    io *o = gives ? to : from;
    if (o->timeout == 0) {
        o->ready |= gives ? UV_WRITABLE : UV_READABLE;
    }
    if (!gives) {
        return copy_take(c, from, to);
    }
    return to->broken ? UV_EPIPE : copy_give(c, from, to);
}

/* copy(copy, from, to) -> bytes | nil, err, code, side */
static int stream_copy(lua_State *L) {
    copy *c = lua_touserdata(L, 1);
    const momo_token *from_token = lua_touserdata(L, 2), *to_token = lua_touserdata(L, 3);
    enum wake wake;
    task *t = suspend_enter(L, "copy", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    const uint64_t id = slab_id(&t->head);
    io *from = io_get(t->executor, *from_token), *to = io_get(t->executor, *to_token);
    bool gives = from && copy_holds(c, from);
    int code = 0;
    if (wake == WAKE_CANCEL) {
        leave(c, t, from, to);
        return suspend_cancelled(L, t);
    }
    if (!from || !to) {
        gives = from != NULL;
        code = wake == WAKE_NONE ? UV_EBADF : UV_ECANCELED;
    } else if (wake == WAKE_TIMEOUT) {
        gives = c->waits == UV_WRITABLE;
        code = UV_ETIMEDOUT;
    } else if (from->reader != id && from->reader && task_get(t->executor, from->reader)) {
        gives = false;
        code = UV_EBUSY;
    } else {
        from->reader = id;
    }
    for (size_t moved = 0; code == 0 && c->left > 0;) {
        gives = copy_holds(c, from);
        if (gives && to->writer != id && !to->broken && !stream_begin_write(to, t)) {
            if (t->cancelled) {
                leave(c, t, from, to);
                return suspend_cancelled(L, t);
            }
            if (to->timeout == 0) {
                code = UV_ETIMEDOUT;
                break;
            }
            c->waits = UV_WRITABLE;
            stream_wait_turn(to, t, suspend_deadline(t, to->timeout));
            return lua_yield(L, 0);
        }
        ssize_t n = step(c, from, to, gives);
        if (n >= 0) {
            moved += n > STEP_LEAST ? (size_t)n : STEP_LEAST;
            c->waits = 0;
            if (to->writer == id && !copy_holds(c, from)) {
                stream_end_write(to);
            }
            if (moved < COPY_BURST) {
                continue;
            }
        }
        if ((n >= 0 || n == UV_EAGAIN) && t->cancelled) {
            leave(c, t, from, to);
            return suspend_cancelled(L, t);
        }
        if (n >= 0) {
            task_yield(t, WAKE_READY);
            return lua_yield(L, 0);
        }
        code = (int)n;
        if (n == UV_EAGAIN && wait(c, t, gives ? to : from, gives ? UV_WRITABLE : UV_READABLE, &code)) {
            return lua_yield(L, 0);
        }
    }
    leave(c, t, from, to);
    if (code < 0 && (gives || code != UV_EOF)) {
        push_failure(L, code);
        return push_side(L, gives ? "to" : "from");
    }
    lua_pushnumber(L, (lua_Number)c->done);
    return 1;
}

static const metatable *const metatables[] = {&copy_metatable, NULL};
static const function functions[] = {
    {"copy_new", copy_new},
    {"copy", stream_copy},
    {NULL, NULL},
};
const module copy_module = {.functions = functions, .metatables = metatables};
