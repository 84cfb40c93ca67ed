/* SPDX-License-Identifier: MIT
 *
 * Files that are sent to others, as Lua sees them: a userdata that holds a descriptor. Small ones are read at once, large
 * ones become a stream, from which io.copy takes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/beneath.h"
#include "net/stream.h"
#include "binding/net.h"

typedef struct file {
    int fd; /* -1: closed */
} file;

static int collect(lua_State *L);

static const metatable file_metatable = {.name = "momo.file", .collect = collect};

/* __gc of files */
static int collect(lua_State *L) {
    file *f = lua_touserdata(L, 1);
    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
    return 0;
}

/* Its descriptor; raises where it was closed. */
static int descriptor(lua_State *L) {
    const file *f = luaL_checkudata(L, 1, file_metatable.name);
    if (f->fd < 0) {
        luaL_error(L, "the file is closed");
    }
    return f->fd;
}

static file *push_file(lua_State *L) {
    file *f = push_object(L, sizeof *f, &file_metatable);
    f->fd = -1;
    return f;
}

static int push_status(lua_State *L, const struct stat *status) {
    lua_pushnumber(L, (lua_Number)status->st_size);
    lua_pushnumber(L, (lua_Number)status->st_mtim.tv_sec);
    lua_pushnumber(L, (lua_Number)status->st_mtim.tv_nsec);
    return 4;
}

/* file_open(root or nil, path) -> file, size, seconds and nanoseconds when it was modified | nil, err, code */
static int file_open(lua_State *L) {
    const char *root = lua_tostring(L, 1), *path = luaL_checkstring(L, 2);
    file *f = push_file(L);
    struct stat status;
    int fd = beneath_open(root, path, &status);
    if (fd < 0) {
        return push_failure(L, fd);
    }
    f->fd = fd;
    return push_status(L, &status);
}

/* file_copy(fd) -> the same of a descriptor of one's own, EINVAL: it is no regular file */
static int file_copy(lua_State *L) {
    file *f = push_file(L);
    struct stat status;
    f->fd = fcntl((int)luaL_checkinteger(L, 1), F_DUPFD_CLOEXEC, 3);
    if (f->fd < 0 || fstat(f->fd, &status) < 0) {
        return push_failure(L, io_last_error());
    }
    return S_ISREG(status.st_mode) ? push_status(L, &status) : push_failure(L, UV_EINVAL);
}

/* file_read(file, offset, size) -> bytes, fewer where it ends | nil, err, code */
static int file_read(lua_State *L) {
    off_t offset = (off_t)luaL_checknumber(L, 2);
    size_t size = (size_t)luaL_checknumber(L, 3), have = 0;
    char *bytes = lua_newuserdata(L, size ? size : 1);
    int fd = descriptor(L);
    while (have < size) {
        ssize_t n = pread(fd, bytes + have, size - have, offset + (off_t)have);
        if (n < 0 && errno != EINTR) {
            return push_failure(L, io_last_error());
        } else if (n == 0) {
            break;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    lua_pushlstring(L, bytes, have);
    return 1;
}

/* file_stream(file, offset) -> stream, which has the descriptor from now on | nil, err, code */
static int file_stream(lua_State *L) {
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    executor *ex = open_executor(L);
    int fd = descriptor(L);
    if (lseek(fd, (off_t)luaL_checknumber(L, 2), SEEK_SET) < 0) {
        return push_failure(L, io_last_error());
    }
    file *f = lua_touserdata(L, 1);
    f->fd = -1;
    io *o;
    int status = stream_open(ex, fd, &layer_file, &o);
    if (status < 0) {
        return push_failure(L, status);
    }
    *token = io_token(o);
    return 1;
}

/* file_close(file) */
static int file_close(lua_State *L) {
    luaL_checkudata(L, 1, file_metatable.name);
    return collect(L);
}

static const metatable *const metatables[] = {&file_metatable, NULL};
static const function functions[] = {
    {"file_open", file_open},     {"file_copy", file_copy},   {"file_read", file_read},
    {"file_stream", file_stream}, {"file_close", file_close}, {NULL, NULL},
};
const module file_module = {.functions = functions, .metatables = metatables};
