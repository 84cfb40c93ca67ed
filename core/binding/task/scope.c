/* SPDX-License-Identifier: MIT
 *
 * Scopes as Lua builds on them (lua/momo/internal/scope.lua): see scope.h.
 */
#include "binding/task/scope.h"

#include "binding/op.h"
#include "binding/task/traceback.h"

static lua_scope *check_scope(lua_State *L) {
    return lua_touserdata(L, 1); /* never in the hands of users */
}

/* __gc: whoever was in it is gone, or its coroutine is */
static int lua_scope_collect(lua_State *L) {
    lua_scope *s = check_scope(L);
    if (!runtime_of(L)->executor.closed) {
        scope_leave(&s->scope);
    }
    return 0;
}

static const metatable scope_metatable = {"momo.scope", lua_scope_collect, 0};

/* scope_enter(kind, scope that was left or nil) -> scope; kind: seconds of a timeout, nil for a scope, true for one that
 * supervises, false for a shield */
static int lua_scope_enter(lua_State *L) {
    int kind = lua_type(L, 1);
    bool supervises = lua_toboolean(L, 1) && kind == LUA_TBOOLEAN, shield = !supervises && kind == LUA_TBOOLEAN;
    double seconds = kind == LUA_TNUMBER ? lua_tonumber(L, 1) : -1;
    task *t = op_check(L, kind == LUA_TNUMBER ? "timeout" : shield ? "shield" : "scope");
    lua_scope *s = lua_touserdata(L, 2);
    if (!s) {
        s = push_object(L, sizeof *s, &scope_metatable);
    }
    s->failed = s->lost = false;
    scope_enter(&s->scope, t, op_deadline(t, seconds), shield);
    s->scope.supervises = supervises;
    return 1;
}

/* scope_leave(scope) -> cancelled: it was, and nothing further out is; expired; interrupted; processes: what process_finish
 * takes, or nil */
static int lua_scope_leave(lua_State *L) {
    lua_scope *s = check_scope(L);
    task *t = s->scope.task;
    scope_leave(&s->scope);
    if (t && s->scope.cancelled && !t->cancel_requested) {
        forget(L, UP_CANCELLATIONS, t);
        t->has_cancellation = false;
    }
    if (!s->scope.cancelled && !s->scope.reached) {
        return 0;
    }
    lua_pushboolean(L, s->scope.cancelled && t && !t->cancelled);
    lua_pushboolean(L, s->scope.expired);
    lua_pushboolean(L, s->scope.reached);
    if (!t || !s->scope.cancelled || s->scope.processes == 0) {
        return 3;
    }
    lua_pushnumber(L, (lua_Number)s->scope.processes);
    return 4;
}

/* What the task's operations raise is to be the value at index 2: it counts once has_cancellation is set. May raise. */
static void store_cancellation(lua_State *L, const task *t) {
    if (!t->cancel_requested) {
        lua_pushvalue(L, 2);
        lua_rawseti(L, UP(CANCELLATIONS), slot_of(t));
    }
}

/* scope_cancel(scope, cancellation): whoever is in it is cancelled or, for want of memory, nobody */
static int lua_scope_cancel(lua_State *L) {
    lua_scope *s = check_scope(L);
    list *children = &s->scope.children;
    task *owner = s->scope.task;
    if (s->scope.cancelled) {
        return 0;
    }
    for (list *node = children->next; node != children; node = node->next) {
        store_cancellation(L, list_entry(node, task, sibling));
    }
    if (owner) {
        store_cancellation(L, owner);
        owner->has_cancellation |= !owner->cancel_requested;
    }
    for (list *node = children->next; node != children; node = node->next) {
        task *t = list_entry(node, task, sibling);
        t->has_cancellation |= !t->cancel_requested;
    }
    scope_cancel(&s->scope, "scope");
    return 0;
}

static int attempt_wait(lua_State *L, op *o) {
    (void)o;
    return list_empty(&check_scope(L)->scope.children) ? 0 : UV_EAGAIN;
}

static int park_wait(lua_State *L, op *o) {
    return op_park_in(o, &check_scope(L)->scope.waiters);
}

/* scope_wait(scope): waits until it has no children, whom a cancellation reaches */
static int lua_scope_wait(lua_State *L) {
    static const op_kind kind = {.name = "scope", .shielded = true, .attempt = attempt_wait, .park = park_wait};
    return op_run(L, &kind);
}

/* scope_limit(scope, places) */
static int lua_scope_limit(lua_State *L) {
    scope_limit(&check_scope(L)->scope, (unsigned)lua_tonumber(L, 2));
    return 0;
}

/* One that was woken has got its place. */
static int attempt_place(lua_State *L, op *o) {
    scope *s = &check_scope(L)->scope;
    if (!o->woken && s->task && s->room == 0) {
        return UV_EAGAIN;
    }
    s->room -= !o->woken && s->task;
    return 0;
}

static int park_place(lua_State *L, op *o) {
    lua_scope *s = check_scope(L);
    lua_pushvalue(L, 1);
    lua_rawseti(L, UP(WAITS), slot_of(o->task)); /* it must live as long, even if the task's coroutine is torn away */
    o->task->kept = s;
    return op_park_in(o, &s->scope.places);
}

/* scope_place(scope): waits for a place of one that is limited | nil, err, code: the scope has ended */
static int lua_scope_place(lua_State *L) {
    static const op_kind kind = {.name = "spawn", .attempt = attempt_place, .park = park_place};
    return op_run(L, &kind);
}

/* scope_failure(scope) -> the child that failed first, or true, and its error | nothing; the error keeps its traceback */
static int lua_scope_failure(lua_State *L) {
    lua_scope *s = check_scope(L);
    if (!s->failed) {
        lua_pushboolean(L, s->lost);
        lua_pushliteral(L, "not enough memory");
        return s->lost ? 2 : 0;
    }
    lua_settop(L, 1);
    lua_getfenv(L, 1);
    lua_rawgeti(L, 2, 1);
    lua_getfenv(L, 3);
    lua_rawgeti(L, 4, 1);
    task *t = running_task(L);
    if (t) {
        traceback_of_failure(L, t, 3, 5);
    }
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 5);
    return 2;
}

/* check_cancelled(): raises if the task that runs is cancelled */
static int lua_check_cancelled(lua_State *L) {
    task *t = op_check(L, "scope");
    return t->cancelled ? op_raise(L, t) : 0;
}

void scope_lost(task *t) {
    ((lua_scope *)t->parent)->lost = true;
}

void scope_failed(lua_State *L, task *t) {
    lua_scope *s = lua_touserdata(L, -1);
    if (!s->failed) {
        lua_createtable(L, 1, 0);
        lua_rawgeti(L, UP(HANDLES), slot_of(t));
        lua_rawseti(L, -2, 1);
        lua_setfenv(L, -2);
        s->failed = true;
    }
}

static const metatable *const metatables[] = {&scope_metatable, NULL};
static const function functions[] = {
    {"scope_enter", lua_scope_enter},     {"scope_leave", lua_scope_leave},         {"scope_cancel", lua_scope_cancel},
    {"scope_wait", lua_scope_wait},       {"scope_limit", lua_scope_limit},         {"scope_place", lua_scope_place},
    {"scope_failure", lua_scope_failure}, {"check_cancelled", lua_check_cancelled}, {NULL, NULL},
};
const module scope_module = {.functions = functions, .metatables = metatables};
