/* SPDX-License-Identifier: MIT
 *
 * The momo command: a Lua state that runs momo.command.cli.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "binding/state.h"

/* Lets an installed tree find its own modules: bin/momo beside share/lua/5.1 and lib/lua/5.1. */
static void add_own_paths(lua_State *L) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        return;
    }
    program[length] = '\0';
    for (int i = 0; i < 2; i++) { /* drops "/momo", then "/bin" */
        char *slash = strrchr(program, '/');
        if (!slash) {
            return;
        }
        *slash = '\0';
    }
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s;%s/share/lua/5.1/?.lua", lua_tostring(L, -1), program);
    lua_setfield(L, -3, "path");
    lua_getfield(L, -2, "cpath");
    lua_pushfstring(L, "%s;%s/lib/lua/5.1/?.so", lua_tostring(L, -1), program);
    lua_setfield(L, -4, "cpath");
    lua_settop(L, 0);
}

static void require(lua_State *L, const char *name) {
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

/* (argc, argv as light userdata) -> exit status. Called protected. */
static int run_cli(lua_State *L) {
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    lua_gc(L, LUA_GCSTOP, 0); /* what is loaded stays */
    add_own_paths(L);
    require(L, "momo.native"); /* it has the others embedded */
    require(L, "momo.command.cli");
    lua_gc(L, LUA_GCRESTART, -1); /* when the heap has doubled */
    luaL_checkstack(L, argc, "too many arguments");
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
    }
    lua_call(L, argc, 1);
    return 1;
}

/* What is opened later must not become a standard stream. */
static void open_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            open("/dev/null", O_RDWR);
        }
    }
}

#ifdef MOMO_SANITIZED
#define close_state lua_close
#else
static struct {
    lua_Alloc allocate;
    size_t left; /* bytes that need not be given back */
} closing;

static void *keep(void *user, void *block, size_t old_size, size_t size) {
    if (size == 0 && old_size <= closing.left) {
        closing.left -= old_size;
        return NULL;
    }
    return closing.allocate(user, block, old_size, size);
}

/* Finalizers run; but its memory goes with the process, and to free each object would take a tenth of a short program's time. What
 * finalizers make and drop is given back once that is as much as there was. */
static void close_state(lua_State *L) {
    void *user;
    closing.left = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024;
    closing.allocate = lua_getallocf(L, &user);
    lua_setallocf(L, keep, user);
    lua_close(L);
}
#endif

int main(int argc, char **argv) {
    open_standard_streams();
    lua_State *L = state_new();
    if (!L) {
        fputs("momo: not enough memory\n", stderr);
        return 1;
    }
    int status = 1;
    lua_pushcfunction(L, run_cli);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    if (lua_pcall(L, 2, 1, 0) == 0) {
        status = (int)lua_tointeger(L, -1);
    } else {
        const char *text = lua_tostring(L, -1);
        fprintf(stderr, "momo: %s\n", text ? text : "(error object)");
    }
    close_state(L);
    return status;
}
