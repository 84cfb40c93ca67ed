/* SPDX-License-Identifier: MIT
 *
 * The ends of channels between threads as Lua sees them: each a userdata that points at its end, or at nothing once that
 * was closed or given away.
 */
#include "thread/channel.h"

#include <string.h>

#include "binding/runtime.h"
#include "binding/thread/thread_channel.h"
#include "binding/thread/value.h"

/* Pushes a handle of nothing yet. */
static channel_end **push_handle(lua_State *L, bool sends) {
    channel_end **handle = lua_newuserdata(L, sizeof *handle);
    *handle = NULL;
    value_get_registered(L, sends ? sender_metatable.name : receiver_metatable.name);
    lua_setmetatable(L, -2);
    return handle;
}

channel_end **value_to_end(lua_State *L, int index) {
    bool is_end = false;
    if (lua_getmetatable(L, index)) {
        for (int i = 0; i < 2 && !is_end; i++) {
            luaL_getmetatable(L, i ? sender_metatable.name : receiver_metatable.name);
            is_end = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return is_end ? lua_touserdata(L, index) : NULL;
}

void value_push_end(lua_State *L, char *bytes) {
    channel_end *end, *const none = NULL;
    memcpy(&end, bytes, sizeof end);
    channel_end **handle = push_handle(L, end && end->sends);
    if (!end) {
        return;
    }
    value_get_registered(L, "momo.runtime");
    runtime *rt = lua_touserdata(L, -1);
    lua_pop(L, 1);
    memcpy(bytes, &none, sizeof none);
    channel_arrive(end, &rt->executor, (void **)handle);
}

/* thread_channel(capacity) -> sender, receiver */
static int new_channel(lua_State *L) {
    long capacity = (long)lua_tonumber(L, 1);
    channel_end **tx = push_handle(L, true), **rx = push_handle(L, false);
    sender *s;
    channel *c;
    if (channel_new(open_executor(L), capacity, drop_message, &s, &c) < 0) {
        return luaL_error(L, "not enough memory");
    }
    *tx = &s->end;
    s->end.holder = (void **)tx;
    *rx = &c->receiver;
    c->receiver.holder = (void **)rx;
    return 2;
}

/* sender_clone(tx) -> tx */
static int clone_sender(lua_State *L) {
    channel_end **tx = check_self(L, &sender_metatable, "tx", "clone");
    channel_end **handle = push_handle(L, true);
    if (!*tx) {
        return throw(L, "clone: the sender is closed");
    }
    sender *s = sender_clone(sender_of(*tx));
    if (!s) {
        return luaL_error(L, "not enough memory");
    }
    *handle = &s->end;
    s->end.holder = (void **)handle;
    return 1;
}

/* end_close(end), and its __gc */
static int close_end(lua_State *L) {
    channel_end **handle = value_to_end(L, 1);
    if (!handle) {
        return throw(L, "close: call it with a colon: tx:close() or rx:close()");
    }
    if (*handle) {
        channel_close(*handle);
    }
    return 0;
}

const metatable receiver_metatable = {"momo.receiver", close_end, UP_RECEIVER};
const metatable sender_metatable = {"momo.sender", close_end, UP_SENDER};

static void close_all(runtime *rt) {
    channel_close_all(&rt->executor);
}

static const metatable *const metatables[] = {&receiver_metatable, &sender_metatable, NULL};
static const function functions[] = {
    {"thread_channel", new_channel},
    {"sender_clone", clone_sender},
    {"end_close", close_end},
    {"set_integers", value_set_integers},
    {NULL, NULL},
};
const module channel_end_module = {.functions = functions, .metatables = metatables, .close = close_all};
