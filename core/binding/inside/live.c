/* SPDX-License-Identifier: MIT
 *
 * The live tasks as Lua sees them, and whether what they run is measured.
 */
#include "binding/inside/live.h"

#include "binding/task/handle.h"
#include "loop/inside/meter.h"
#include "loop/scope.h"

/* What stands in the fields of a task's row: read before anything is pushed, since that may run a finalizer. */
typedef struct row {
    const char *operation;
    double since, left, ran;
    uint32_t resumes;
    int scope;
} row;

static int scopes_around(const scope *s) {
    int n = 0;
    for (; s; s = s->outer) {
        n++;
    }
    return n;
}

/* Seconds until the deadline of what it waits for; negative: there is none. */
static double seconds_left(const task *t) {
    uint64_t deadline_ms = t->timer.deadline_ms, now_ms = executor_now_ms(t->executor);
    if (!wheel_pending(&t->timer)) {
        return -1;
    }
    return deadline_ms > now_ms ? (double)(deadline_ms - now_ms) / 1e3 : 0;
}

static row row_of(const task *t) {
    return (row){
        .operation = t->state == TASK_WAITING ? t->waits_for : NULL,
        .since = executor_time_of(t->executor, task_since_ms(t)),
        .left = seconds_left(t),
        .ran = (double)meter_ran_ns(t) / 1e9,
        .resumes = t->place.resumes,
        .scope = t->parent && t->parent->task ? scopes_around(t->parent) : 0,
    };
}

static void set_number(lua_State *L, const char *name, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* The value at `index` becomes a field of the table on top. */
static void set_value(lua_State *L, const char *name, int index) {
    lua_pushvalue(L, index);
    lua_setfield(L, -2, name);
}

/* Pushes {task, coroutine, parent, scope, operation, since, left, resumes, ran}. */
static void push_row(lua_State *L, const task *t) {
    const row r = row_of(t);
    int base = lua_gettop(L);
    lua_rawgeti(L, UP(HANDLES), slot_of(t));
    if (t->top == t->user) {
        lua_rawgeti(L, UP(COROUTINES), slot_of(t));
    } else {
        lua_pushthread(t->top);
        lua_xmove(t->top, L, 1);
    }
    if (r.scope) {
        lua_rawgeti(L, UP(HANDLES), slot_of(t->parent->task));
    } else {
        lua_pushnil(L);
    }
    lua_createtable(L, 0, 9);
    set_value(L, "task", base + 1);
    set_value(L, "coroutine", base + 2);
    set_value(L, "parent", base + 3);
    lua_pushstring(L, r.operation); /* nil, if there is none */
    lua_setfield(L, -2, "operation");
    set_number(L, "since", r.since);
    set_number(L, "resumes", r.resumes);
    if (r.scope) {
        set_number(L, "scope", r.scope);
    }
    if (r.left >= 0) {
        set_number(L, "left", r.left);
    }
    if (runtime_of(L)->executor.meter) {
        set_number(L, "ran", r.ran);
    }
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

void push_live(lua_State *L, const executor *ex) {
    uint32_t cursor = 0;
    int n = 0;
    lua_createtable(L, (int)ex->tasks.live, 0);
    for (const task *t; (t = slab_next(&ex->tasks, &cursor));) {
        push_row(L, t);
        lua_rawseti(L, -2, ++n);
    }
}

/* live_tasks() -> an array of {task, coroutine, parent, scope, operation, since, left, resumes, ran} */
static int live_tasks(lua_State *L) {
    push_live(L, &runtime_of(L)->executor);
    return 1;
}

/* measure(on) -> whether it was on | nil, err, code */
static int live_measure(lua_State *L) {
    executor *ex = open_executor(L);
    bool was = ex->meter;
    int status = 0;
    ex->resume = ex->resume ? ex->resume : resume_task;
    if (lua_toboolean(L, 1)) {
        status = meter_start(ex);
    } else {
        meter_stop(ex);
    }
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, was);
    return 1;
}

static void stop_measuring(runtime *rt) {
    meter_stop(&rt->executor);
}

static const function functions[] = {{"live_tasks", live_tasks}, {"measure", live_measure}, {NULL, NULL}};
const module live_module = {.functions = functions, .close = stop_measuring};
