/* SPDX-License-Identifier: MIT
 *
 * Files as Lua sees them: a userdata that holds an open one; and calls, each of which a task starts and waits for.
 */
#include "fs/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/beneath.h"
#include "fs/disk.h"
#include "binding/net/net.h"
#include "binding/offload.h"

typedef struct handle {
    file *file; /* NULL: closed */
} handle;

/* __gc, and close: calls that are under way keep the descriptor */
static int collect(lua_State *L) {
    handle *h = lua_touserdata(L, 1);
    if (h->file) {
        file_drop(h->file);
        h->file = NULL;
    }
    return 0;
}

static const metatable open_file_metatable = {.name = "momo.open_file", .collect = collect};

/* fs_operation(name) -> an operation, for fs_call */
static int fs_operation(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    static const file_operation *const tables[] = {file_operations, path_operations, whole_operations};
    for (int i = 0; i < 3; i++) {
        for (const file_operation *operation = tables[i]; operation->name; operation++) {
            if (strcmp(operation->name, name) == 0) {
                lua_pushlightuserdata(L, (void *)(uintptr_t)operation);
                return 1;
            }
        }
    }
    return luaL_error(L, "no operation on files: %s", name);
}

static char *copy_string(lua_State *L, int index, size_t *size) {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    char *copy = malloc(length + 1);
    if (!copy) {
        luaL_error(L, "not enough memory");
    }
    memcpy(copy, text, length + 1);
    if (size) {
        *size = length;
    }
    return copy;
}

/* fs_call(over, operation, file, path, other, data, offset, flags, mode, atime, mtime) -> call. What is not needed is nil; over:
 * a call that is, whose userdata serves again. EBADF: false */
static int fs_call(lua_State *L) {
    offload **slot;
    if (lua_isnil(L, 1)) {
        slot = push_offload(L);
    } else {
        slot = lua_touserdata(L, 1);
        lua_pushvalue(L, 1);
    }
    file_call *c = file_call_new(open_executor(L), lua_touserdata(L, 2));
    if (!c) {
        return luaL_error(L, "not enough memory");
    }
    *slot = &c->offload;
    if (!lua_isnil(L, 3)) {
        const handle *h = lua_touserdata(L, 3);
        if (!h->file) {
            lua_pushboolean(L, 0);
            return 1;
        }
        file_hold(h->file);
        c->file = h->file;
    }
    c->path = lua_isstring(L, 4) ? copy_string(L, 4, NULL) : NULL;
    c->other = lua_isstring(L, 5) ? copy_string(L, 5, NULL) : NULL;
    c->bytes = lua_isstring(L, 6) ? copy_string(L, 6, &c->size) : NULL;
    c->offset = (int64_t)lua_tonumber(L, 7);
    c->flags = (int)lua_tointeger(L, 8);
    c->mode = (mode_t)lua_tonumber(L, 9);
    c->times[0] = lua_tonumber(L, 10);
    c->times[1] = lua_tonumber(L, 11);
    return 1;
}

static const char *kind_of(mode_t mode) {
    return S_ISREG(mode)    ? "file"
           : S_ISDIR(mode)  ? "directory"
           : S_ISLNK(mode)  ? "link"
           : S_ISFIFO(mode) ? "fifo"
           : S_ISSOCK(mode) ? "socket"
           : S_ISCHR(mode)  ? "character"
                            : "block";
}

