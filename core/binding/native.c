/* SPDX-License-Identifier: MIT
 *
 * require "momo.native": the executor of a Lua state, and the functions that need Lua's stack.
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "thread/channel.h"
#include "ffi/header.h"
#include "loop/signals.h"
#include "thread/thread.h"
#include "binding/runtime.h"

void find_place(lua_State *L, lua_State *co, bool outermost, lua_Debug *place) {
    const char *own = runtime_of(L)->own;
    lua_Debug where;
    *place = (lua_Debug){.short_src = "?"};
    for (int level = 0; lua_getstack(co, level, &where); level++) {
        lua_getinfo(co, "Sl", &where);
        if (where.currentline > 0 && !(own && strncmp(where.source, own, strlen(own)) == 0)) {
            *place = where;
            if (!outermost) {
                return;
            }
        }
    }
}

static void push_place(lua_State *L) {
    lua_Debug place;
    find_place(L, L, false, &place);
    if (place.currentline > 0) {
        lua_pushfstring(L, "%s:%d: ", place.short_src, place.currentline);
    } else {
        lua_pushliteral(L, "");
    }
}

int throw(lua_State * L, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    push_place(L);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 2);
    return lua_error(L);
}

/* fail(text): throws it */
static int native_fail(lua_State *L) {
    return throw(L, "%s", luaL_checkstring(L, 1));
}

/* set_own(prefix): how the sources of Momo's own Lua modules begin */
static int native_set_own(lua_State *L) {
    lua_settop(L, 1);
    runtime_of(L)->own = luaL_checkstring(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.own"); /* keeps it */
    return 0;
}

const char *error_text(lua_State *L) {
    const char *text = lua_tostring(L, -1);
    return text ? text : "(error object)";
}

executor *open_executor(lua_State *L) {
    executor *ex = &runtime_of(L)->executor;
    if (ex->closed) {
        luaL_error(L, "the Lua state is closing");
    }
    return ex;
}

int push_failure(lua_State *L, int code) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", momo_error_name(code), momo_error_text(code));
    lua_pushstring(L, momo_error_name(code));
    return 3;
}

void *check_self(lua_State *L, int metatable, const char *object, const char *method) {
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
        bool same = lua_rawequal(L, -1, metatable);
        lua_pop(L, 1);
        if (same) {
            return lua_touserdata(L, 1);
        }
    }
    throw(L, "%s: call it with a colon: %s:%s()", method, object, method);
    return NULL;
}

double check_seconds(lua_State *L, int index, const char *function) {
    if (lua_isnoneornil(L, index)) {
        return -1;
    }
    double seconds = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER || isnan(seconds) || seconds < 0) {
        throw(L, "%s: the timeout must be a number of seconds, 0 or more, got %s", function,
              lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index) : luaL_typename(L, index));
    }
    return seconds;
}

void register_functions(lua_State *L, const function *functions) {
    for (; functions->name; functions++) {
        for (int up = 1; up <= UP_COUNT; up++) {
            lua_pushvalue(L, up);
        }
        lua_pushcclosure(L, functions->call, UP_COUNT);
        lua_setfield(L, -2, functions->name);
    }
}

/* __gc of the runtime: the state is closing. */
static int close_runtime(lua_State *L) {
    executor *ex = &((runtime *)lua_touserdata(L, 1))->executor;
    if (!ex->closed) {
        threads_finish(ex);
        channel_close_all(ex);
        if (ex->thread) {
            thread_detach(ex->thread);
        }
        executor_deinit(ex);
        own_code_release(((runtime *)lua_touserdata(L, 1))->own_code);
        signals_outlive(ex);
        if (executor_running == ex) { /* os.exit(code, true) in a task */
            executor_running = NULL;
        }
    }
    return 0;
}

/* A closure over the upvalues that stand in the first UP_COUNT places of the stack. */
static void make_upvalue(lua_State *L, lua_CFunction call, int place) {
    for (int up = 1; up <= UP_COUNT; up++) {
        lua_pushvalue(L, up);
    }
    lua_pushcclosure(L, call, UP_COUNT);
    lua_replace(L, place);
}

__attribute__((visibility("default"))) int luaopen_momo_native(lua_State *L) {
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "momo.native");
    if (lua_istable(L, 1)) { /* a state has one runtime, however often this is required */
        return 1;
    }
    lua_settop(L, 0);
    runtime *rt = lua_newuserdata(L, sizeof *rt);
    memset(rt, 0, sizeof *rt);
    rt->executor.closed = true;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, close_runtime);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, UP_RUNTIME);
    int status = executor_init(&rt->executor);
    if (status < 0) {
        rt->executor.closed = true;
        return luaL_error(L, "momo: no event loop: %s: %s", momo_error_name(status), momo_error_text(status));
    }
    rt->executor.user = rt;
    for (int up = UP_RUNTIME + 1; up <= UP_COUNT; up++) {
        lua_newtable(L);
    }
    make_upvalue(L, make_coroutine, UP_MAKE_COROUTINE);
    make_upvalue(L, store_outcome, UP_STORE_OUTCOME);

    lua_newtable(L);
    lua_pushlightuserdata(L, &rt->executor);
    lua_setfield(L, -2, "executor");
    lua_pushstring(L, momo_header);
    lua_setfield(L, -2, "header");
    static const struct {
        const char *name;
        int up;
    } metatables[] = {
        {"task", UP_TASK},        {"cancelled", UP_CANCELLED}, {"stream", UP_STREAM}, {"listener", UP_LISTENER},
        {"udp", UP_UDP},          {"lookup", UP_LOOKUP},       {"thread", UP_THREAD}, {"sender", UP_SENDER},
        {"receiver", UP_RECEIVER}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof metatables / sizeof *metatables; i++) {
        lua_pushvalue(L, metatables[i].up);
        lua_setfield(L, -2, metatables[i].name);
    }
    lua_setfield(L, -2, "metatables");
    static const function functions[] = {{"fail", native_fail}, {"set_own", native_set_own}, {NULL, NULL}};
    register_functions(L, functions);
    register_task(L);
    register_run(L);
    register_handle(L);
    register_scope(L);
    register_sync(L);
    register_coroutine(L);
    register_time(L);
    register_stream(L);
    register_net(L);
    register_open(L);
    register_copy(L);
    register_udp(L);
    register_signal(L);
    register_watch(L);
    register_thread(L);
    register_channel_ends(L);
    register_thread_channel(L);
    register_blocking(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.native");
    return 1;
}
