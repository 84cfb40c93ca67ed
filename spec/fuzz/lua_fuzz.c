/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for what is Lua: the file that MOMO_FUZZ names returns a function of the bytes, which raises where something does
 * not hold. LuaJIT has no instrumentation for libFuzzer; a hook tells it instead which line has followed which one. */
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { EDGES = 1 << 14 };

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t edges[EDGES];

static unsigned last_line;

static void count_edge(lua_State *L, lua_Debug *line) {
    lua_getinfo(L, "S", line);
    unsigned hash = (unsigned)line->currentline;
    for (const char *p = line->short_src; *p; p++) {
        hash = hash * 31 + (unsigned char)*p;
    }
    edges[(hash ^ last_line) % EDGES]++;
    last_line = hash >> 1;
}

/* What the Lua state owns lies in memory that LeakSanitizer does not search. */
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

static void fail(lua_State *L) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
}

static int traceback(lua_State *L) {
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static lua_State *open_state(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* compiled code calls no hook */
    lua_pushcfunction(L, traceback);
    const char *file = getenv("MOMO_FUZZ");
    if (!file) {
        lua_pushliteral(L, "MOMO_FUZZ names no file: ./dev fuzz does");
        fail(L);
    }
    if (luaL_loadfile(L, file) != 0 || lua_pcall(L, 0, 1, 1) != 0) {
        fail(L);
    }
    lua_sethook(L, count_edge, LUA_MASKLINE, 0);
    return L;
}

/* The stack: traceback, the function. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static lua_State *L;
    if (!L) {
        L = open_state();
    }
    last_line = 0;
    lua_pushvalue(L, 2);
    lua_pushlstring(L, (const char *)data, n);
    if (lua_pcall(L, 1, 0, 1) != 0) {
        fail(L);
    }
    return 0;
}
