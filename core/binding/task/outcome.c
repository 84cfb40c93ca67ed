/* SPDX-License-Identifier: MIT
 *
 * How a task ended: see outcome.h.
 */
#include "binding/task/outcome.h"

#include <stdio.h>

#include "binding/task/cancellation.h"
#include "binding/task/scope.h"
#include "binding/task/stack_text.h"
#include "binding/task/traceback.h"
#include "loop/drain.h"

/* Its handle is at index 3. */
static void report_given_up(lua_State *L, const task *t) {
    lua_Debug where;
    push_task_name(L, 3);
    find_place(L, t->top, true, &where);
    fprintf(stderr, "momo: %s at %s:%d goes on catching its cancellation and was given up (use momo.pcall)\n",
            lua_tostring(L, -1), where.short_src, where.currentline);
    lua_pop(L, 1);
}

/* Into the table on top. */
static void store_results(lua_State *L, handle *h, lua_State *co, int n) {
    int table = lua_gettop(L);
    luaL_checkstack(L, n + 2, "too many results");
    lua_xmove(co, L, n);
    for (int i = n; i > 0; i--) {
        lua_rawseti(L, table, i);
    }
    h->results = n;
}

/* Its handle is at index 3. */
static void push_why_ended(lua_State *L, task *t, int status) {
    const handle *h = t->handle;
    lua_State *co = t->user;
    if (status > LUA_YIELD) {
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
    } else if (h->outcome == OUTCOME_CANCELLED) {
        if (h->stubborn) {
            report_given_up(L, t);
        }
        if (t->without_reason && !t->has_cancellation) { /* nobody has seen one: it is made for who asks */
            lua_pushnil(L);
        } else {
            push_cancellation(L, t);
        }
    } else {
        lua_pushliteral(L, "the task's coroutine was resumed by somebody else than the runtime");
    }
}

/* Tells the scope that it is a child of, or the reporter. */
static void tell_failure(lua_State *L, task *t) {
    runtime *rt = runtime_of(L);
    if (t->parent && t->parent->task && !t->parent->supervises) {
        lua_rawgeti(L, UP(PARENTS), slot_of(t));
        scope_failed(L, t);
    } else if (t != rt->main || drain_stops(&rt->executor)) {
        lua_rawgeti(L, UP(HANDLES), slot_of(t));
        lua_rawseti(L, UP(FAILURES), (int)rt->failed + 1);
        rt->failed++;
    }
}

/* (task as light userdata, status of its coroutine). Called protected. */
static int store_outcome(lua_State *L) {
    task *t = lua_touserdata(L, 1);
    int status = (int)lua_tointeger(L, 2);
    lua_State *co = t->user;
    handle *h = t->handle;
    int n = status == 0 ? lua_gettop(co) : 2;
    lua_rawgeti(L, UP(HANDLES), slot_of(t));
    push_fields(L, 3, n);
    if (status == 0) {
        store_results(L, h, co, n);
        return 0;
    }
    push_why_ended(L, t, status);
    if ((t->cancelled || t->cancel_requested) && is_cancellation(L, 5)) {
        h->outcome = OUTCOME_CANCELLED;
    }
    if (status == LUA_YIELD || !push_traceback(L, t, co, 0, 5)) { /* one that is given up has raised nothing */
        push_stack_text(L, co, 0); /* at once: a stack that is kept for later would keep open what stands on it */
    }
    lua_rawseti(L, 4, 2);
    lua_rawseti(L, 4, 1);
    if (h->outcome == OUTCOME_FAILED) {
        tell_failure(L, t);
    }
    return 0;
}

void outcome_store(lua_State *L, task *t, int status) {
    handle *h = t->handle;
    lua_pushvalue(L, UP(STORE_OUTCOME));
    lua_pushlightuserdata(L, t);
    lua_pushinteger(L, status);
    if (lua_pcall(L, 2, 0, 0) != 0) {
        fprintf(stderr, "momo: task %llu: its outcome is lost: %s\n", (unsigned long long)h->id, error_text(L));
        lua_pop(L, 1);
        lua_settop(t->user, 0);
        h->outcome = OUTCOME_FAILED;
        h->lost = true;
    }
}

static const protected_call protected_calls[] = {{UP_STORE_OUTCOME, store_outcome}, {0, NULL}};
static const function functions[] = {{NULL, NULL}};
const module outcome_module = {.functions = functions, .protected_calls = protected_calls};
