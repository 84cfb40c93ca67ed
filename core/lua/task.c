/* SPDX-License-Identifier: MIT
 *
 * Tasks as Lua sees them: spawn, run, join, cancel; and the resume that the executor calls.
 *
 * A slot keeps its coroutine: what ended well serves the slot's next task. A handle outlives its task and then holds the
 * results, in its environment: { results... }, or { error, traceback }.
 *
 *   slot --user--> coroutine (kept by UP_COROUTINES)
 *     |  ^
 *     |  '--task-- handle (kept by UP_HANDLES until the task ends, then by those who hold it)
 *     '--handle------^
 */
#include <signal.h>
#include <stdio.h>

#include "suspend.h"

enum {
    IDLE_MAX = 8192,     /* coroutines kept for later tasks: 512 bytes each */
    ARGUMENTS_SURE = 10, /* values for which every stack has room */
};

enum outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_CANCELLED };

typedef struct handle {
    task *task; /* NULL once it has ended */
    uint64_t id;
    int results;
    uint8_t outcome; /* enum outcome */
    bool joined;     /* somebody has taken note of how it ended, or will */
    bool unjoined;   /* counted in runtime.unjoined */
} handle;

static int slot_of(const task *t) {
    return (int)t->head.index + 1;
}

/* ---- from Lua to the ready queue ---- */

/* (task as light userdata): gives it a coroutine of its own. Called protected. */
int make_coroutine(lua_State *L) {
    task *t = lua_touserdata(L, 1);
    lua_State *co = lua_newthread(L);
    lua_rawseti(L, UP(COROUTINES), slot_of(t));
    for (int up = UP_HANDLES; up <= UP_CANCELLATIONS; up++) {
        lua_pushboolean(L, 0); /* false keeps the place, so that no later store allocates */
        lua_rawseti(L, lua_upvalueindex(up), slot_of(t));
    }
    t->user = co;
    return 0;
}

/* The function and its arguments stand from index `first` to the top; pushes the handle. */
static task *spawn(lua_State *L, runtime *rt, int first) {
    int n = lua_gettop(L) - first + 1;
    handle *h = lua_newuserdata(L, sizeof *h);
    *h = (handle){.task = NULL};
    lua_pushvalue(L, UP(TASK));
    lua_setmetatable(L, -2);

    task *t;
    if (task_new(&rt->executor, &t) < 0) {
        luaL_error(L, "not enough memory");
    }
    if (t->user) {
        rt->idle--;
    } else {
        lua_pushvalue(L, UP(MAKE_COROUTINE));
        lua_pushlightuserdata(L, t);
        if (lua_pcall(L, 1, 0, 0) != 0) {
            task_drop(t);
            lua_error(L);
        }
    }
    lua_State *co = t->user;
    if (n > ARGUMENTS_SURE && !(lua_checkstack(co, n) && lua_checkstack(L, n))) {
        rt->idle++;
        task_drop(t);
        throw(L, 1, "spawn: too many arguments");
    }
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, first + i);
    }
    lua_xmove(L, co, n);
    t->progress = (uint64_t)n;
    lua_pushvalue(L, -1);
    lua_rawseti(L, UP(HANDLES), slot_of(t));
    t->handle = h;
    task_start(t);
    h->task = t;
    h->id = rt->executor.spawned;
    return t;
}

/* spawn(fn, ...) -> task */
static int task_spawn(lua_State *L) {
    if (lua_type(L, 1) != LUA_TFUNCTION) {
        return throw(L, 1, "spawn: argument 1 must be a function, got %s (write spawn(f, x), not spawn(f(x)))",
                     lua_isnoneornil(L, 1) ? "nil" : luaL_typename(L, 1));
    }
    runtime *rt = runtime_of_task(L);
    if (!rt->executor.running) {
        return throw(L, 1,
                     "spawn: needs a runtime: call it inside momo.run(main), or run the file with the momo command");
    }
    spawn(L, rt, 1);
    return 1;
}

/* ---- from the ready queue to the end ---- */

