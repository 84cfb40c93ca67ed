/* SPDX-License-Identifier: MIT
 *
 * io.poll: first a look, then a userdata that is a watch.
 */
#include "net/watch.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding/net.h"

static const char *const names[] = {[UV_READABLE] = "r", [UV_WRITABLE] = "w", [UV_READABLE | UV_WRITABLE] = "rw"};

static int check_descriptor(lua_State *L) {
    double fd = lua_tonumber(L, 1);
    if (lua_type(L, 1) != LUA_TNUMBER || !(fd >= 0 && fd <= INT_MAX) || fd != floor(fd)) {
        throw(L, "io.poll: argument 1 must be the number of a descriptor, got %s",
              lua_type(L, 1) == LUA_TNUMBER ? lua_tostring(L, 1) : luaL_typename(L, 1));
    }
    return (int)fd;
}

static int check_events(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (int events = UV_READABLE; events <= (UV_READABLE | UV_WRITABLE); events++) {
        if (strcmp(name, names[events]) == 0 && strlen(name) == lua_objlen(L, 2)) {
            return events;
        }
    }
    return throw(L, "io.poll: argument 2 must be \"r\", \"w\" or \"rw\", got %s",
                 lua_type(L, 2) == LUA_TSTRING ? name : luaL_typename(L, 2));
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
    watch_close(lua_touserdata(L, 1), &runtime_of(L)->executor);
    return 0;
}

static const metatable watch_metatable = {"momo.watch", collect, 0};

/* poll_look(fd, events, timeout) -> "r" | "w" | "rw" | watch | nil, err, code */
static int poll_look(lua_State *L) {
    int fd = check_descriptor(L), events = check_events(L);
    double timeout = check_seconds(L, 3, "io.poll");
    enum wake wake;
    task *t = suspend_enter(L, "io.poll", &wake);
    if (!t || (timeout != 0 && suspend_let_others(t, wake))) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    int ready = watch_look(fd, events);
    if (ready < 0) {
        return push_failed_look(L, ready);
    }
    if (ready) {
        lua_pushstring(L, names[ready]);
        return 1;
    }
    if (timeout == 0) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    watch *w = push_object(L, sizeof *w, &watch_metatable);
    w->fd = -1;
    int status = watch_open(w, t->executor, fd, events);
    return status < 0 ? push_failure(L, status) : 1;
}

/* poll_wait(watch, timeout) -> "r" | "w" | "rw" | nil, err, code; the watch is closed at the end */
static int poll_wait(lua_State *L) {
    watch *w = lua_touserdata(L, 1);
    double timeout = check_seconds(L, 2, "io.poll");
    enum wake wake;
    task *t = suspend_enter(L, "io.poll", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    io *o = io_get(t->executor, w->token);
    int ready = wake == WAKE_READY ? watch_ready(w, o) : 0;
    if (ready == 0 && (wake == WAKE_NONE || wake == WAKE_READY) && !t->cancelled) {
        uint64_t deadline_ms = wake == WAKE_NONE ? suspend_deadline(t, timeout) : t->deadline_ms;
        o->ready = 0;
        ready = io_wait(o, t, UV_READABLE, "io.poll", deadline_ms, false);
        if (ready == 0) {
            return lua_yield(L, 0);
        }
    }
    watch_close(w, t->executor);
    if (ready < 0) {
        return push_failure(L, ready);
    }
    if (ready == 0) {
        return wake == WAKE_TIMEOUT ? push_failure(L, UV_ETIMEDOUT) : suspend_cancelled(L, t);
    }
    lua_pushstring(L, names[ready]);
    return 1;
}

static const metatable *const metatables[] = {&watch_metatable, NULL};
static const function functions[] = {
    {"poll_look", poll_look},
    {"poll_wait", poll_wait},
    {NULL, NULL},
};
const module watch_module = {.functions = functions, .metatables = metatables};
