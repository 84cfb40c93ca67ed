/* SPDX-License-Identifier: MIT
 *
 * What stands for cancellations: see cancellation.h.
 */
#include "binding/task/cancellation.h"

#include "loop/scope.h"

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
static task *cancelled_by(const task *t) {
    const scope *s = t->parent;
    return s && s->task && !s->cancelled && s->reached ? s->task : NULL;
}

void make_cancellation(lua_State *L, int reason) {
    lua_createtable(L, 0, reason != 0);
    if (reason) {
        lua_pushvalue(L, reason);
        lua_setfield(L, -2, "reason");
    }
    lua_pushvalue(L, UP(CANCELLED));
    lua_setmetatable(L, -2);
}

static bool push_known_cancellation(lua_State *L, const task *t) {
    if (t->has_cancellation) {
        lua_rawgeti(L, UP(CANCELLATIONS), slot_of(t));
        return true;
    }
    if (t->without_reason) {
        make_cancellation(L, 0);
        return true;
    }
    return false;
}

void push_cancellation(lua_State *L, task *t) {
    task *from = t, *owner;
    bool known = push_known_cancellation(L, t);
    while (!known && (owner = cancelled_by(from))) {
        from = owner;
        known = push_known_cancellation(L, from);
    }
    if (!known) {
        lua_pushstring(L, why_cancelled(from));
        make_cancellation(L, lua_gettop(L));
        lua_remove(L, -2);
    }
    /* All between share it, so that none has to look for it as far again. */
    for (task *each = t; each; each = each == from ? NULL : cancelled_by(each)) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, UP(CANCELLATIONS), slot_of(each));
        each->has_cancellation = true;
    }
}
