/* SPDX-License-Identifier: MIT
 *
 * sleep and sleep_until.
 */
#include <math.h>

#include "binding/op.h"

/* Times further ahead than this are taken for a wall clock's. */
#define FAR_AHEAD_YEARS 10.0
#define YEAR_SECONDS (365.25 * 86400)

/* In place of a deadline that has passed: the task only lets the others have a turn. */
enum { DUE = 0 };

static double check_time(lua_State *L, const char *operation) {
    if (lua_type(L, 1) != LUA_TNUMBER) {
        throw(L, "%s: argument 1 must be a number of seconds, got %s", operation, luaL_typename(L, 1));
    }
    double seconds = lua_tonumber(L, 1);
    if (isnan(seconds)) {
        throw(L, "%s: argument 1 must be a number of seconds, got NaN", operation);
    }
    return seconds;
}

/* What wakes it needs no answer: what it waits for is then over. */
static int park(lua_State *L, op *o) {
    (void)L;
    if (o->deadline_ms == DUE) {
        task_yield(o->task, WAKE_NONE);
        return 0;
    }
    task_park(o->task, "sleep", o->deadline_ms, WAKE_NONE);
    if (o->deadline_ms == DEADLINE_NEVER) {
        task_keep_alive(o->task); /* for a stop */
    }
    return 0;
}

static void check_sleep(lua_State *L, op *o) {
    double seconds = check_time(L, "sleep");
    if (seconds < 0) {
        throw(L, "sleep: argument 1 must not be negative, got %g", seconds);
    }
    o->deadline_ms = seconds == 0 ? DUE : executor_deadline_ms(o->task->executor, seconds);
}

/* sleep(seconds) */
static int sleep_for(lua_State *L) {
    static const op_kind kind = {.name = "sleep", .waits_first = true, .check = check_sleep, .park = park};
    return op_run(L, &kind);
}

/* A tick may be as far ahead as an interval's period. */
static void check_sleep_until(lua_State *L, op *o) {
    const executor *ex = o->task->executor;
    double at = check_time(L, o->name), ahead = at - executor_now(ex), years = ahead / YEAR_SECONDS;
    if (years > FAR_AHEAD_YEARS && !isinf(at) && !lua_toboolean(L, 2)) {
        throw(L, "sleep_until: %d years ahead; pass momo.time.now() + seconds, not os.time()", (int)fmin(years, 1e9));
    }
    o->deadline_ms = ahead <= 0 ? DUE : executor_tick_ms(ex, at);
}

/* sleep_until(t, is_tick): t is of momo.time.now */
static int sleep_until(lua_State *L) {
    static const op_kind kind = {.waits_first = true, .check = check_sleep_until, .park = park};
    return op_run_as(L, &kind, lua_toboolean(L, 2) ? "tick" : "sleep_until", NULL);
}

static const function functions[] = {
    {"sleep", sleep_for},
    {"sleep_until", sleep_until},
    {NULL, NULL},
};
const module time_module = {.functions = functions};
