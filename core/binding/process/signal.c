/* SPDX-License-Identifier: MIT
 *
 * Signals as Lua sees them: by their names.
 */
#include "loop/signals.h"

#include <signal.h>
#include <string.h>

#include "binding/op.h"
#include "binding/process/signal.h"
#include "loop/libc.h"

void push_signal(lua_State *L, int number) {
    const char *name = libc_signal_name(number);
    if (name) {
        lua_pushfstring(L, "SIG%s", name);
    } else if (number >= SIGRTMIN) {
        lua_pushfstring(L, "SIGRTMIN+%d", number - SIGRTMIN);
    } else { /* one of the C library's own */
        lua_pushfstring(L, "SIG%d", number);
    }
}

int signal_number(const char *name) {
    if (strncmp(name, "SIG", 3) == 0) {
        for (int number = 1; number <= EXECUTOR_SIGNALS; number++) {
            const char *known = libc_signal_name(number);
            if (known && strcmp(known, name + 3) == 0) {
                return number;
            }
        }
    }
    return 0;
}

static int check_signal(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) {
        throw(L, "signal.recv: argument %d must be a signal's name such as \"SIGHUP\", got %s", index,
              luaL_typename(L, index));
    }
    const char *name = lua_tostring(L, index);
    if (strlen(name) != lua_objlen(L, index)) {
        throw(L, "signal.recv: argument %d must be a signal's name, and has a zero byte", index);
    }
    int number = signal_number(name);
    switch (number) {
    case 0: {
        const char *meant = lua_pushfstring(L, "SIG%s", name);
        throw(L, "signal.recv: there is no signal \"%s\"; write \"%s\"", name, signal_number(meant) ? meant : "SIGHUP");
        break;
    }
    case SIGKILL:
    case SIGSTOP: throw(L, "signal.recv: %s can't be caught", name); break;
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: throw(L, "signal.recv: %s tells of a fault of the program itself, which can't go on", name); break;
    default: break;
    }
    return number;
}

static void check(lua_State *L, op *o) {
    (void)o;
    for (int i = 1, n = lua_gettop(L); i <= n || i == 1; i++) {
        check_signal(L, i);
    }
}

static uint64_t signals_of(lua_State *L) {
    uint64_t set = 0;
    for (int i = 1; lua_type(L, i) == LUA_TSTRING; i++) {
        set |= signal_bit(signal_number(lua_tostring(L, i)));
    }
    return set;
}

static int attempt(lua_State *L, op *o) {
    executor *ex = o->task->executor;
    uint64_t set = signals_of(L);
    int status = o->woken ? 0 : signals_take(ex, set);
    if (status < 0) {
        return status;
    }
    if (!(ex->signals.kept & set)) {
        return UV_EAGAIN;
    }
    int number = signal_lowest(ex->signals.kept & set);
    push_signal(L, number);
    ex->signals.kept &= ~signal_bit(number);
    return 1;
}

static int park(lua_State *L, op *o) {
    signals_wait(o->task, signals_of(L));
    return 0;
}

/* signal_recv(name, ...) -> name | nil, err, code */
static int signal_recv(lua_State *L) {
    static const op_kind kind = {.name = "signal.recv", .check = check, .attempt = attempt, .park = park};
    return op_run(L, &kind);
}

static const function functions[] = {
    {"signal_recv", signal_recv},
    {NULL, NULL},
};
const module signal_module = {.functions = functions};
