/* SPDX-License-Identifier: MIT
 *
 * How child processes are started from Lua, and their userdata: see child.h.
 */
#include "binding/process/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/stream.h"
#include "process/user.h"
#include "binding/net/net.h"

static int collect(lua_State *L);

static const metatable child_metatable = {.name = "momo.child", .collect = collect};

/* __gc of children */
static int collect(lua_State *L) {
    child_handle *h = lua_touserdata(L, 1);
    if (h->child && !runtime_of(L)->executor.closed) {
        child_release(h->child);
    }
    h->child = NULL;
    return 0;
}

static void on_end(child *c) {
    task_wake_all(&((child_handle *)c->user)->ended.waiters, WAKE_NONE);
}

/* What becomes of one of the standard descriptors. */
typedef struct end {
    int theirs; /* what the child gets */
    int ours;   /* the other end of a pipe, or a terminal; or -1 */
    bool lent;  /* `theirs` is somebody else's */
    const layer *layer;
} end;

typedef struct start {
    process_plan plan;
    end ends[3];
    int terminal; /* its slave, or -1 */
    gid_t *groups;
} start;

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

/* The child has its own copies, or there is none. ours: the ends that Lua was to get. */
static void close_ends(start *s, bool ours) {
    for (int i = 0; i < 3; i++) {
        if (!s->ends[i].lent) {
            close_fd(s->ends[i].theirs);
        }
        if (ours) {
            close_fd(s->ends[i].ours);
        }
    }
    close_fd(s->terminal);
    free(s->groups);
}

static int open_pipe(end *e, bool child_reads) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return io_last_error();
    }
    e->theirs = fds[!child_reads];
    e->ours = fds[child_reads];
    e->layer = &layer_file;
    return fcntl(e->ours, F_SETFL, O_NONBLOCK) < 0 ? io_last_error() : 0; /* the child's own end blocks */
}

/* A descriptor of ours, which may be non-blocking; programs take it for granted that theirs are not. A pipe is opened once
 * more; for a socket the flag does not matter to us (MSG_DONTWAIT). */
static int lend(int fd, end *e) {
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    e->theirs = fd;
    e->lent = true;
    if (flags < 0 || fstat(fd, &status) < 0) {
        return io_last_error();
    }
    if (!(flags & O_NONBLOCK) || S_ISREG(status.st_mode)) {
        return 0;
    }
    if (S_ISSOCK(status.st_mode)) {
        return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? io_last_error() : 0;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    e->theirs = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    e->lent = e->theirs < 0;
    return e->theirs < 0 || fcntl(e->theirs, F_SETFL, flags & ~O_NONBLOCK) < 0 ? io_last_error() : 0;
}

/* The number of a descriptor, "stdout", "pipe", "null", or "terminal": one for all three. */
static int open_end(lua_State *L, int index, start *s, int i) {
    end *e = &s->ends[i];
    if (lua_type(L, index) == LUA_TNUMBER) {
        return lend((int)lua_tointeger(L, index), e);
    }
    const char *kind = lua_tostring(L, index);
    if (strcmp(kind, "stdout") == 0) {
        e->theirs = s->ends[1].theirs;
        e->lent = true;
        return 0;
    }
    if (strcmp(kind, "pipe") == 0) {
        return open_pipe(e, i == 0);
    }
    if (strcmp(kind, "null") == 0) {
        e->theirs = open("/dev/null", O_RDWR | O_CLOEXEC);
        return e->theirs < 0 ? io_last_error() : 0;
    }
    e->lent = true;
    e->theirs = s->terminal;
    if (s->terminal >= 0) {
        return 0;
    }
    e->layer = &layer_terminal;
    int status = process_open_terminal(&e->ours, &s->terminal);
    e->theirs = s->terminal;
    return status;
}

/* Strings of the array at an index, kept by it: a userdata with their pointers is pushed. */
static char **push_strings(lua_State *L, int index) {
    int n = (int)lua_objlen(L, index);
    char **strings = lua_newuserdata(L, ((size_t)n + 1) * sizeof *strings);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, index, i + 1);
        strings[i] = (char *)(uintptr_t)lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    strings[n] = NULL;
    return strings;
}

static int find_identity(lua_State *L, start *s, const char **failed) {
    process_plan *plan = &s->plan;
    int status = 0;
    if (lua_isstring(L, 8)) {
        *failed = lua_tostring(L, 8);
        status = user_find(*failed, &plan->uid, &plan->gid, &s->groups, &plan->group_count);
        plan->has_uid = plan->has_gid = true;
        plan->groups = s->groups;
    }
    if (status == 0 && lua_isstring(L, 9)) {
        *failed = lua_tostring(L, 9);
        status = group_find(*failed, &plan->gid);
        plan->has_gid = true;
    }
    return status;
}

static int push_named_failure(lua_State *L, int code, const char *what, const char *name) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s: %s%s", momo_error_name(code), momo_error_text(code), what, name);
    lua_pushstring(L, momo_error_name(code));
    return 3;
}

