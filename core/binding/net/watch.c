/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are somebody else's. io.poll: first a look, then a watch for this one wait; io.watch: one for many.
 */
#include "net/watch.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/op.h"

static const char *const names[] = {[UV_READABLE] = "r", [UV_WRITABLE] = "w", [UV_READABLE | UV_WRITABLE] = "rw"};

static int check_descriptor(lua_State *L, const char *function) {
    double fd = lua_tonumber(L, 1);
    if (lua_type(L, 1) != LUA_TNUMBER || !(fd >= 0 && fd <= INT_MAX) || fd != floor(fd)) {
        throw(L, "%s: argument 1 must be the number of a descriptor, got %s", function,
              lua_type(L, 1) == LUA_TNUMBER ? lua_tostring(L, 1) : luaL_typename(L, 1));
    }
    return (int)fd;
}

static int check_events(lua_State *L, int index, const char *function) {
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    for (int events = UV_READABLE; events <= (UV_READABLE | UV_WRITABLE); events++) {
        if (strcmp(name, names[events]) == 0 && strlen(name) == lua_objlen(L, index)) {
            return events;
        }
    }
    const char *got = lua_type(L, index) != LUA_TSTRING      ? luaL_typename(L, index)
                      : strlen(name) == lua_objlen(L, index) ? name
                                                             : "a text with a zero byte";
    return throw(L, "%s: the events must be \"r\", \"w\" or \"rw\", got %s", function, got);
}

static int push_ready(lua_State *L, int events) {
    lua_pushstring(L, names[events]);
    return 1;
}

static int push_failed_look(lua_State *L, int code) {
    if (code != UV_EPERM) {
        return push_failure(L, code);
    }
    lua_pushnil(L);
    lua_pushliteral(L, "EPERM: operation not permitted: there is nothing to wait for with a file or folder");
    lua_pushliteral(L, "EPERM");
    return 3;
}

/* __gc */
static int collect(lua_State *L) {
    momo_close(&runtime_of(L)->executor, lua_touserdata(L, 1));
    return 0;
}

static const metatable watch_metatable = {"momo.watch", collect, UP_WATCH};

static void check_look(lua_State *L, op *o) {
    check_descriptor(L, "io.poll");
    check_events(L, 2, "io.poll");
    o->timeout = check_seconds(L, 3, "io.poll");
}

/* What is not ready yet has to be watched: that is another operation. */
static int attempt_look(lua_State *L, op *o) {
    int fd = check_descriptor(L, "io.poll"), events = check_events(L, 2, "io.poll"), ready = watch_look(fd, events);
    if (ready != 0) {
        return ready < 0 ? ready : push_ready(L, ready);
    }
    if (o->timeout == 0) {
        return UV_EAGAIN;
    }
    momo_token *token = push_object(L, sizeof *token, &watch_metatable);
    io *watch;
    int status = watch_open(o->task->executor, fd, events, &watch);
    if (status == 0) {
        *token = io_token(watch);
    }
    return status < 0 ? status : 1;
}

/* poll_look(fd, events, timeout) -> "r" | "w" | "rw" | watch | nil, err, code */
static int poll_look(lua_State *L) {
    static const op_kind kind = {
        .name = "io.poll", .check = check_look, .attempt = attempt_look, .fail = push_failed_look};
    return op_run(L, &kind);
}

static void check_wait(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 2, "io.poll");
}

static void leave(lua_State *L, op *o) {
    momo_close(o->task->executor, lua_touserdata(L, 1));
}

static int attempt_wait(lua_State *L, op *o) {
    int ready = watch_ready(o->io);
    if (ready == 0) {
        return UV_EAGAIN;
    }
    io_close(o->io);
    return push_ready(L, ready);
}

/* poll_wait(watch, timeout) -> "r" | "w" | "rw" | nil, err, code; the watch is closed at the end */
static int poll_wait(lua_State *L) {
    static const op_kind kind = {.name = "io.poll",
                                 .token = 1,
                                 .direction = UV_READABLE,
                                 .waits_first = true,
                                 .check = check_wait,
                                 .attempt = attempt_wait,
                                 .leave = leave};
    return op_run(L, &kind);
}

/* ---- watches for many waits ---- */

/* watch_new(fd, events) -> watch | nil, err, code */
static int watch_new(lua_State *L) {
    int fd = check_descriptor(L, "io.watch"), events = check_events(L, 2, "io.watch");
    momo_token *token = push_object(L, sizeof *token, &watch_metatable);
    io *watch;
    int status = watch_look(fd, events);
    if (status >= 0) {
        status = watch_open(open_executor(L), fd, events, &watch);
    }
    if (status < 0) {
        return push_failed_look(L, status);
    }
    *token = io_token(watch);
    return 1;
}

static io *watch_at(lua_State *L) {
    return io_get(&runtime_of_task(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
}

/* watch_set_events(watch, events) -> true | nil, err, code */
static int watch_set_events(lua_State *L) {
    int events = check_events(L, 2, "set_events");
    io *watch = watch_at(L);
    int status = watch ? watch_change(watch, events) : UV_EBADF;
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static void check_watch_wait(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 2, "wait");
}

/* All who wait are told: what one of them does may leave nothing for the next, who looks for itself. */
static int attempt_watch_wait(lua_State *L, op *o) {
    int ready = watch_ready(o->io);
    if (ready == 0) {
        return UV_EAGAIN;
    }
    io_wake_first(o->io, UV_READABLE);
    return push_ready(L, ready);
}

/* watch_wait(watch, timeout) -> "r" | "w" | "rw" | nil, err, code */
static int watch_wait(lua_State *L) {
    static const op_kind kind = {.name = "watch:wait",
                                 .token = 1,
                                 .direction = UV_READABLE,
                                 .check = check_watch_wait,
                                 .attempt = attempt_watch_wait};
    return op_run(L, &kind);
}

/* watch_is_ready(watch): also once it is closed. Allocates nothing. */
static int watch_is_ready(lua_State *L) {
    const io *watch = watch_at(L);
    lua_pushboolean(L, !watch || watch_ready(watch) != 0);
    return 1;
}

/* watch_arm(watch) -> 0, or a code: from now on there are events. Allocates nothing. */
static int watch_arm(lua_State *L) {
    io *watch = watch_at(L);
    lua_pushinteger(L, watch ? io_watch(watch, watch->read_waits) : 0);
    return 1;
}

static const metatable *const metatables[] = {&watch_metatable, NULL};
static const function functions[] = {
    {"poll_look", poll_look},   {"poll_wait", poll_wait},
    {"watch_new", watch_new},   {"watch_set_events", watch_set_events},
    {"watch_wait", watch_wait}, {"watch_is_ready", watch_is_ready},
    {"watch_arm", watch_arm},   {NULL, NULL},
};
const module watch_module = {.functions = functions, .metatables = metatables};
