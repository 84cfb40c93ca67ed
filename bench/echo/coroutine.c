/* SPDX-License-Identifier: MIT
 *
 * The floor of a server in Lua: epoll in C, and for each connection a coroutine that reads and writes Lua strings. Prints
 * its port; with a path as its argument it listens there, and prints that.
 *
 * Whoever reads waits for an event first, and bytes that can't be written at once end the connection. There are no
 * objects, no limits of time, no cancellation, and no other tasks. */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 1024, FD_MAX = 1 << 16 };

static const char echo[] = "local read, write = ...\n"
                           "return function(fd)\n"
                           "  while true do\n"
                           "    local bytes = read()\n"
                           "    if not bytes or not write(fd, bytes) then\n"
                           "      return\n"
                           "    end\n"
                           "  end\n"
                           "end";

static lua_State *coroutines[FD_MAX];
static char buffer[64 * 1024];

static int lua_read(lua_State *L) {
    return lua_yield(L, 0);
}

static int lua_write(lua_State *L) {
    size_t size;
    const char *bytes = lua_tolstring(L, 2, &size);
    ssize_t written = send(lua_tointeger(L, 1), bytes, size, MSG_NOSIGNAL);
    if (written < 0 || (size_t)written < size) return 0;
    lua_pushinteger(L, written);
    return 1;
}

static void end(lua_State *L, int fd) {
    lua_pushnil(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, -2 - fd);
    close(fd);
}

static void begin(lua_State *L, int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    coroutines[fd] = lua_newthread(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, -2 - fd);
    lua_pushvalue(L, -1);
    lua_xmove(L, coroutines[fd], 1);
    lua_pushinteger(coroutines[fd], fd);
    if (lua_resume(coroutines[fd], 1) != LUA_YIELD) end(L, fd);
}

static void on_readable(lua_State *L, int fd) {
    lua_State *co = coroutines[fd];
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size > 0) lua_pushlstring(co, buffer, (size_t)size);
    if (lua_resume(co, size > 0) != LUA_YIELD) end(L, fd);
}

static int listen_at(const char *path) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (path) strncpy(local.sun_path, path, sizeof local.sun_path - 1);
    if (bind(fd, path ? (struct sockaddr *)&local : (struct sockaddr *)&address, path ? sizeof local : length) < 0 ||
        listen(fd, 511) < 0)
        return -1;
    if (!path && getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -1;
    path ? puts(path) : printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    int poll = epoll_create1(0), listener = listen_at(argc > 1 ? argv[1] : NULL);
    if (!L || listener < 0 || luaL_loadstring(L, echo)) return 1;
    luaL_openlibs(L);
    lua_pushcfunction(L, lua_read);
    lua_pushcfunction(L, lua_write);
    lua_call(L, 2, 1);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                on_readable(L, fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0 && fd < FD_MAX) {
                begin(L, poll, fd);
            }
        }
    }
}
