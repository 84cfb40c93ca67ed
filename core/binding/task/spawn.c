/* SPDX-License-Identifier: MIT
 *
 * How a task begins: from Lua to the ready queue.
 */
#include "binding/task/scope.h"
#include "binding/task/task.h"

enum {
    ARGUMENTS_SURE = 10, /* values for which every stack has room */
    ROOM_STEP = 64,      /* slots that tables get room for at a time */
};

/* (task as light userdata, n, whether it is a child): so that nothing that is stored for the task allocates, its slot has a
 * place in the tables, its coroutine has room for n values, and there is a place for its parent. Called protected. */
static int make_room(lua_State *L) {
    task *t = lua_touserdata(L, 1);
    runtime *rt = runtime_of(L);
    while (rt->room < slot_of(t)) {
        int first = rt->room + 1, end = first + ROOM_STEP;
        for (int i = first; i < end; i++) {
            lua_pushboolean(L, 0);
            lua_rawseti(L, UP(COROUTINES), i);
            lua_pushboolean(L, 0);
            lua_rawseti(L, UP(HANDLES), i);
        }
        rt->room = end - 1;
    }
    if (t->user && !lua_checkstack(t->user, (int)lua_tointeger(L, 2))) {
        return luaL_error(L, "too many arguments");
    }
    if (lua_toboolean(L, 3)) {
        task_clear(L, UP_PARENTS, t);
        t->adopted = true;
    }
    return 0;
}

/* Raises if there is none; then there is no task. */
static void ensure_room(lua_State *L, task *t, int n, bool child) {
    lua_pushvalue(L, UP(MAKE_ROOM));
    lua_pushlightuserdata(L, t);
    lua_pushinteger(L, n);
    lua_pushboolean(L, child);
    if (lua_pcall(L, 3, 0, 0) != 0) {
        task_drop(t);
        throw(L, "spawn: %s", error_text(L));
    }
}

static task *new_task(lua_State *L, runtime *rt) {
    task *t;
    if (task_new(&rt->executor, &t) < 0) {
        luaL_error(L, "not enough memory");
    }
    return t;
}

/* In place of a task whose slot has no coroutine, one that has. To make it may raise, and runs finalizers, which may spawn: the
 * slot is free meanwhile. */
static __attribute__((noinline)) task *with_coroutine(lua_State *L, runtime *rt, task *t) {
    task_drop(t);
    lua_State *co = lua_newthread(L);
    t = new_task(L, rt);
    if (t->user) {
        lua_pop(L, 1);
        return t;
    }
    if (slot_of(t) > rt->room) {
        ensure_room(L, t, 0, false);
    }
    t->user = co;
    t->kept = NULL;
    lua_rawseti(L, UP(COROUTINES), slot_of(t));
    rt->idle++;
    return t;
}

/* The new handle is on top: what it spawns sees a copy of its spawner's locals. */
static void inherit_locals(lua_State *L, const task *spawner) {
    int child = lua_gettop(L);
    lua_rawgeti(L, UP(HANDLES), slot_of(spawner));
    push_fields(L, child, 0);
    lua_newtable(L);
    lua_getfenv(L, child + 1);
    lua_getfield(L, -1, "locals");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, child + 3);
    }
    lua_settop(L, child + 3);
    lua_setfield(L, child + 2, "locals");
    ((handle *)lua_touserdata(L, child))->locals = true;
    lua_settop(L, child);
}

task *spawn(lua_State *L, runtime *rt, int first, scope *parent) {
    int n = lua_gettop(L) - first + 1;
    const task *spawner = rt->executor.current;
    handle *h = lua_newuserdata(L, sizeof *h);
    *h = (handle){.only = LUA_TNONE};
    lua_pushvalue(L, UP(TASK));
    lua_setmetatable(L, -2);
    if (spawner && ((const handle *)spawner->handle)->locals) {
        inherit_locals(L, spawner);
    }
    if (rt->executor.meter) {
        note_place(L);
    }

    task *t = new_task(L, rt);
    if (!t->user) {
        t = with_coroutine(L, rt, t);
    }
    if (n > ARGUMENTS_SURE || (parent && !t->adopted)) {
        ensure_room(L, t, n, parent != NULL);
    }
    rt->idle--;
    lua_State *co = t->user;
    lua_rawseti(L, UP(HANDLES), slot_of(t));
    lua_xmove(L, co, n);
    lua_rawgeti(L, UP(HANDLES), slot_of(t));
    t->top = co;
    t->arguments = n;
    if (parent) {
        lua_pushvalue(L, 1);
        lua_rawseti(L, UP(PARENTS), slot_of(t));
        scope_add(parent, t);
    }
    t->handle = h;
    task_start(t);
    h->task = t;
    h->id = rt->executor.counters.spawned;
    return t;
}

static void check_function(lua_State *L, int index, const char *name) {
    if (lua_type(L, index) != LUA_TFUNCTION) {
        throw(L, "%s: argument 1 must be a function, got %s (write %s(f, x), not %s(f(x)))", name,
              lua_isnoneornil(L, index) ? "nil" : luaL_typename(L, index), name, name);
    }
}

static inline __attribute__((always_inline)) task *spawn_free(lua_State *L, const char *name) {
    check_function(L, 1, name);
    runtime *rt = runtime_of_task(L);
    if (!rt->executor.running) {
        throw(L, "%s: needs a runtime: call it inside momo.run(main), or run the file with the momo command", name);
    }
    return spawn(L, rt, 1, NULL);
}

/* spawn(fn, ...) -> task */
static int task_spawn(lua_State *L) {
    spawn_free(L, "spawn");
    return 1;
}

/* spawn_daemon(fn, ...) -> task */
static int task_spawn_daemon(lua_State *L) {
    task_become_daemon(spawn_free(L, "spawn_daemon"));
    return 1;
}

/* scope_spawn(scope, fn, ...) -> task */
static int task_spawn_child(lua_State *L) {
    lua_scope *s = lua_touserdata(L, 1);
    check_function(L, 2, "spawn");
    if (!s->scope.task) {
        return throw(L, "spawn: the scope has ended");
    }
    spawn(L, runtime_of_task(L), 2, &s->scope);
    return 1;
}

static const protected_call protected_calls[] = {{UP_MAKE_ROOM, make_room}, {0, NULL}};
static const function functions[] = {
    {"spawn", task_spawn},
    {"spawn_daemon", task_spawn_daemon},
    {"scope_spawn", task_spawn_child},
    {NULL, NULL},
};
const module spawn_module = {.functions = functions, .protected_calls = protected_calls};
