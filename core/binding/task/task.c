/* SPDX-License-Identifier: MIT
 *
 * A task's life in Lua: the resume that the executor calls, the end. How it begins: spawn.c.
 *
 * A slot keeps its coroutine: what ended well serves the slot's next task.
 *
 * A cancelled task that has child processes ends when they have: its coroutine has come to its end by then, and how it
 * ended is known, so that there is nothing to resume.
 */
#include <stdio.h>

#include "loop/drain.h"
#include "process/child.h"
#include "binding/task/scope.h"
#include "binding/op.h"
#include "binding/task/outcome.h"
#include "binding/task/task.h"

enum {
    IDLE_MAX = 8192, /* coroutines kept for later tasks: 512 bytes each */
    LEAVING = -1,    /* task.arguments of one that is not started: it waits for its processes to end */
};

void stop_all(runtime *rt, const char *why) {
    if (!rt->executor.stopping) {
        rt->why = why;
        executor_stop(&rt->executor);
    }
}

/* The run ends with main, or soon after it. */
static void end_main(runtime *rt, const handle *h) {
    rt->main = NULL;
    rt->stopped = drain_stops(&rt->executor) || (rt->executor.dismissed && h->outcome == OUTCOME_CANCELLED);
    if (h->outcome == OUTCOME_FAILED) {
        stop_all(rt, "main failed");
    }
}

/* A child that fails cancels its scope. */
static void end_child(lua_State *L, task *t, handle *h) {
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

/* What was kept for the task alone. */
static void forget_all(lua_State *L, task *t) {
    if (t->has_cancellation) {
        forget(L, UP_CANCELLATIONS, t);
    }
    if (t->has_traceback) {
        forget(L, UP_TRACEBACKS, t);
    }
    if (t->top != t->user) {
        task_clear(L, UP_TOPS, t);
    }
}

/* The slot keeps the coroutine for its next task, where it is as good as new. */
static void end_coroutine(lua_State *L, runtime *rt, task *t, bool ended_well) {
    bool keep = ended_well && rt->idle < IDLE_MAX && lua_topointer(t->user, LUA_GLOBALSINDEX) == rt->globals;
    if (keep) {
        rt->idle++;
    } else {
        t->user = NULL;
        task_clear(L, UP_COROUTINES, t);
    }
    if (!keep ||
        ((const handle *)t->handle)->fields) { /* one without fields is small: it may stay until the next task */
        t->has_name = false;
        task_clear(L, UP_HANDLES, t);
    }
}

/* How it ended is kept. */
static void finish(runtime *rt, task *t) {
    handle *h = t->handle;
    if (t == rt->main) {
        end_main(rt, h);
    }
    h->task = NULL;
    forget_all(rt->L, t);
    if (t->parent) {
        end_child(rt->L, t, h);
    }
    end_coroutine(rt->L, rt, t, h->outcome == OUTCOME_DONE);
    task_end(t);
}

static bool is_leaving(const task *t) {
    return !t->started && t->arguments == LEAVING;
}

/* The task is put off until its processes have ended; false: it need not wait for any. */
static __attribute__((noinline)) bool await_processes(task *t) {
    child *first = t->cancelled || t->cancel_requested ? child_finish_from(t, 0) : NULL;
    if (!first) {
        child_leave_all(t);
        return false;
    }
    t->started = false;
    t->arguments = LEAVING;
    task_park(t, "its processes", DEADLINE_NEVER, WAKE_NONE);
    list_push(&first->waiters, &t->place.link);
    task_keep_alive(t);
    return true;
}

/* status: of the coroutine, 0 when it ended well; LUA_YIELD: it is given up with the outcome that the handle has; LEAVING: what
 * it was is kept. Not a part of resume_task, which would save more registers. */
static __attribute__((noinline)) void end(runtime *rt, task *t, int status) {
    handle *h = t->handle;
    if (status != LEAVING) {
        outcome_keep(rt->L, t, status);
        h->joined |= !list_empty(&t->joiners); /* before failures are reported, at the end of the window */
    }
    if (!t->has_processes || !await_processes(t)) {
        finish(rt, t);
    }
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
        child_finish_from(t, 0);
        child_leave_all(t);
        if (is_leaving(t)) {
            end(rt, t, LEAVING);
        } else {
            end_as(t, OUTCOME_CANCELLED);
        }
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

/* Its coroutine has ended, or somebody else has resumed it. */
static void end_unresumed(task *t) {
    if (is_leaving(t)) {
        end(t->executor->user, t, LEAVING);
    } else {
        end_as(t, OUTCOME_FAILED);
    }
}

/* Short, and without what is rare, as every switch comes through here. */
void resume_task(task *t) {
    lua_State *co = t->user;
    int status = lua_status(co);
    if (!t->started) {
        if (status != 0 || lua_gettop(co) != t->arguments) {
            end_unresumed(t);
            return;
        }
        if (t->cancelled) {
            end_as(t, OUTCOME_CANCELLED);
            return;
        }
        status = start(t, co);
    } else if (status != LUA_YIELD) {
        end_unresumed(t);
        return;
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

/* Of a task that was cancelled, or can't yield. It is not called again when its turn has come; so where a cancelled task calls
 * yield_now twice in a row, the second call only waits for the turn in which the third will raise. */
static __attribute__((noinline)) int yield_with_care(lua_State *L) {
    task *t = op_check(L, "yield_now");
    if (!t->coop.raised_by_yield) {
        t->coop.raised_by_yield = true;
        return op_raise(L, t);
    }
    return op_give_way(L, t, WAKE_NONE);
}

/* yield_now() */
static int task_yield_now(lua_State *L) {
    bool yieldable = lua_isyieldable(L); /* asked first, as a call forgets what was loaded */
    executor *ex = executor_running;
    task *t = ex ? ex->current : NULL;
    if (!t || t->top != L || t->cancelled || !yieldable) {
        return yield_with_care(L);
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

static const function functions[] = {
    {"yield_now", task_yield_now},
    {"current", task_current},
    {NULL, NULL},
};
const module task_module = {.functions = functions};