static double seconds_of(struct timespec t) {
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The fields of a momo.FileStatus, of which Lua makes it. */
static int push_status(lua_State *L, const struct stat *status) {
    const lua_Number numbers[] = {(lua_Number)status->st_size,
                                  status->st_mode & 07777,
                                  status->st_uid,
                                  status->st_gid,
                                  (lua_Number)status->st_dev,
                                  (lua_Number)status->st_ino,
                                  (lua_Number)status->st_nlink,
                                  (lua_Number)status->st_blocks,
                                  seconds_of(status->st_atim),
                                  seconds_of(status->st_mtim),
                                  seconds_of(status->st_ctim)};
    const int count = sizeof numbers / sizeof *numbers;
    luaL_checkstack(L, count + 1, NULL);
    lua_pushstring(L, kind_of(status->st_mode));
    for (int i = 0; i < count; i++) {
        lua_pushnumber(L, numbers[i]);
    }
    return count + 1;
}

static handle *push_handle(lua_State *L) {
    return push_object(L, sizeof(handle), &open_file_metatable);
}

enum { FEW = 16 * 1024 }; /* bytes that are read by way of the stack */

static char *write_hex(char *end, uint64_t number) {
    do {
        *--end = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number);
    return end;
}

/* Behind its file: how many values in all. The validator is a weak one: the file may be written to within the clock's tick. */
static int push_regular(lua_State *L, const struct stat *status) {
    char etag[64], *end = etag + sizeof etag, *p = end;
    *--p = '"';
    p = write_hex(p, (uint64_t)status->st_mtim.tv_nsec);
    *--p = '.';
    p = write_hex(p, (uint64_t)status->st_mtim.tv_sec);
    *--p = '-';
    p = write_hex(p, (uint64_t)status->st_size);
    p -= 3;
    memcpy(p, "W/\"", 3);
    lua_pushnumber(L, (lua_Number)status->st_size);
    lua_pushnumber(L, (lua_Number)status->st_mtim.tv_sec);
    lua_pushlstring(L, p, (size_t)(end - p));
    return 4;
}

/* The file of a descriptor, which it takes over, becomes the handle's: 0, or UV_ENOMEM. */
static int open_handle(handle *h, int fd) {
    h->file = file_new(fd);
    return h->file ? 0 : UV_ENOMEM;
}

/* The call's own memory stays until the userdata at index 1 is left. */
static int push_answer(lua_State *L, file_call *c) {
    switch (c->operation->answer) {
    case FILE_NUMBER: lua_pushnumber(L, (lua_Number)c->result); return 1;
    case FILE_BYTES: lua_pushlstring(L, c->bytes ? c->bytes : "", c->size); return 1;
    case FILE_STATUS: return push_status(L, &c->status);
    case FILE_OPENED:
    case FILE_REGULAR: {
        handle *h = push_handle(L);
        int status = open_handle(h, (int)c->result);
        c->result = 0;
        if (status < 0) {
            return status;
        }
        if (c->operation->answer == FILE_REGULAR) {
            return push_regular(L, &c->status);
        }
        lua_pushstring(L, c->bytes ? c->bytes : c->path); /* a temporary file's name */
        return 2;
    }
    default: lua_pushboolean(L, 1); return 1;
    }
}

static file_call *call_at(lua_State *L) {
    offload *f = offload_at(L, 1);
    return f ? file_call_of(f) : NULL;
}

/* At once, if what it asks for is in memory; else on the pool. */
static int attempt_finish(lua_State *L, op *o) {
    (void)o;
    file_call *c = call_at(L);
    if (!c->offload.started) {
        ssize_t n = c->operation->now ? c->operation->now(c) : UV_EAGAIN;
        if (n == UV_EAGAIN) {
            int status = offload_start(&c->offload);
            return status < 0 ? status : UV_EAGAIN;
        }
        c->result = n;
    } else if (!c->offload.done) {
        return UV_EAGAIN;
    }
    if (c->result < 0) {
        return (int)c->result;
    }
    int n = push_answer(L, c);
    if (n >= 0) {
        leave_offload(L, 1);
    }
    return n;
}

static int park_finish(lua_State *L, op *o) {
    offload_wait(offload_at(L, 1), o->task, o->name, o->deadline_ms);
    return 0;
}

static void leave_finish(lua_State *L, op *o) {
    (void)o;
    leave_offload(L, 1);
}

/* The path at index 2 stands in the text. */
static int push_path_failure(lua_State *L, int code) {
    if (!lua_isstring(L, 2)) {
        return push_failure(L, code);
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s: %s", momo_error_name(code), momo_error_text(code), lua_tostring(L, 2));
    lua_pushstring(L, momo_error_name(code));
    return 3;
}

/* fs_finish(call, path) -> the answer | nil, err, code */
static int fs_finish(lua_State *L) {
    static const op_kind kind = {
        .name = "fs", .attempt = attempt_finish, .park = park_finish, .leave = leave_finish, .fail = push_path_failure};
    const offload *f = offload_at(L, 1);
    return op_run_as(L, &kind, f ? file_call_of((offload *)(uintptr_t)f)->operation->name : "fs", NULL);
}

/* fs_descriptor(file, position or nil) -> fd, which stands there where it can | nil: it is closed */
static int fs_descriptor(lua_State *L) {
    const handle *h = lua_touserdata(L, 1);
    if (!h->file) {
        return 0;
    }
    if (lua_isnumber(L, 2)) {
        lseek(h->file->fd, (off_t)lua_tonumber(L, 2), SEEK_SET);
    }
    lua_pushinteger(L, h->file->fd);
    return 1;
}

/* For reading, a regular file is a stream that holds nobody up; what else was opened, or is to be written, is a descriptor of
 * its own that stands there. */
static int open_stream(executor *ex, file *f, int64_t offset, bool reads, io **out) {
    struct stat status;
    if (reads && fstat(f->fd, &status) == 0 && S_ISREG(status.st_mode)) {
        return disk_open(ex, f, offset, out);
    }
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return io_last_error();
    }
    lseek(fd, (off_t)offset, SEEK_SET); /* a pipe stands nowhere */
    return stream_open(ex, fd, &layer_file, out);
}

/* fs_stream(file, offset, reads) -> a stream from there on | nil, err, code */
static int fs_stream(lua_State *L) {
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    executor *ex = open_executor(L);
    const handle *h = lua_touserdata(L, 1);
    io *o;
    int status = h->file ? open_stream(ex, h->file, (int64_t)lua_tonumber(L, 2), lua_toboolean(L, 3), &o) : UV_EBADF;
    if (status < 0) {
        return push_failure(L, status);
    }
    *token = io_token(o);
    return 1;
}

/* Of a descriptor that stays the caller's: another one, UV_EINVAL: it is no regular file. */
static int copy_descriptor(int fd, struct stat *status) {
    if (fstat(fd, status) < 0) {
        return io_last_error();
    }
    int copy = S_ISREG(status->st_mode) ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : UV_EINVAL;
    return copy == -1 ? io_last_error() : copy;
}

/* fs_regular(root or nil, path or fd, at once) -> file, size, when it was modified, in seconds, its validator for HTTP |
 * nil, err, code | false: it has to wait for a disk */
static int fs_regular(lua_State *L) {
    handle *h = push_handle(L);
    struct stat status;
    int fd = lua_type(L, 2) == LUA_TNUMBER
                 ? copy_descriptor((int)lua_tointeger(L, 2), &status)
                 : beneath_open(lua_tostring(L, 1), lua_tostring(L, 2), lua_toboolean(L, 3), &status);
    if (fd == UV_EAGAIN) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int code = fd < 0 ? fd : open_handle(h, fd);
    return code < 0 ? push_failure(L, code) : push_regular(L, &status);
}

/* fs_read_now(file, offset, n) -> bytes, fewer where it ends | nil, err, code | false: it has to wait for a disk */
static int fs_read_now(lua_State *L) {
    char few[FEW];
    size_t n = (size_t)lua_tonumber(L, 3);
    char *bytes = n <= sizeof few ? few : lua_newuserdata(L, n);
    const handle *h = lua_touserdata(L, 1);
    ssize_t got = h->file ? file_read_now(h->file->fd, bytes, n, (int64_t)lua_tonumber(L, 2)) : UV_EBADF;
    if (got == UV_EAGAIN) {
        lua_pushboolean(L, 0);
        return 1;
    } else if (got < 0) {
        return push_failure(L, (int)got);
    }
    lua_pushlstring(L, bytes, (size_t)got);
    return 1;
}

/* fs_flags() -> { name = flag of open(2) or flock(2) } */
static int fs_flags(lua_State *L) {
    static const struct {
        const char *name;
        int value;
    } flags[] = {{"RDONLY", O_RDONLY}, {"WRONLY", O_WRONLY}, {"RDWR", O_RDWR},     {"CREAT", O_CREAT},
                 {"EXCL", O_EXCL},     {"TRUNC", O_TRUNC},   {"APPEND", O_APPEND}, {"NOCTTY", O_NOCTTY},
                 {"LOCK_SH", LOCK_SH}, {"LOCK_EX", LOCK_EX}, {"LOCK_UN", LOCK_UN}, {"LOCK_NB", LOCK_NB}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        lua_pushinteger(L, flags[i].value);
        lua_setfield(L, -2, flags[i].name);
    }
    return 1;
}

static const metatable *const metatables[] = {&open_file_metatable, NULL};
static const function functions[] = {
    {"fs_call", fs_call},
    {"fs_finish", fs_finish},
    {"fs_descriptor", fs_descriptor},
    {"fs_stream", fs_stream},
    {"fs_regular", fs_regular},
    {"fs_read_now", fs_read_now},
    {"fs_flags", fs_flags},
    {"fs_close", collect},
    {"fs_operation", fs_operation},
    {NULL, NULL},
};
const module fs_module = {.functions = functions, .metatables = metatables};