/* (task as light userdata, status of its coroutine): stores how it ended in its handle. Called protected. */
int store_outcome(lua_State *L) {
    task *t = lua_touserdata(L, 1);
    int status = (int)lua_tointeger(L, 2);
    lua_State *co = t->user;
    handle *h = t->handle;
    lua_rawgeti(L, UP(HANDLES), slot_of(t));
    if (status == 0) {
        int n = lua_gettop(co);
        luaL_checkstack(L, n + 2, "too many results");
        lua_createtable(L, n, 0);
        int table = lua_gettop(L);
        lua_xmove(co, L, n);
        for (int i = n; i > 0; i--) {
            lua_rawseti(L, table, i);
        }
        lua_setfenv(L, -2);
        h->results = n;
        return 0;
    }
    lua_createtable(L, 2, 0);
    if (status > LUA_YIELD) {
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
    } else if (h->outcome == OUTCOME_CANCELLED) {
        push_cancellation(L, t);
    } else {
        lua_pushliteral(L, "the task's coroutine was resumed by somebody else than the runtime");
    }
    if (t->cancelled && lua_getmetatable(L, -1)) {
        if (lua_rawequal(L, -1, UP(CANCELLED))) {
            h->outcome = OUTCOME_CANCELLED;
        }
        lua_pop(L, 1);
    }
    lua_rawseti(L, -2, 1);
    luaL_traceback(L, co, NULL, 0);
    lua_rawseti(L, -2, 2);
    lua_setfenv(L, -2);

    runtime *rt = runtime_of(L);
    if (h->outcome == OUTCOME_FAILED && (t != rt->main || rt->executor.stopping)) {
        lua_rawgeti(L, UP(HANDLES), slot_of(t));
        lua_rawseti(L, UP(FAILURES), (int)rt->failed + 1);
        rt->failed++;
    }
    return 0;
}

static void stop(runtime *rt, const char *why) {
    if (!rt->executor.stopping) {
        rt->why = why;
        executor_stop(&rt->executor);
    }
}

/* status: of the coroutine, 0 when it ended well; LUA_YIELD: it is given up with the outcome that the handle has. */
static void end(runtime *rt, task *t, int status) {
    lua_State *L = rt->L, *co = t->user;
    handle *h = t->handle;
    if (status == 0) {
        h->outcome = OUTCOME_DONE;
    } else if (status > LUA_YIELD) {
        h->outcome = OUTCOME_FAILED;
    }
    if (status != 0 || lua_gettop(co) != 0) {
        lua_pushvalue(L, UP(STORE_OUTCOME));
        lua_pushlightuserdata(L, t);
        lua_pushinteger(L, status);
        if (lua_pcall(L, 2, 0, 0) != 0) {
            fprintf(stderr, "momo: task %llu: its outcome is lost: %s\n", (unsigned long long)h->id, error_text(L));
            lua_pop(L, 1);
            lua_settop(co, 0);
            h->outcome = OUTCOME_FAILED;
        }
    }
    if (t == rt->main) {
        rt->main = NULL;
        rt->stopped = rt->executor.stopping;
        if (h->outcome == OUTCOME_FAILED) {
            stop(rt, "main failed");
        }
    }
    h->joined |= !list_empty(&t->joiners);
    h->task = NULL;
    if (h->outcome != OUTCOME_DONE || h->results) { /* else it is small: it may stay until the slot's next task */
        lua_pushboolean(L, 0);
        lua_rawseti(L, UP(HANDLES), slot_of(t));
    }
    if (t->cancelled) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, UP(CANCELLATIONS), slot_of(t));
    }
    if (status == 0 && rt->idle < IDLE_MAX && lua_topointer(co, LUA_GLOBALSINDEX) == rt->globals) {
        rt->idle++;
    } else {
        t->user = NULL;
        lua_pushboolean(L, 0);
        lua_rawseti(L, UP(COROUTINES), slot_of(t));
    }
    task_end(t);
}

/* Parked for good: it went on catching its cancellation. */
static void give_up(runtime *rt, task *t) {
    handle *h = t->handle;
    h->outcome = OUTCOME_CANCELLED;
    lua_Debug where;
    const char *source = "?";
    int line = 0;
    for (int level = 0; lua_getstack(t->user, level, &where); level++) {
        lua_getinfo(t->user, "Sl", &where);
        if (where.currentline > 0) {
            source = where.short_src;
            line = where.currentline;
        }
    }
    fprintf(stderr, "momo: task %llu at %s:%d goes on catching its cancellation and was given up (use momo.pcall)\n",
            (unsigned long long)h->id, source, line);
    end(rt, t, LUA_YIELD);
}

/* Its coroutine was resumed by somebody else. */
static void end_hijacked(runtime *rt, task *t) {
    ((handle *)t->handle)->outcome = OUTCOME_FAILED;
    end(rt, t, LUA_YIELD);
}

