/* SPDX-License-Identifier: MIT
 *
 * The floor: what it takes to switch coroutines by lua_resume from a ready queue in C, with no runtime around it.
 *
 * Usage: floor_bench FILE.lua [ARGS]
 *
 * Runs the file as the first task, with the global `floor` in which it finds spawn(fn, ...), which returns nothing,
 * yield_now() and sleep(), which never ends. The same file runs on Momo. Nothing is checked here, no handle is made,
 * nothing can be cancelled; a coroutine that has ended serves the next task. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bench.h"

struct task {
    struct task *next; /* in the ready queue, or among the free */
    lua_State *co;     /* kept by the registry */
    int arguments;     /* for its next resume */
};

static struct task *first, **last = &first, *free_tasks, *current;

static void push(struct task *t) {
    t->next = NULL;
    *last = t;
    last = &t->next;
}

static struct task *pop(void) {
    struct task *t = first;
    first = t->next;
    if (first == NULL) last = &first;
    return t;
}

static int spawn(lua_State *L) {
    int n = lua_gettop(L);
    struct task *t = free_tasks;
    if (t != NULL) {
        free_tasks = t->next;
    } else {
        t = malloc(sizeof *t);
        if (t == NULL) return luaL_error(L, "not enough memory");
        t->co = lua_newthread(L);
        luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_xmove(L, t->co, n);
    t->arguments = n - 1;
    push(t);
    return 0;
}

static int yield_now(lua_State *L) {
    push(current);
    return lua_yield(L, 0);
}

static int park(lua_State *L) {
    return lua_yield(L, 0);
}

static int run(void) {
    while (first != NULL) {
        struct task *t = current = pop();
        int status = lua_resume(t->co, t->arguments);
        if (status == LUA_YIELD) {
            t->arguments = 0;
        } else if (status == 0) {
            lua_settop(t->co, 0);
            t->next = free_tasks;
            free_tasks = t;
        } else {
            fprintf(stderr, "floor_bench: %s\n", lua_tostring(t->co, -1));
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    static const luaL_Reg functions[] = {{"spawn", spawn}, {"yield_now", yield_now}, {"sleep", park}, {NULL, NULL}};
    lua_State *L = luaL_newstate();
    if (L == NULL || argc < 2) return 2;
    luaL_openlibs(L);
    luaL_register(L, "floor", functions);
    lua_settop(L, 0);
    lua_pushcfunction(L, spawn);
    if (luaL_loadfile(L, argv[1]) != 0) {
        fprintf(stderr, "floor_bench: %s\n", lua_tostring(L, -1));
        return 1;
    }
    for (int i = 2; i < argc; i++) lua_pushstring(L, argv[i]);
    lua_call(L, argc - 1, 0);
    return run();
}