static int push_start_failure(lua_State *L, int code, enum process_step step, const process_plan *plan) {
    switch (step) {
    case PROCESS_EXEC: return push_named_failure(L, code, "", plan->argv[0]);
    case PROCESS_CWD: return push_named_failure(L, code, "cwd ", plan->cwd);
    case PROCESS_SESSION: return push_named_failure(L, code, "a session or terminal for ", plan->argv[0]);
    case PROCESS_IDENTITY: return push_named_failure(L, code, "user or group for ", plan->argv[0]);
    case PROCESS_STDIO: return push_named_failure(L, code, "standard descriptors for ", plan->argv[0]);
    default: return push_failure(L, code);
    }
}

/* Our ends as streams, in the places that the tokens have. False: one could not be opened, and *status says why; what is not
 * open yet is closed. */
static bool open_streams(executor *ex, start *s, momo_token **tokens, int *status) {
    *status = 0;
    for (int i = 0; i < 3; i++) {
        io *o;
        if (s->ends[i].ours < 0) {
            continue;
        }
        if (*status < 0) {
            close(s->ends[i].ours);
            continue;
        }
        *status = stream_open(ex, s->ends[i].ours, s->ends[i].layer, &o);
        if (*status == 0) {
            *tokens[i] = io_token(o);
        }
    }
    return *status == 0;
}

/* t: the task that has spawned it, or NULL. */
static void belong(child *c, task *t) {
    if (t) {
        child_belongs(c, t);
    }
}

/* The descriptors of the array at an index, kept by it: a userdata with their numbers is pushed. */
static int *push_descriptors(lua_State *L, int index, size_t *count) {
    *count = lua_istable(L, index) ? lua_objlen(L, index) : 0;
    int *fds = lua_newuserdata(L, (*count + 1) * sizeof *fds);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        fds[i] = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    return fds;
}

/* process_spawn(words, env or nil, cwd or nil, stdin, stdout, stderr, "session" | "group" | nil, user, group,
 *   descriptors from 3 on, or nil, seconds of its grace, or nil: it belongs to no task)
 *   -> child, stdin, stdout, stderr (where there are streams: else false) | nil, err, code */
static int lua_spawn(lua_State *L) {
    executor *ex = open_executor(L);
    lua_settop(L, 11);
    momo_token *tokens[3];
    child_handle *h = push_object(L, sizeof *h, &child_metatable); /* all that allocates comes first */
    list_init(&h->ended.waiters);
    h->ended.operation = "wait";
    h->ended.keepalive = true;
    for (int i = 0; i < 3; i++) {
        tokens[i] = push_object(L, sizeof *tokens[i], &stream_metatable);
    }
    char **argv = push_strings(L, 1), **envp = lua_istable(L, 2) ? push_strings(L, 2) : NULL;
    size_t passed_count;
    int *passed = push_descriptors(L, 10, &passed_count);
    const char *leads = lua_isstring(L, 7) ? lua_tostring(L, 7) : "", *failed = "";
    start s = {.plan = {.argv = argv,
                        .envp = envp,
                        .cwd = lua_isstring(L, 3) ? lua_tostring(L, 3) : NULL,
                        .passed = passed,
                        .passed_count = passed_count},
               .ends = {{-1, -1, false, NULL}, {-1, -1, false, NULL}, {-1, -1, false, NULL}},
               .terminal = -1};
    enum process_step step = PROCESS_START;
    int status = find_identity(L, &s, &failed);
    if (status < 0) {
        free(s.groups);
        return push_named_failure(L, status, "there is no user or group ", failed);
    }
    for (int i = 0; i < 3 && status == 0; i++) {
        status = open_end(L, 4 + i, &s, i);
        s.plan.stdio[i] = s.ends[i].theirs;
    }
    s.plan.terminal = s.terminal >= 0;
    s.plan.session = s.plan.terminal || strcmp(leads, "session") == 0;
    s.plan.group = strcmp(leads, "group") == 0;
    if (status == 0) {
        status = child_spawn(ex, &s.plan, &h->child, &step);
    }
    close_ends(&s, status < 0);
    if (status < 0) {
        return push_start_failure(L, status, step, &s.plan);
    }
    h->child->on_end = on_end;
    h->child->user = h;
    h->child->grace = lua_tonumber(L, 11);
    if (lua_isnumber(L, 11) && strcmp(leads, "session") != 0) {
        belong(h->child, running_task(L));
    }
    if (!open_streams(ex, &s, tokens, &status)) {
        child_kill(h->child, SIGKILL);
        return push_failure(L, status);
    }
    lua_settop(L, 15);
    for (int i = 0; i < 3; i++) {
        if (s.ends[i].ours < 0) {
            lua_pushboolean(L, 0);
            lua_replace(L, 13 + i);
        }
    }
    return 4;
}

/* environ() -> { name = value } */
static int lua_environ(lua_State *L) {
    lua_newtable(L);
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals) {
            lua_pushlstring(L, *entry, (size_t)(equals - *entry));
            lua_pushstring(L, equals + 1);
            lua_rawset(L, -3);
        }
    }
    return 1;
}

static const metatable *const metatables[] = {&child_metatable, NULL};
static const function functions[] = {
    {"process_spawn", lua_spawn},
    {"environ", lua_environ},
    {NULL, NULL},
};
const module process_module = {.functions = functions, .metatables = metatables};
