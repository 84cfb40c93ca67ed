/* SPDX-License-Identifier: MIT
 *
 * What is told from outside of a state: its tasks in a dump, and its stalls.
 */
#include "binding/inside/inside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/io.h"
#include "loop/inside/watchdog.h"

/* A copy with a newline behind it. NULL: out of memory. */
static char *copy_of(const char *before, const char *text) {
    size_t at = strlen(before), size = strlen(text);
    char *copy = malloc(at + size + 2);
    if (copy) {
        memcpy(copy, before, at);
        memcpy(copy + at, text, size);
        memcpy(copy + at + size, "\n", 2);
    }
    return copy;
}

typedef struct question {
    const char *module_name, *argument;
    char *answer;
} question;

/* Called protected, as all that allocates is where nobody would catch an error. */
static int make_text(lua_State *L) {
    question *q = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushstring(L, q->module_name);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "text");
    lua_pushstring(L, q->argument);
    lua_call(L, 1, 1);
    q->answer = copy_of("", error_text(L));
    return 0;
}

char *inside_text(executor *ex, const char *module_name, const char *argument, const char *on_failure) {
    lua_State *L = ((runtime *)ex->user)->L;
    question q = {module_name, argument, NULL};
    if (L && lua_cpcall(L, make_text, &q) != 0) {
        q.answer = on_failure ? copy_of(on_failure, error_text(L)) : NULL;
        lua_pop(L, 1);
    }
    return q.answer;
}

static char *make_dump(executor *ex) {
    return inside_text(ex, "momo.command.tree", NULL, "momo: a thread's tasks can't be told: ");
}

void inside_init(runtime *rt) {
    rt->executor.dump.make = make_dump;
}

static uint64_t usual_limit_ns; /* of executors that have none of their own; set before there are threads */

/* set_stall(seconds, or nil for the usual): from the next run on; 0: nothing is told */
static int set_stall(lua_State *L) {
    open_executor(L)->stall.limit_ns = lua_isnil(L, 1) ? usual_limit_ns : (uint64_t)(lua_tonumber(L, 1) * 1e9);
    return 0;
}

/* set_usual_stall(seconds) */
static int set_usual_stall(lua_State *L) {
    usual_limit_ns = (uint64_t)(lua_tonumber(L, 1) * 1e9);
    return 0;
}

/* dump_on_quit() -> true | nil, err, code */
static int dump_on_quit(lua_State *L) {
    int status = watchdog_dump_on_quit();
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int send_signal(lua_State *L, int number) {
    if (kill((pid_t)lua_tointeger(L, 1), number) < 0) {
        return push_failure(L, uv_translate_sys_error(errno));
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* dump_process(pid) -> true | nil, err, code: as dump_on_quit has made that process ready for */
static int dump_process(lua_State *L) {
    return send_signal(L, SIGQUIT);
}

/* reload_process(pid) -> true | nil, err, code: as succession_on_hangup has */
static int reload_process(lua_State *L) {
    return send_signal(L, SIGHUP);
}

/* console_may(stream of a Unix socket): whether its peer is this process's owner, or root */
static int console_may(lua_State *L) {
    const io *o = io_get(open_executor(L), *(const momo_token *)lua_touserdata(L, 1));
    struct ucred peer;
    socklen_t size = sizeof peer;
    bool known = o && getsockopt(o->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    lua_pushboolean(L, known && (peer.uid == geteuid() || peer.uid == 0));
    return 1;
}

/* pid(): of this process */
static int own_pid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

static const function functions[] = {
    {"set_stall", set_stall},
    {"set_usual_stall", set_usual_stall},
    {"dump_on_quit", dump_on_quit},
    {"dump_process", dump_process},
    {"reload_process", reload_process},
    {"console_may", console_may},
    {"pid", own_pid},
    {NULL, NULL},
};
const module inside_module = {.functions = functions};
