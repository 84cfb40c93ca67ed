/* SPDX-License-Identifier: MIT
 *
 * A child process's life in Lua: its end, signals, its terminal.
 */
#include "binding/process/child.h"

#include "binding/net/net.h"
#include "binding/op.h"
#include "binding/process/signal.h"

/* process_end(child) -> status, nil | nil, signal | false: it runs | nothing: nobody learns how it ended */
static int lua_end(lua_State *L) {
    const child *c = ((child_handle *)lua_touserdata(L, 1))->child;
    if (child_runs(c)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (!c->ended) {
        return 0;
    }
    if (c->end.status >= 0) {
        lua_pushinteger(L, c->end.status);
        return 1;
    }
    lua_pushnil(L);
    push_signal(L, c->end.signal);
    return 2;
}

/* process_kill(child, signal) -> true | nil, err, code | false: there is no such signal */
static int lua_kill(lua_State *L) {
    int number = signal_number(lua_tostring(L, 2));
    if (!number) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int status = child_kill(((child_handle *)lua_touserdata(L, 1))->child, number);
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* The child that its task or one that waits for its end has to wait for, or NULL. */
static child *finish(lua_State *L, const task *t) {
    if (lua_type(L, 1) == LUA_TNUMBER) {
        return child_finish_from(t, (uint64_t)lua_tonumber(L, 1));
    }
    child *c = ((child_handle *)lua_touserdata(L, 1))->child;
    child_finish(c);
    return child_is_ending(c) ? c : NULL;
}

static int attempt_finish(lua_State *L, op *o) {
    return finish(L, o->task) ? UV_EAGAIN : 0;
}

static int park_finish(lua_State *L, op *o) {
    op_park_in(o, &finish(L, o->task)->waiters);
    task_keep_alive(o->task);
    return 0;
}

/* process_finish(child, or the number from which on the task's own are meant): makes them end, and waits for it */
static int lua_finish(lua_State *L) {
    static const op_kind kind = {
        .name = "its processes", .shielded = true, .attempt = attempt_finish, .park = park_finish};
    return op_run(L, &kind);
}

/* process_kill_rest(child): of its group, of which somebody still has a pipe of ours */
static int lua_kill_rest(lua_State *L) {
    child_kill_rest(((child_handle *)lua_touserdata(L, 1))->child);
    return 0;
}

/* process_pid(child) */
static int lua_pid(lua_State *L) {
    lua_pushinteger(L, ((child_handle *)lua_touserdata(L, 1))->child->process.pid);
    return 1;
}

/* process_resize(stream of the terminal, rows, columns) -> true | nil, err, code */
static int lua_resize(lua_State *L) {
    const io *o = io_get(open_executor(L), *(momo_token *)lua_touserdata(L, 1));
    int status =
        o ? process_resize_terminal(o->fd, (unsigned short)lua_tointeger(L, 2), (unsigned short)lua_tointeger(L, 3))
          : UV_EBADF;
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static const function functions[] = {
    {"process_end", lua_end},
    {"process_kill", lua_kill},
    {"process_finish", lua_finish},
    {"process_kill_rest", lua_kill_rest},
    {"process_pid", lua_pid},
    {"process_resize", lua_resize},
    {NULL, NULL},
};
const module child_module = {.functions = functions};
