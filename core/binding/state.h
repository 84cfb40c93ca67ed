/* SPDX-License-Identifier: MIT
 *
 * How Momo opens Lua states of its own: the command's, and one for each thread.
 */
#pragma once
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#ifdef MOMO_SANITIZED
/* On malloc, so that a sanitizer sees what happens to Lua's memory. */
static void *state_allocate(void *unused, void *block, size_t old_size, size_t size) {
    (void)unused;
    (void)old_size;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}
#endif

int luaopen_momo_native(lua_State *);

/* Momo's own is this one, wherever modules are looked for. */
static int state_open_libraries(lua_State *L) {
    luaL_openlibs(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_pushcfunction(L, luaopen_momo_native);
    lua_setfield(L, -2, "momo.native");
    return 0;
}

/* Where modules are looked for; raises only for want of memory. */
static inline void state_set_paths(lua_State *L, const char *path, const char *cpath) {
    lua_getglobal(L, "package");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, cpath);
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}

/* With the standard libraries open; NULL: out of memory. */
static inline lua_State *state_new(void) {
#ifdef MOMO_SANITIZED
    lua_State *L = lua_newstate(state_allocate, NULL);
#else
    lua_State *L = luaL_newstate();
#endif
    if (L && lua_cpcall(L, state_open_libraries, NULL) != 0) {
        lua_close(L);
        return NULL;
    }
    return L;
}
