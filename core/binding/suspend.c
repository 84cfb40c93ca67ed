/* SPDX-License-Identifier: MIT
 *
 * Suspending: see suspend.h.
 */
#include "binding/suspend.h"

#include "loop/scope.h"

enum {
    OPERATIONS_MAX =
        32,           /* a task whose operations never have to wait still lets the others have a turn after so many */
    LEVELS_SEEN = 10, /* of a stack, each found in steps from its top */
};

static int not_here(lua_State *L, const char *operation, const task *t) {
    if (!executor_running) {
        return throw(L, "%s: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
                     operation);
    }
    if (!t) {
        return throw(L, "%s: can't suspend inside on_error; spawn a task for it", operation);
    }
    if (t->top != L) {
        return throw(L,
                     "%s: can't suspend inside coroutine.wrap; use momo.coroutine.wrap, through which it can, or make "
                     "the coroutine a task with momo.spawn",
                     operation);
    }
    return throw(L,
                 "%s: can't suspend beneath a C function such as require, string.gsub, table.sort or __gc; call it "
                 "before or after that function",
                 operation);
}

task *suspend_running(lua_State *L) {
    executor *ex = executor_running;
    return ex && ex->user == runtime_of(L) ? ex->current : NULL;
}

static inline task *check(lua_State *L, const char *operation) {
    executor *ex = executor_running;
    task *t = ex ? ex->current : NULL;
    if (!t || t->top != L || !lua_isyieldable(L)) {
        not_here(L, operation, t);
    }
    return t;
}

task *suspend_check(lua_State *L, const char *operation) {
    return check(L, operation);
}

task *suspend_enter(lua_State *L, const char *operation, enum wake *wake) {
    task *t = check(L, operation);
    enum wake woken = task_take_wake(t);
    *wake = woken == WAKE_AGAIN ? WAKE_NONE : woken;
    if (t->cancelled && *wake == WAKE_NONE) {
        if (t->raises >= RAISES_MAX) {
            t->state = TASK_ENDED;
            return NULL;
        }
        if (t->turn.raised) {
            task_yield(t, WAKE_CANCEL);
            return NULL;
        }
        suspend_cancelled(L, t);
    }
    return t;
}

bool suspend_let_others(task *t, enum wake wake) {
    if (wake != WAKE_NONE || ++t->turn.begun <= OPERATIONS_MAX) {
        return false;
    }
    task_yield(t, WAKE_AGAIN);
    return true;
}

task *suspend_spare(const executor *ex) {
    task *t = ex->current;
    return t && !t->cancelled && t->turn.begun < OPERATIONS_MAX ? t : NULL;
}

static const char *why_cancelled(const task *t) {
    for (const scope *s = t->scope; s; s = s->outer) {
        if (s->cancelled) {
            return s->why;
        }
    }
    return t->parent && t->parent->cancelled ? t->parent->why : ((const runtime *)t->executor->user)->why;
}

bool is_cancellation(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) {
        return false;
    }
    bool same = lua_rawequal(L, -1, UP(CANCELLED));
    lua_pop(L, 1);
    return same;
}

/* The owner of the scope that t is a child of, when t's cancellation came from there; else NULL. */
static const task *cancelled_by(const task *t) {
    const scope *s = t->parent;
    return s && s->task && !s->cancelled && s->reached ? s->task : NULL;
}

static bool push_known_cancellation(lua_State *L, const task *t) {
    lua_rawgeti(L, UP(CANCELLATIONS), slot_of(t));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

void push_cancellation(lua_State *L, task *t) {
    const task *from = t, *owner;
    bool known = push_known_cancellation(L, t);
    while (!known && (owner = cancelled_by(from))) {
        from = owner;
        known = push_known_cancellation(L, from);
    }
    if (!known) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, why_cancelled(from));
        lua_setfield(L, -2, "reason");
        lua_pushvalue(L, UP(CANCELLED));
        lua_setmetatable(L, -2);
    }
    /* All between share it, so that none has to look for it as far again. */
    for (const task *each = t; each; each = each == from ? NULL : cancelled_by(each)) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, UP(CANCELLATIONS), slot_of(each));
    }
}

int suspend_cancelled(lua_State *L, task *t) {
    if (t->raises >= RAISES_MAX) {
        t->state = TASK_ENDED; /* the loop ends it as soon as it has yielded */
        return lua_yield(L, 0);
    }
    push_cancellation(L, t);
    t->raises++;
    t->turn.raised = true;
    return lua_error(L);
}

bool suspend_ends_unseen(const task *t) {
    lua_State *co = t->user;
    if (t->expiry != WAKE_NONE || t->top != co || t->scope) {
        return false;
    }
    lua_Debug where;
    for (int level = 1; level <= LEVELS_SEEN; level++) { /* level 0 is the operation */
        if (!lua_getstack(co, level, &where)) {
            return true;
        }
        lua_getinfo(co, "S", &where);
        if (*where.what == 'C') { /* it may be pcall */
            return false;
        }
    }
    return false;
}

int push_closed(lua_State *L, enum wake wake) {
    return push_failure(L, wake == WAKE_NONE ? UV_EBADF : UV_ECANCELED);
}

uint64_t suspend_deadline(const task *t, double seconds) {
    return seconds < 0 ? DEADLINE_NEVER : executor_deadline_ms(t->executor, seconds);
}
