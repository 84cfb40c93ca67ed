/* SPDX-License-Identifier: MIT
 *
 * require "momo.native": the executor of a Lua state, and the modules of the binding.
 *
 * The roof of the binding: no other file of it knows all modules.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "binding/embedded.h"
#include "binding/inside/holder.h"
#include "binding/inside/inside.h"
#include "binding/runtime.h"
#include "binding/inside/snapshot.h"
#include "ffi/header.h"
#include "loop/signals.h"

#define MODULES(_)    \
    _(runtime)        \
    _(task)           \
    _(spawn)          \
    _(run)            \
    _(live)           \
    _(inside)         \
    _(log)            \
    _(profile)        \
    _(trace)          \
    _(snapshot)       \
    _(inspect)        \
    _(handle)         \
    _(join)           \
    _(traceback)      \
    _(scope)          \
    _(drain)          \
    _(outcome)        \
    _(sync)           \
    _(coroutine)      \
    _(time)           \
    _(stream)         \
    _(write)          \
    _(net)            \
    _(open)           \
    _(http)           \
    _(http_build)     \
    _(websocket)      \
    _(http_answer)    \
    _(tls)            \
    _(copy)           \
    _(udp)            \
    _(signal)         \
    _(process)        \
    _(child)          \
    _(succession)     \
    _(fs)             \
    _(notify)         \
    _(watch)          \
    _(channel_end)    \
    _(thread_channel) \
    _(thread)         \
    _(holder)         \
    _(offload)        \
    _(blocking)

#define DECLARED(name) extern const module name##_module;
MODULES(DECLARED)

#define LISTED(name) &name##_module,
static const module *const modules[] = {MODULES(LISTED)};
enum { MODULE_COUNT = sizeof modules / sizeof *modules };

/* __gc of the runtime: the state is closing. */
static int close_runtime(lua_State *L) {
    runtime *rt = lua_touserdata(L, 1);
    executor *ex = &rt->executor;
    if (!ex->closed) {
        for (int i = MODULE_COUNT; i--;) {
            if (modules[i]->close) {
                modules[i]->close(rt);
            }
        }
        executor_deinit(ex);
        signals_outlive(ex);
        if (executor_running == ex) { /* os.exit(code, true) in a task */
            executor_running = NULL;
        }
    }
    return 0;
}

/* Pushes a closure over the upvalues, which stand in the first UP_COUNT places of the stack. */
static void push_closure(lua_State *L, lua_CFunction call) {
    for (int up = 1; up <= UP_COUNT; up++) {
        lua_pushvalue(L, up);
    }
    lua_pushcclosure(L, call, UP_COUNT);
}

static void make_metatables(lua_State *L, const module *m) {
    for (const metatable *const *each = m->metatables; each && *each; each++) {
        luaL_newmetatable(L, (*each)->name);
        if ((*each)->up) {
            lua_replace(L, (*each)->up);
        }
    }
}

static void make_protected_calls(lua_State *L, const module *m) {
    for (const protected_call *each = m->protected_calls; each && each->call; each++) {
        push_closure(L, each->call);
        lua_replace(L, each->up);
    }
}

/* To the table on top. */
static void add_metatables(lua_State *L, const module *m) {
    for (const metatable *const *each = m->metatables; each && *each; each++) {
        luaL_getmetatable(L, (*each)->name);
        if ((*each)->collect) {
            push_closure(L, (*each)->collect);
            lua_setfield(L, -2, "__gc");
        }
        lua_setfield(L, -2, (*each)->name + strlen("momo."));
    }
}

/* To the table on top. */
static void add_functions(lua_State *L, const module *m) {
    for (const function *each = m->functions; each->name; each++) {
        push_closure(L, each->call);
        lua_setfield(L, -2, each->name);
    }
}

static void for_each(lua_State *L, void (*use)(lua_State *, const module *)) {
    for (int i = 0; i < MODULE_COUNT; i++) {
        use(L, modules[i]);
    }
}

/* The first thread says it for all. */
static void tell_of_refusal(const poller *p) {
    if (p->refused && gettid() == getpid()) {
        fprintf(stderr, "momo: the system refuses the poller %s, so it is %s: %s: %s\n", poller_asked_for(),
                p->driver->name, momo_error_name(p->refused), momo_error_text(p->refused));
    }
}

__attribute__((visibility("default"))) int luaopen_momo_native(lua_State *L) {
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "momo.native");
    if (lua_istable(L, 1)) { /* a state has one runtime, however often this is required */
        return 1;
    }
    if (!poller_is_known(poller_asked_for())) {
        return luaL_error(L, POLLER_VARIABLE " must be epoll or ring, got '%s'", poller_asked_for());
    }
    embedded_add_loader(L);
    lua_settop(L, 0);
    runtime *rt = lua_newuserdata(L, sizeof *rt);
    memset(rt, 0, sizeof *rt);
    rt->executor.closed = true;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, close_runtime);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, UP_RUNTIME);
    executor *ex = &rt->executor;
    int status = executor_init(ex);
    if (status < 0) {
        ex->closed = true;
        return luaL_error(L, "momo: no event loop: %s: %s", momo_error_name(status), momo_error_text(status));
    }
    tell_of_refusal(&ex->poller);
    ex->user = rt;
    holder_init(rt);
    inside_init(rt);
    snapshots_init(rt);
    list_init(&rt->reports.link);
    for (int up = UP_RUNTIME + 1; up <= UP_COUNT; up++) {
        lua_newtable(L);
    }
    for_each(L, make_metatables);
    for_each(L, make_protected_calls);
    lua_newtable(L);
    lua_pushlightuserdata(L, ex);
    lua_setfield(L, -2, "executor");
    lua_pushstring(L, momo_header);
    lua_setfield(L, -2, "header");
    lua_newtable(L);
    for_each(L, add_metatables);
    lua_setfield(L, -2, "metatables");
    for_each(L, add_functions);
    lua_pushlightuserdata(L, rt);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.runtime");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.native");
    return 1;
}
