/* SPDX-License-Identifier: MIT
 *
 * Operations: see op.h.
 */
#include "binding/op.h"

#include "binding/task/cancellation.h"
#include "loop/scope.h"

enum {
    RAISES_MAX = 100, /* a task that catches a cancellation more often than this will never end by itself */
    LEVELS_SEEN = 10, /* of a stack, each found in steps from its top */
};

task *op_not_here(lua_State *L, const char *name) {
    const task *t = executor_running ? executor_running->current : NULL;
    if (!executor_running) {
        throw(L, "%s: needs a runtime: call it inside momo.run(main), or run the file with the momo command", name);
    }
    if (!t) {
        throw(L, "%s: can't suspend inside on_error; spawn a task for it", name);
    }
    if (t->top != L) {
        throw(L,
              "%s: can't suspend inside coroutine.wrap; use momo.coroutine.wrap, through which it can, or make "
              "the coroutine a task with momo.spawn",
              name);
    }
    throw(L,
          "%s: can't suspend beneath a C function such as require, string.gsub, table.sort or __gc; call it "
          "before or after that function",
          name);
    return NULL;
}

bool op_caught_too_often(task *t) {
    scope *s = scope_in_force(t);
    uint8_t *raises = s ? &s->raises : &t->raises;
    if (*raises >= RAISES_MAX) {
        return true;
    }
    ++*raises;
    return false;
}

int op_raise(lua_State *L, task *t) {
    if (op_caught_too_often(t)) {
        t->state = TASK_ENDED; /* the loop ends it as soon as it has yielded */
        return lua_yield(L, 0);
    }
    push_cancellation(L, t);
    t->coop.raised = true;
    return lua_error(L);
}

bool op_ends_unseen(const task *t) {
    lua_State *co = t->user;
    if (t->expiry != WAKE_NONE || t->top != co || t->scope) {
        return false;
    }
    lua_Debug where;
    for (int level = 1; level <= LEVELS_SEEN; level++) { /* level 0 is the operation */
        if (!lua_getstack(co, level, &where)) {
            return true;
        }
        lua_getinfo(co, "l", &where);
        if (where.currentline < 0) { /* a C function: it may be pcall */
            return false;
        }
    }
    return false;
}

static void leave(lua_State *L, const op_kind *kind, task *t, io *o) {
    if (kind->leave) {
        kind->leave(L, &(op){.name = kind->name, .task = t, .io = o});
    }
}

/* What is pushed allocates, and so may raise: it leaves before. */
int op_fail(lua_State *L, const op_kind *kind, task *t, io *o, int code) {
    leave(L, kind, t, o);
    if (o) {
        o->failed = (int16_t)code;
    }
    lua_pushnil(L); /* not again */
    return 1 + (kind->fail ? kind->fail(L, code) : push_failure(L, code));
}

int op_done(lua_State *L, const op_kind *kind, const task *t) {
    if (kind->done) {
        kind->done(L, t->done);
    }
    lua_pushnil(L); /* not again */
    lua_pushnumber(L, (lua_Number)t->done);
    return 2;
}

int op_cancel(lua_State *L, const op_kind *kind, task *t, io *o) {
    leave(L, kind, t, o);
    return op_raise(L, t);
}

int op_fail_later(lua_State *L, task *t) {
    t->wake = WAKE_TIMEOUT;
    lua_pushboolean(L, 1);
    return 1;
}

int op_give_way(lua_State *L, task *t, enum wake wake) {
    task_yield(t, wake);
    return lua_yield(L, 0);
}

int op_push_error(lua_State *L, int code) {
    push_failure(L, code);
    return 2;
}
