/* SPDX-License-Identifier: MIT
 *
 * run: the executor's loop on a Lua state, and what it tells of failures.
 */
#include <signal.h>
#include <stdio.h>

#include "loop/io.h"
#include "loop/scope.h"
#include "thread/thread.h"
#include "binding/inside/live.h"
#include "binding/task/task.h"
#include "binding/thread/thread.h"

/* Tells of failed tasks that nobody joins, through the reporter at index 1 of run's frame. Not a part of report_failures, which
 * would save more registers in each turn. */
static __attribute__((noinline)) void report_tasks(lua_State *L, runtime *rt) {
    unsigned n = rt->failed;
    rt->failed = 0;
    for (unsigned i = 1; i <= n; i++) {
        lua_rawgeti(L, UP(FAILURES), (int)i);
        lua_pushnil(L);
        lua_rawseti(L, UP(FAILURES), (int)i);
        handle *h = lua_touserdata(L, -1);
        if (h->joined) {
            lua_pop(L, 1);
            continue;
        }
        h->unjoined = true;
        rt->unjoined++;
        lua_getfenv(L, -1);
        lua_pushvalue(L, 1);
        lua_pushvalue(L, -3);
        lua_rawgeti(L, -3, 1);
        lua_rawgeti(L, -4, 2);
        if (lua_pcall(L, 3, 0, 0) != 0) { /* reporter(task, error, traceback) */
            fprintf(stderr, "momo: while a failed task was reported: %s\n", error_text(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    }
}

/* At the end of a turn. */
static void report_failures(executor *ex) {
    runtime *rt = ex->user;
    if (rt->failed) {
        report_tasks(rt->L, rt);
    }
    if (rt->failed_threads) {
        thread_report_failures(rt->L, rt);
    }
}

/* What begins anew with each run. */
static void prepare_run(lua_State *L, runtime *rt, executor *ex) {
    rt->L = L;
    rt->stopped = ex->dismissed = false;
    rt->unjoined = 0;
    rt->why = NULL;
    rt->random = 1;
    rt->globals = lua_topointer(L, LUA_GLOBALSINDEX);
    ex->user = rt;
    if (!ex->meter && !rt->trace) {
        ex->resume = resume_task;
    }
    executor_stamp(ex, executor_now_ms(ex));
    rt->reports.after_window = report_failures;
    executor_add_driver(ex, &rt->reports);
}

/* Nothing can wake the tasks: all are cancelled, and those that wait on are given up. */
static void end_stuck(runtime *rt, executor *ex) {
    stop_all(rt, ex->poller.failed ? "the poller has failed" : "deadlock");
    scope_break_shields(ex); /* what they hold off the cancellation for will never come */
    if (!executor_run(ex)) {
        give_up_all(rt);
        executor_run(ex);
    }
}

/* Calls the function at index 2, describe(live tasks), or describe(nil, a poller's name, UV_E*) if that has failed. What it raises
 * is told in place of what it returns. */
static void describe_stuck(lua_State *L, executor *ex) {
    lua_pushvalue(L, 2);
    if (!ex->poller.failed) {
        push_live(L, ex);
        lua_pcall(L, 1, 1, 0);
        return;
    }
    lua_pushnil(L);
    lua_pushstring(L, poller_name(&ex->poller));
    lua_pushinteger(L, ex->poller.failed);
    lua_pcall(L, 3, 1, 0);
}

/* run(reporter, describe, main, ...) -> main's handle | nil when it was stopped before main ended, nil, or why the tasks were
 * stuck: what describe returns */
static int task_run(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (executor_running) {
        return throw(L, "run: already inside a runtime; call main() directly");
    }
    executor *ex = open_executor(L);
    prepare_run(L, rt, ex);
    rt->main = spawn(L, rt, 3, NULL);
    int main_handle = lua_gettop(L);
    luaL_checkstack(L, 16, "run");
    io_survive(SIGPIPE); /* writing to a closed pipe is an error, not a death */
    stall_begin(ex);
    bool ended = executor_run(ex);
    if (ended) {
        lua_pushnil(L);
    } else {
        describe_stuck(L, ex);
        end_stuck(rt, ex);
    }
    stall_end(ex);
    rt->L = NULL;
    if (rt->stopped && ended) {
        lua_pushnil(L);
    } else {
        lua_pushvalue(L, main_handle);
    }
    lua_insert(L, -2);
    return 2;
}

/* unjoined() -> tasks of the last run that failed and were never joined */
static int task_unjoined(lua_State *L) {
    lua_pushinteger(L, runtime_of(L)->unjoined);
    return 1;
}

/* set_virtual(on): takes a virtual clock, or the real one again */
static int run_set_virtual(lua_State *L) {
    executor *ex = open_executor(L);
    if (!executor_running && !ex->wheel.count) {
        executor_set_virtual(ex, lua_toboolean(L, 1));
    }
    return 0;
}

/* set_grace(seconds, or nil for the usual): that threads have to hear of a stop */
static int run_set_grace(lua_State *L) {
    executor *ex = open_executor(L);
    ex->threads.grace = luaL_optnumber(L, 1, ex->threads.own ? ex->threads.own->grace : EXECUTOR_GRACE);
    return 0;
}

static const function functions[] = {
    {"run", task_run}, {"set_grace", run_set_grace}, {"unjoined", task_unjoined}, {"set_virtual", run_set_virtual},
    {NULL, NULL},
};
const module run_module = {.functions = functions};
