/* SPDX-License-Identifier: MIT
 *
 * sleep and sleep_until.
 */
#include <math.h>

#include "binding/suspend.h"

/* Times further ahead than this are taken for a wall clock's. */
#define FAR_AHEAD_YEARS 10.0
#define YEAR_SECONDS (365.25 * 86400)

static int sleep_to(lua_State *L, task *t, enum wake wake, uint64_t deadline_ms, bool due) {
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (due) {
        task_yield(t, WAKE_NONE);
    } else {
        task_park(t, "sleep", deadline_ms, WAKE_NONE);
        if (deadline_ms == DEADLINE_NEVER) {
            task_wait_outside(t); /* for a stop */
        }
    }
    return lua_yield(L, 0);
}

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

/* sleep(seconds) */
static int sleep_for(lua_State *L) {
    double seconds = check_time(L, "sleep");
    if (seconds < 0) {
        return throw(L, "sleep: argument 1 must not be negative, got %g", seconds);
    }
    enum wake wake;
    task *t = suspend_enter(L, "sleep", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    return sleep_to(L, t, wake, executor_deadline_ms(t->executor, seconds), seconds == 0);
}

/* sleep_until(t, is_tick): t is of momo.time.now; a tick may be as far ahead as an interval's period */
static int sleep_until(lua_State *L) {
    bool is_tick = lua_toboolean(L, 2);
    const char *operation = is_tick ? "tick" : "sleep_until";
    double at = check_time(L, operation);
    enum wake wake;
    task *t = suspend_enter(L, operation, &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    double ahead = at - executor_now(t->executor);
    double years = ahead / YEAR_SECONDS;
    if (years > FAR_AHEAD_YEARS && !isinf(at) && !is_tick) {
        return throw(L, "sleep_until: %d years ahead; pass momo.time.now() + seconds, not os.time()",
                     (int)fmin(years, 1e9));
    }
    return sleep_to(L, t, wake, executor_tick_ms(t->executor, at), ahead <= 0);
}

static const function functions[] = {
    {"sleep", sleep_for},
    {"sleep_until", sleep_until},
    {NULL, NULL},
};
const module time_module = {.functions = functions};
