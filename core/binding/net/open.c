/* SPDX-License-Identifier: MIT
 *
 * Streams and listeners that come from elsewhere than TCP: Unix sockets, pipes, descriptors that somebody else has opened.
 */
#include <string.h>

#include "net/pipe.h"
#include "net/unix.h"
#include "binding/net/net.h"

/* unix_listen(path, backlog, mode) -> listener | nil, err, code */
static int open_unix_listen(lua_State *L) {
    address a;
    check_path(L, &a);
    int mode = lua_isnil(L, 3) ? -1 : (int)lua_tointeger(L, 3);
    momo_token *token = push_object(L, sizeof *token, &listener_metatable);
    io *o;
    int status = unix_listen(open_executor(L), &a, (int)lua_tointeger(L, 2), mode, &o);
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    return 1;
}

int push_two(lua_State *L, const metatable *m, int (*open)(executor *, io **, io **)) {
    momo_token *first = push_object(L, sizeof *first, m);
    momo_token *second = push_object(L, sizeof *second, m);
    io *one, *other;
    int status = open(open_executor(L), &one, &other);
    if (status < 0) {
        return push_failure(L, status);
    }
    *first = io_token(one);
    *second = io_token(other);
    return 2;
}

/* unix_pair() -> stream, stream | nil, err, code */
static int open_unix_pair(lua_State *L) {
    return push_two(L, &stream_metatable, unix_pair);
}

/* pipe() -> reader, writer | nil, err, code */
static int open_pipe(lua_State *L) {
    return push_two(L, &stream_metatable, pipe_open);
}

/* standard(number) -> stream | nil, err, code */
static int open_standard(lua_State *L) {
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    io *o;
    int status = pipe_open_standard(open_executor(L), (int)lua_tointeger(L, 1), &o);
    if (status < 0) {
        return push_failure(L, status);
    }
    *token = io_token(o);
    return 1;
}

/* socket_kind(fd) -> string | nil, err, code */
static int open_socket_kind(lua_State *L) {
    const char *kind = socket_kind((int)lua_tointeger(L, 1));
    if (!kind) {
        return push_failure(L, io_last_error());
    }
    lua_pushstring(L, kind);
    return 1;
}

/* adopt(fd) -> stream or listener | nil, err, code */
static int open_adopt(lua_State *L) {
    int fd = (int)lua_tointeger(L, 1);
    const char *kind = socket_kind(fd);
    bool listens = kind && (strcmp(kind, SOCKET_TCP_LISTENER) == 0 || strcmp(kind, SOCKET_UNIX_LISTENER) == 0);
    momo_token *token = push_object(L, sizeof *token, listens ? &listener_metatable : &stream_metatable);
    io *o;
    int status = socket_adopt(open_executor(L), fd, &o);
    if (status < 0) {
        return push_failure(L, status);
    }
    *token = io_token(o);
    return 1;
}

static const function functions[] = {
    {"unix_listen", open_unix_listen}, {"unix_pair", open_unix_pair}, {"pipe", open_pipe}, {"standard", open_standard},
    {"socket_kind", open_socket_kind}, {"adopt", open_adopt},         {NULL, NULL},
};
const module open_module = {.functions = functions};
