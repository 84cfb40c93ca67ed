/* SPDX-License-Identifier: MIT
 *
 * The page that shows what is inside: a thread of the process's own with a Lua state of its own serves it, so that it can be had
 * while the program's threads are busy. lua/momo/command/inspect.lua is what it runs.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/runtime.h"
#include "binding/state.h"
#include "loop/background.h"
#include "loop/inside/incidents.h"

enum { STACK_BYTES = 1024 * 1024, SAID = 512 };
#define MOST_INCIDENTS 0x1p53

/* One for the process. What is not said by then is the starter's, and then the thread's. */
static struct {
    sem_t told;
    char *address, *path, *cpath;
    lua_Integer retired; /* a descriptor, at whose end the page is a successor's */
    char said[SAID];     /* the page's address, or why there is none */
    bool serves;
} page;

/* inspect_told(serves, text): the starter goes on */
static int told(lua_State *L) {
    page.serves = lua_toboolean(L, 1);
    snprintf(page.said, sizeof page.said, "%s", luaL_checkstring(L, 2));
    sem_post(&page.told);
    return 0;
}

static int serve(lua_State *L) {
    state_set_paths(L, page.path, page.cpath);
    lua_getglobal(L, "require");
    lua_pushvalue(L, -1);
    lua_pushliteral(L, "momo.native");
    lua_call(L, 1, 0);
    lua_pushliteral(L, "momo.command.inspect");
    lua_call(L, 1, 1);
    lua_pushstring(L, page.address);
    lua_pushinteger(L, page.retired);
    lua_call(L, 2, 0);
    return 0;
}

static void *run(void *unused) {
    (void)unused;
    lua_State *L = state_new();
    if (!L || lua_cpcall(L, serve, NULL) != 0) { /* it has not begun to serve: then it goes on for ever */
        snprintf(page.said, sizeof page.said, "%s", L ? error_text(L) : "not enough memory");
        sem_post(&page.told);
    }
    return NULL; /* the state stays: others may still know its executor */
}

/* inspect_start(address, path, cpath, descriptor) -> the page's address | nil, why there is none. Once. The descriptor is the
 * page's; where it ends, so does the page. */
static int start(lua_State *L) {
    page.address = strdup(luaL_checkstring(L, 1));
    page.path = strdup(luaL_checkstring(L, 2));
    page.cpath = strdup(luaL_checkstring(L, 3));
    page.retired = luaL_checkinteger(L, 4);
    incidents_begin();
    sem_init(&page.told, 0, 0);
    int status = page.address && page.path && page.cpath ? background_start(run, STACK_BYTES) : UV_ENOMEM;
    if (status < 0) {
        return push_failure(L, status);
    }
    while (sem_wait(&page.told) < 0) {
    }
    if (!page.serves) {
        lua_pushnil(L);
    }
    lua_pushstring(L, page.said);
    return page.serves ? 1 : 2;
}

/* incident(kind, text): where they are kept */
static int add(lua_State *L) {
    static const char *const kinds[] = {"failed", "report", NULL};
    incidents_add(kinds[luaL_checkoption(L, 1, NULL, kinds)], luaL_checkstring(L, 2));
    return 0;
}

/* incidents_are_kept() */
static int are_kept(lua_State *L) {
    lua_pushboolean(L, incidents_are_kept());
    return 1;
}

/* incidents_next(number) -> number, time, kind, text of the next one | nothing */
static int next(lua_State *L) {
    incident i;
    lua_Number after = lua_tonumber(L, 1);
    if (!(after < MOST_INCIDENTS) || !incidents_next((uint64_t)after, &i)) {
        return 0;
    }
    lua_pushnumber(L, (lua_Number)i.number);
    lua_pushnumber(L, i.time);
    lua_pushstring(L, i.kind);
    lua_pushstring(L, i.text);
    return 4;
}

static const function functions[] = {
    {"inspect_start", start},         {"inspect_told", told},   {"incident", add},
    {"incidents_are_kept", are_kept}, {"incidents_next", next}, {NULL, NULL},
};
const module inspect_module = {.functions = functions};