static void resume(task *t) {
    runtime *rt = t->executor->user;
    lua_State *co = t->user;
    int status;
    if (t->started) {
        if (lua_status(co) != LUA_YIELD) {
            end_hijacked(rt, t);
            return;
        }
        if (t->wake != WAKE_NONE) {
            lua_pushboolean(co, 1);
        }
        status = lua_resume(co, t->wake != WAKE_NONE);
    } else if (t->cancelled) {
        ((handle *)t->handle)->outcome = OUTCOME_CANCELLED;
        end(rt, t, LUA_YIELD);
        return;
    } else {
        int n = (int)t->progress; /* the function and its arguments */
        if (lua_status(co) != 0 || lua_gettop(co) != n) {
            end_hijacked(rt, t);
            return;
        }
        t->started = true;
        status = lua_resume(co, n - 1);
    }
    if (status != LUA_YIELD) {
        end(rt, t, status);
    } else if (t->state == TASK_RUNNING) { /* a bare coroutine.yield, which hears of no cancellation */
        lua_settop(co, 0);
        task_yield(t, WAKE_NONE);
        if (t->cancelled && ++t->raises > RAISES_MAX) {
            list_remove(&t->link);
            give_up(rt, t);
        }
    } else if (t->state == TASK_ENDED) {
        give_up(rt, t);
    }
}

