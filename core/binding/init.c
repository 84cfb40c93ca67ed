/* SPDX-License-Identifier: MIT
 *
 * require "momo.native": the executor of a Lua state, and the modules of the binding.
 *
 * The roof of the binding: no other file of it knows all modules.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "binding/embedded.h"
#include "binding/inside/holder.h"
#include "binding/inside/inside.h"
#include "binding/runtime.h"
#include "binding/inside/snapshot.h"
#include "ffi/header.h"
#include "loop/signals.h"

/* What is made at once: the functions of one module, where most programs use it; else those of all that go together, so that
 * a program that has begun to use one of them has the others before its memory may be used up. */
enum group { ALONE, NET, HTTP, SYSTEM, INSIDE };

#define MODULES(_)           \
    _(runtime, ALONE)        \
    _(task, ALONE)           \
    _(spawn, ALONE)          \
    _(run, ALONE)            \
    _(live, INSIDE)          \
    _(inside, ALONE)         \
    _(log, INSIDE)           \
    _(profile, INSIDE)       \
    _(trace, INSIDE)         \
    _(snapshot, INSIDE)      \
    _(inspect, INSIDE)       \
    _(handle, ALONE)         \
    _(join, ALONE)           \
    _(traceback, ALONE)      \
    _(scope, ALONE)          \
    _(drain, ALONE)          \
    _(outcome, ALONE)        \
    _(sync, ALONE)           \
    _(coroutine, SYSTEM)     \
    _(time, ALONE)           \
    _(stream, NET)           \
    _(write, NET)            \
    _(net, NET)              \
    _(open, NET)             \
    _(http, HTTP)            \
    _(http_build, HTTP)      \
    _(websocket, HTTP)       \
    _(http_answer, HTTP)     \
    _(tls, NET)              \
    _(copy, NET)             \
    _(udp, NET)              \
    _(signal, SYSTEM)        \
    _(process, SYSTEM)       \
    _(child, SYSTEM)         \
    _(succession, ALONE)     \
    _(fs, SYSTEM)            \
    _(notify, SYSTEM)        \
    _(watch, NET)            \
    _(channel_end, ALONE)    \
    _(thread_channel, ALONE) \
    _(thread, ALONE)         \
    _(holder, ALONE)         \
    _(offload, SYSTEM)       \
    _(blocking, SYSTEM)

#define DECLARED(name, group) extern const module name##_module;
MODULES(DECLARED)

#define LISTED(name, group) {&name##_module, group},
static const struct {
    const module *module;
    enum group group;
} modules[] = {MODULES(LISTED)};
enum { MODULE_COUNT = sizeof modules / sizeof *modules };

/* __gc of the runtime: the state is closing. */
static int close_runtime(lua_State *L) {
    runtime *rt = lua_touserdata(L, 1);
    executor *ex = &rt->executor;
    if (!ex->closed) {
        for (int i = MODULE_COUNT; i--;) {
            if (modules[i].module->close) {
                modules[i].module->close(rt);
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

/* Pushes a closure over the upvalues, which stand in the first UP_COUNT places of the stack, or are the caller's own. */
static void push_closure(lua_State *L, lua_CFunction call, bool own) {
    for (int up = 1; up <= UP_COUNT; up++) {
        lua_pushvalue(L, own ? lua_upvalueindex(up) : up);
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
        push_closure(L, each->call, false);
        lua_replace(L, each->up);
    }
}

/* To the table on top. */
static void add_metatables(lua_State *L, const module *m) {
    for (const metatable *const *each = m->metatables; each && *each; each++) {
        luaL_getmetatable(L, (*each)->name);
        if ((*each)->collect) {
            push_closure(L, (*each)->collect, false);
            lua_setfield(L, -2, "__gc");
        }
        lua_setfield(L, -2, (*each)->name + strlen("momo."));
    }
}

static bool has_function(const module *m, const char *name) {
    const function *each = m->functions;
    while (each->name && (*each->name != *name || strcmp(each->name, name) != 0)) {
        each++;
    }
    return each->name;
}

/* To the table at 1. */
static void add_functions(lua_State *L, const module *m) {
    for (const function *each = m->functions; each->name; each++) {
        push_closure(L, each->call, true);
        lua_setfield(L, 1, each->name);
    }
}

/* __index (table, name) */
static int make_functions(lua_State *L) {
    const char *name = lua_tostring(L, 2);
    int i = 0;
    while (i < MODULE_COUNT && !(name && has_function(modules[i].module, name))) {
        i++;
    }
    if (i == MODULE_COUNT) {
        return 0;
    }
    luaL_checkstack(L, UP_COUNT + 1, "functions");
    for (int j = 0; j < MODULE_COUNT; j++) {
        if (j == i || (modules[j].group == modules[i].group && modules[i].group != ALONE)) {
            add_functions(L, modules[j].module);
        }
    }
    lua_rawget(L, 1);
    return 1;
}

static void for_each(lua_State *L, void (*use)(lua_State *, const module *)) {
    for (int i = 0; i < MODULE_COUNT; i++) {
        use(L, modules[i].module);
    }
}

/* The first thread says it for all. */
static void tell_of_refusal(const poller *p) {
    if (p->refused && gettid() == getpid()) {
        fprintf(stderr, "momo: the system refuses the poller %s, so it is %s: %s: %s\n", poller_asked_for(),
                p->driver->name, momo_error_name(p->refused), momo_error_text(p->refused));
    }
}

/* To the table on top: the shared object that has the FFI API, if the program itself does not. */
static void add_library(lua_State *L) {
    extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* where this object begins */
    Dl_info own;
    if ((uintptr_t)&__ehdr_start + __ehdr_start.e_phoff != getauxval(AT_PHDR) && dladdr(&__ehdr_start, &own)) {
        lua_pushstring(L, own.dli_fname);
        lua_setfield(L, -2, "library");
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
    memset(&rt->executor + 1, 0, sizeof *rt - sizeof rt->executor); /* executor_init clears that */
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
    add_library(L);
    lua_pushstring(L, momo_header_first);
    lua_setfield(L, -2, "header_first");
    lua_pushstring(L, momo_header_later);
    lua_setfield(L, -2, "header_later");
    lua_newtable(L);
    for_each(L, add_metatables);
    lua_setfield(L, -2, "metatables");
    lua_createtable(L, 0, 1);
    push_closure(L, make_functions, false);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, rt);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.runtime");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.native");
    return 1;
}
