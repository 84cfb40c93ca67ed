/* SPDX-License-Identifier: MIT
 *
 * Copying as Lua sees it. Its state is a userdata, so that a pipe is closed whatever becomes of the task.
 */
#include "net/copy.h"
#include "binding/op.h"

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
    c->moved_ms = executor_now_ms(&runtime_of(L)->executor);
    return 1;
}

/* copy_silence(copy) -> seconds since it moved a byte, or was made */
static int copy_silence(lua_State *L) {
    const copy *c = lua_touserdata(L, 1);
    lua_pushnumber(L, (lua_Number)(executor_now_ms(&runtime_of(L)->executor) - c->moved_ms) / 1000);
    return 1;
}

/* A stream of the call; NULL: it is closed. */
static io *stream_at(lua_State *L, int index, const op *o) {
    return io_get(o->task->executor, *(const momo_token *)lua_touserdata(L, index));
}

static bool writes(const op *o, const io *to) {
    return to->writer == slab_id(&o->task->head);
}

/* Gives back what the task has of both streams; what was not written is unread again. */
static void leave(lua_State *L, op *o) {
    copy *c = lua_touserdata(L, 1);
    io *from = stream_at(L, 2, o), *to = stream_at(L, 3, o);
    copy_end(c, o->task->executor, from);
    if (from && from->reader == slab_id(&o->task->head)) {
        from->reader = 0;
    }
    if (to && writes(o, to)) {
        stream_end_write(to);
    }
    c->waits = 0;
    if (!from || !to) {
        c->side = from ? UV_WRITABLE : UV_READABLE;
    }
}

/* Whether the task reads, from now on or already. */
static bool begin_read(const op *o, io *from) {
    uint64_t id = slab_id(&o->task->head);
    if (from->reader != id && from->reader && task_get(o->task->executor, from->reader)) {
        return false;
    }
    from->reader = id;
    return true;
}

/* One system call. A stream that must not wait is asked, whatever is known of it. */
static ssize_t step(copy *c, io *from, io *to) {
    if (c->side == UV_WRITABLE) {
        if (to->timeout == 0) {
            io_ask(to, UV_WRITABLE);
        }
        return to->broken ? UV_EPIPE : copy_give(c, from, to);
    }
    if (from->timeout == 0) {
        io_ask(from, UV_READABLE);
    }
    return copy_take(c, from, to);
}

/* The bytes that lie in the layers of `to` go to its descriptor: they count as given. Where none are of this copy, it is not told
 * that `to` has been shut down. */
static int finish(copy *c, const op *o, io *to) {
    if (!to->pending || (to->broken && !c->done)) {
        return 0;
    }
    c->side = UV_WRITABLE;
    return writes(o, to) || stream_begin_write(to, o->task) ? stream_flush(to) : UV_EAGAIN;
}

/* Steps, until all is done: 0; or a code. c->side is the one that it came from. */
static int move_all(copy *c, op *o, io *from, io *to) {
    size_t moved = 0;
    while (c->left > 0) {
        c->side = copy_holds(c, from) ? UV_WRITABLE : UV_READABLE;
        if (c->side == UV_WRITABLE && !writes(o, to) && !to->broken && !stream_begin_write(to, o->task)) {
            return UV_EAGAIN;
        }
        ssize_t n = step(c, from, to);
        if (n < 0) {
            return n == UV_EOF && c->side == UV_READABLE ? finish(c, o, to) : (int)n;
        }
        c->waits = 0;
        if (writes(o, to) && !copy_holds(c, from)) {
            stream_end_write(to);
        }
        moved += n > STEP_LEAST ? (size_t)n : STEP_LEAST;
        if (moved >= COPY_BURST) {
            return OP_GIVE_WAY;
        }
    }
    return finish(c, o, to);
}

static int attempt(lua_State *L, op *o) {
    copy *c = lua_touserdata(L, 1);
    io *from = stream_at(L, 2, o), *to = stream_at(L, 3, o);
    c->side = UV_READABLE;
    if (!from || !to) {
        return o->woken ? UV_ECANCELED : UV_EBADF;
    }
    uint64_t before = c->done;
    int status = begin_read(o, from) ? move_all(c, o, from, to) : UV_EBUSY;
    if (c->done != before) {
        c->moved_ms = executor_now_ms(o->task->executor);
    }
    if (status < 0) {
        return status;
    }
    leave(L, o);
    lua_pushnumber(L, (lua_Number)c->done);
    return 1;
}

static double limit_of(const io *side, uint8_t direction) {
    return direction == UV_WRITABLE && side->silence_ms != IO_NO_SILENCE ? io_silence(side) : side->timeout;
}

/* Each side has its own limit, unless the call has one for both; it begins anew with each byte. */
static int park(lua_State *L, op *o) {
    copy *c = lua_touserdata(L, 1);
    io *side = stream_at(L, c->side == UV_WRITABLE ? 3 : 2, o);
    double seconds = lua_isnoneornil(L, 4) ? limit_of(side, c->side) : lua_tonumber(L, 4);
    if (seconds == 0) {
        return UV_ETIMEDOUT;
    }
    uint64_t deadline_ms = c->waits == c->side ? o->task->timer.deadline_ms : op_deadline(o->task, seconds);
    c->waits = c->side;
    if (c->side == UV_WRITABLE && !writes(o, side)) {
        stream_wait_turn(side, o->task, deadline_ms);
        return 0;
    }
    return io_wait(side, o->task, c->side, "copy", deadline_ms, c->side == UV_WRITABLE);
}

static int push_side(lua_State *L, int code) {
    bool to = ((const copy *)lua_touserdata(L, 1))->side == UV_WRITABLE;
    io *side = io_get(executor_running, *(const momo_token *)lua_touserdata(L, to ? 3 : 2));
    if (side) {
        side->failed = (int16_t)code;
    }
    push_failure(L, code);
    lua_pushstring(L, to ? "to" : "from");
    return 4;
}

/* copy(copy, from, to, limit) -> bytes | nil, err, code, side */
static int stream_copy(lua_State *L) {
    static const op_kind kind = {.name = "copy", .attempt = attempt, .park = park, .leave = leave, .fail = push_side};
    return op_run(L, &kind);
}

static const metatable *const metatables[] = {&copy_metatable, NULL};
static const function functions[] = {
    {"copy_new", copy_new},
    {"copy_silence", copy_silence},
    {"copy", stream_copy},
    {NULL, NULL},
};
const module copy_module = {.functions = functions, .metatables = metatables};