/* At the end of a turn: tells of failed tasks that nobody joins, through the reporter at index 1 of run's frame. */
static void report_failures(executor *ex) {
    runtime *rt = ex->user;
    if (!rt->failed) {
        return;
    }
    lua_State *L = rt->L;
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
        lua_rawgeti(L, -2, 1);
        lua_rawgeti(L, -3, 2);
        lua_pushvalue(L, -5);
        if (lua_pcall(L, 3, 0, 0) != 0) { /* reporter(error, traceback, task) */
            fprintf(stderr, "momo: while a failed task was reported: %s\n", error_text(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    }
}

/* ---- run ---- */

static void on_sigpipe(int number) {
    (void)number;
}

/* Writing to a closed pipe is an error, not a death. A handler, unlike SIG_IGN, is not inherited by other programs. */
static void survive_sigpipe(void) {
    struct sigaction before;
    if (sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
        struct sigaction action = {.sa_handler = on_sigpipe, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        sigaction(SIGPIPE, &action, NULL);
    }
}

/* Pushes "task 3 in join, task 4 in join". */
static void push_waiting(lua_State *L, executor *ex) {
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    uint32_t cursor = 0;
    int listed = 0;
    for (task *t; (t = slab_next(&ex->tasks, &cursor)) && listed < 10; listed++) {
        char line[96];
        const handle *h = t->handle;
        snprintf(line, sizeof line, "%stask %llu in %s", listed ? ", " : "", (unsigned long long)h->id, t->waits_for);
        luaL_addstring(&text, line);
    }
    luaL_pushresult(&text);
}

/* run(reporter, main, ...) -> main's handle | nil when it was stopped before main ended, deadlock: string or nil */
static int task_run(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (executor_running) {
        return throw(L, 3, "run: already inside a runtime; call main() directly");
    }
    executor *ex = open_executor(L);
    rt->L = L;
    rt->stopped = false;
    rt->unjoined = 0;
    rt->globals = lua_topointer(L, LUA_GLOBALSINDEX);
    ex->user = rt;
    ex->resume = resume;
    ex->turn_end = report_failures;
    rt->main = spawn(L, rt, 2);
    int main_handle = lua_gettop(L);
    luaL_checkstack(L, 16, "run");
    survive_sigpipe();
    bool ended = executor_run(ex);
    if (ended) {
        lua_pushnil(L);
    } else {
        push_waiting(L, ex);
        stop(rt, "deadlock");
        executor_run(ex);
    }
    rt->L = NULL;
    if (rt->stopped && ended) {
        lua_pushnil(L);
    } else {
        lua_pushvalue(L, main_handle);
    }
    lua_insert(L, -2);
    return 2;
}

/* stop() */
static int task_stop(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (!rt->executor.running) {
        return throw(L, 1, "stop: needs a runtime: call it inside momo.run(main)");
    }
    stop(rt, "stop");
    return 0;
}

/* unjoined() -> tasks of the last run that failed and were never joined */
static int task_unjoined(lua_State *L) {
    lua_pushinteger(L, runtime_of(L)->unjoined);
    return 1;
}

/* yield_now(): it is not called again, so it has no answer to wait for */
static int task_yield_now(lua_State *L) {
    executor *ex = executor_running;
    task *t = ex ? ex->current : NULL;
    if (!t || t->user != L || t->cancelled || !lua_isyieldable(L)) {
        t = suspend_check(L, 1, "yield_now");
        if (!t->turn.raised_by_yield) {
            t->turn.raised_by_yield = true;
            return suspend_cancelled(L, t);
        }
    }
    task_yield(t, WAKE_NONE);
    return lua_yield(L, 0);
}

/* current() -> task or nil */
static int task_current(lua_State *L) {
    executor *ex = executor_running;
    if (ex && ex->current && ex->user == runtime_of(L)) {
        lua_rawgeti(L, UP(HANDLES), slot_of(ex->current));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* ---- methods ---- */

static handle *self(lua_State *L, int level, const char *method) {
    return check_self(L, UP(TASK), level, "task", method);
}

/* join(task): returns when it has ended */
static int task_join(lua_State *L) {
    handle *h = self(L, 2, "join");
    enum wake wake;
    task *t = suspend_enter(L, 2, "join", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (!h->task) {
        return 0;
    }
    if (h->task == t) {
        return throw(L, 2, "join: a task can't join itself");
    }
    task_park(t, "join", DEADLINE_NEVER, WAKE_TIMEOUT);
    list_push(&h->task->joiners, &t->link);
    return lua_yield(L, 0);
}

/* outcome(task) -> true, results... | false, error */
static int task_outcome(lua_State *L) {
    handle *h = self(L, 2, "join");
    runtime *rt = runtime_of(L);
    if (h->unjoined) {
        h->unjoined = false;
        rt->unjoined--;
    }
    h->joined = true;
    lua_settop(L, 1);
    lua_pushboolean(L, h->outcome == OUTCOME_DONE);
    if (h->outcome == OUTCOME_DONE && h->results == 0) {
        return 1;
    }
    lua_getfenv(L, 1);
    int n = h->outcome == OUTCOME_DONE ? h->results : 1;
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 3, i);
    }
    lua_remove(L, 3);
    return n + 1;
}

/* cancel(task, reason) */
static int task_cancel_with(lua_State *L) {
    handle *h = self(L, 1, "cancel");
    task *t = h->task;
    if (!t || t->cancelled) {
        return 0;
    }
    lua_settop(L, 2);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "reason");
    lua_pushvalue(L, UP(CANCELLED));
    lua_setmetatable(L, -2);
    lua_rawseti(L, UP(CANCELLATIONS), slot_of(t));
    if (h->task) { /* an allocation runs finalizers, which may end tasks */
        task_cancel(t);
    }
    return 0;
}

/* status(task) */
static int task_status(lua_State *L) {
    static const char *const live[] = {[TASK_READY] = "ready", [TASK_RUNNING] = "running", [TASK_WAITING] = "waiting"};
    static const char *const ended[] = {
        [OUTCOME_DONE] = "done", [OUTCOME_FAILED] = "failed", [OUTCOME_CANCELLED] = "cancelled"};
    const handle *h = self(L, 1, "status");
    lua_pushstring(L, h->task ? live[h->task->state] : ended[h->outcome]);
    return 1;
}

/* id(task): counted up from 1 by each executor */
static int task_id(lua_State *L) {
    lua_pushnumber(L, (lua_Number)self(L, 1, "id")->id);
    return 1;
}

/* traceback(task): where it is; where it failed, when it has; "" when it ended well */
static int task_traceback(lua_State *L) {
    const handle *h = self(L, 1, "traceback");
    if (h->task) {
        luaL_traceback(L, h->task->user, NULL, 0);
    } else if (h->outcome == OUTCOME_DONE) {
        lua_pushliteral(L, "");
    } else {
        lua_getfenv(L, 1);
        lua_rawgeti(L, -1, 2);
    }
    return 1;
}

void register_task(lua_State *L) {
    static const function functions[] = {
        {"spawn", task_spawn},
        {"run", task_run},
        {"stop", task_stop},
        {"unjoined", task_unjoined},
        {"yield_now", task_yield_now},
        {"current", task_current},
        {"join", task_join},
        {"outcome", task_outcome},
        {"cancel", task_cancel_with},
        {"status", task_status},
        {"id", task_id},
        {"traceback", task_traceback},
        {NULL, NULL},
    };
    register_functions(L, functions);
}
