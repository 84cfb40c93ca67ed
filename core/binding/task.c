/* SPDX-License-Identifier: MIT
 *
 * A task's life in Lua: the resume that the executor calls, the end. How it begins: spawn.c.
 *
 * A slot keeps its coroutine: what ended well serves the slot's next task.
 */
#include <stdio.h>

#include "loop/drain.h"
#include "binding/scope.h"
#include "binding/cancellation.h"
#include "binding/op.h"
#include "binding/task.h"
#include "binding/traceback.h"

enum { IDLE_MAX = 8192 }; /* coroutines kept for later tasks: 512 bytes each */

/* Its handle is at index 3. */
static void report_given_up(lua_State *L, const task *t) {
    lua_Debug where;
    push_task_name(L, 3);
    find_place(L, t->top, true, &where);
    fprintf(stderr, "momo: %s at %s:%d goes on catching its cancellation and was given up (use momo.pcall)\n",
            lua_tostring(L, -1), where.short_src, where.currentline);
    lua_pop(L, 1);
}

/* (task as light userdata, status of its coroutine): stores how it ended in its handle. Called protected. */
static int store_outcome(lua_State *L) {
    task *t = lua_touserdata(L, 1);
    int status = (int)lua_tointeger(L, 2);
    lua_State *co = t->user;
    handle *h = t->handle;
    int n = status == 0 ? lua_gettop(co) : 2;
    lua_rawgeti(L, UP(HANDLES), slot_of(t));
    push_fields(L, 3, n);
    if (status == 0) {
        luaL_checkstack(L, n + 2, "too many results");
        lua_xmove(co, L, n);
        for (int i = n; i > 0; i--) {
            lua_rawseti(L, 4, i);
        }
        h->results = n;
        return 0;
    }
    if (status > LUA_YIELD) {
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
    } else if (h->outcome == OUTCOME_CANCELLED) {
        if (h->stubborn) {
            report_given_up(L, t);
        }
        push_cancellation(L, t);
    } else {
        lua_pushliteral(L, "the task's coroutine was resumed by somebody else than the runtime");
    }
    if ((t->cancelled || t->cancel_requested) && is_cancellation(L, 5)) {
        h->outcome = OUTCOME_CANCELLED;
    }
    if (!push_traceback(L, t, co, 0, 5)) {
        luaL_traceback(L, co, NULL, 0); /* at once: a stack that is kept for later would keep open what stands on it */
    }
    lua_rawseti(L, 4, 2);
    lua_rawseti(L, 4, 1);
    if (h->outcome == OUTCOME_FAILED) {
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
    return 0;
}

void stop_all(runtime *rt, const char *why) {
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
    if (status != 0 || (lua_gettop(co) != 0 && !keep_only_result(h, co))) {
        lua_pushvalue(L, UP(STORE_OUTCOME));
        lua_pushlightuserdata(L, t);
        lua_pushinteger(L, status);
        if (lua_pcall(L, 2, 0, 0) != 0) {
            fprintf(stderr, "momo: task %llu: its outcome is lost: %s\n", (unsigned long long)h->id, error_text(L));
            lua_pop(L, 1);
            lua_settop(co, 0);
            h->outcome = OUTCOME_FAILED;
            h->lost = true;
        }
    }
    if (t == rt->main) {
        rt->main = NULL;
        rt->stopped = drain_stops(&rt->executor) || (rt->executor.dismissed && h->outcome == OUTCOME_CANCELLED);
        if (h->outcome == OUTCOME_FAILED) {
            stop_all(rt, "main failed");
        }
    }
    h->joined |= !list_empty(&t->joiners);
    h->task = NULL;
    if (t->cancelled || t->cancel_requested) {
        forget(L, UP_CANCELLATIONS, t);
    }
    if (t->has_traceback) {
        forget(L, UP_TRACEBACKS, t);
    }
    if (t->parent) {
        if (h->outcome == OUTCOME_FAILED && t->parent->task && !t->parent->supervises) {
            h->joined = true;
            if (h->lost) {
                scope_lost(t);
            }
            scope_cancel(t->parent, "another child failed");
        }
        scope_remove(t); /* while its userdata is sure to live */
        task_clear(L, UP_PARENTS, t);
    }
    if (t->top != co) {
        task_clear(L, UP_TOPS, t);
    }
    bool keep = status == 0 && rt->idle < IDLE_MAX && lua_topointer(co, LUA_GLOBALSINDEX) == rt->globals;
    if (keep) {
        rt->idle++;
    } else {
        t->user = NULL;
        task_clear(L, UP_COROUTINES, t);
    }
    if (!keep || h->fields) { /* a handle without fields is small: it may stay until the slot's next task */
        task_clear(L, UP_HANDLES, t);
    }
    task_end(t);
}

/* Ends it where it is: its coroutine has not come to its end. */
static void end_as(task *t, enum outcome outcome) {
    ((handle *)t->handle)->outcome = outcome;
    end(t->executor->user, t, LUA_YIELD);
}

void give_up_all(runtime *rt) {
    uint32_t cursor = 0;
    for (task *t; (t = slab_next(&rt->executor.tasks, &cursor));) {
        if (t->state == TASK_WAITING) {
            task_wake(t, WAKE_CANCEL);
        }
        list_remove(&t->place.link);
        end_as(t, OUTCOME_CANCELLED);
    }
}

static void end_stubborn(task *t) {
    ((handle *)t->handle)->stubborn = true;
    end_as(t, OUTCOME_CANCELLED);
}

/* What a resume came to, unless the task is parked or in the queue. */
static void conclude(task *t, int status) {
    if (status != LUA_YIELD) {
        end(t->executor->user, t, status);
    } else if (t->state == TASK_ENDED) {
        end_stubborn(t);
    } else { /* a bare coroutine.yield, which hears of no cancellation */
        lua_settop(t->user, 0);
        task_yield(t, WAKE_NONE);
        if (t->cancelled && op_caught_too_often(t)) {
            list_remove(&t->place.link);
            end_stubborn(t);
        }
    }
}

static int start(task *t, lua_State *co) {
    t->started = true;
    return lua_resume(co, t->arguments - 1);
}

/* Whether somebody else has resumed its coroutine. */
static bool is_hijacked(const task *t, lua_State *co) {
    return t->started ? lua_status(co) != LUA_YIELD : lua_status(co) != 0 || lua_gettop(co) != t->arguments;
}

/* Short, and without what is rare, as every switch comes through here. */
void resume_task(task *t) {
    lua_State *co = t->user;
    int status;
    if (is_hijacked(t, co)) {
        end_as(t, OUTCOME_FAILED);
        return;
    }
    if (!t->started) {
        if (t->cancelled) {
            end_as(t, OUTCOME_CANCELLED);
            return;
        }
        status = start(t, co);
    } else if (t->wake != WAKE_NONE) {
        if (t->wake == WAKE_CANCEL && op_ends_unseen(t)) {
            end_as(t, OUTCOME_CANCELLED);
            return;
        }
        lua_pushboolean(co, 1);
        status = lua_resume(co, 1);
    } else {
        status = lua_resume(co, 0);
    }
    if (status != LUA_YIELD || t->state >= TASK_RUNNING) {
        conclude(t, status);
    }
}

/* yield_now(): it is not called again when its turn has come; so where a cancelled task calls it twice in a row, the
 * second call only waits for the turn in which the third will raise. */
static int task_yield_now(lua_State *L) {
    executor *ex = executor_running;
    task *t = ex ? ex->current : NULL;
    if (!t || t->top != L || t->cancelled || !lua_isyieldable(L)) {
        t = op_check(L, "yield_now");
        if (!t->coop.raised_by_yield) {
            t->coop.raised_by_yield = true;
            return op_raise(L, t);
        }
    }
    task_yield(t, WAKE_NONE);
    return lua_yield(L, 0);
}

/* current() -> task or nil */
static int task_current(lua_State *L) {
    const task *t = running_task(L);
    if (t) {
        lua_rawgeti(L, UP(HANDLES), slot_of(t));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static const protected_call protected_calls[] = {{UP_STORE_OUTCOME, store_outcome}, {0, NULL}};
static const function functions[] = {
    {"yield_now", task_yield_now},
    {"current", task_current},
    {NULL, NULL},
};
const module task_module = {.functions = functions, .protected_calls = protected_calls};
