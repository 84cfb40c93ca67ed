/* SPDX-License-Identifier: MIT
 *
 * What the states of a process count, as Lua gathers it: see loop/inside/snapshot.h. A snapshot is a text, which lua/momo/metrics
 * makes and adds to others.
 */
#include "binding/inside/snapshot.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "binding/inside/inside.h"
#include "binding/op.h"

static const char module_name[] = "momo.metrics.snapshot";

/* The metrics that programs have defined, on any thread: there is no end to them but the process's. */
typedef struct definition {
    struct definition *next;
    char *name, *shape;
} definition;

static struct {
    pthread_mutex_t lock;
    definition *first; /* guarded */
} defined = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. NULL: out of memory. */
static definition *define(const char *name, const char *shape) {
    definition *d = defined.first;
    while (d && strcmp(d->name, name) != 0) {
        d = d->next;
    }
    if (!d) {
        d = calloc(1, sizeof *d);
        char *own_name = strdup(name), *own_shape = strdup(shape);
        if (!d || !own_name || !own_shape) {
            free(own_shape);
            free(own_name);
            free(d);
            return NULL;
        }
        *d = (definition){defined.first, own_name, own_shape};
        defined.first = d;
    }
    return d;
}

/* metric_define(name, shape) -> the shape with which it was defined first */
static int metric_define(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *shape = luaL_checkstring(L, 2);
    snapshot_want();
    pthread_mutex_lock(&defined.lock);
    const definition *d = define(name, shape); /* it stays as it is from now on */
    pthread_mutex_unlock(&defined.lock);
    if (!d) {
        return luaL_error(L, "not enough memory");
    }
    lua_pushstring(L, d->shape);
    return 1;
}

static char *make_snapshot(executor *ex, const char *question) {
    return inside_text(ex, module_name, question, NULL);
}

void snapshots_init(runtime *rt) {
    rt->executor.snapshot.make = make_snapshot;
}

/* snapshots_ask(question, or nil) -> the number of the round: every other state that runs is asked */
static int ask(lua_State *L) {
    lua_pushnumber(L, (lua_Number)snapshot_ask(open_executor(L), luaL_optstring(L, 1, NULL)));
    return 1;
}

/* snapshots_hide(): this state, which has not run yet, is none that is asked, nor one that a dump tells of */
static int hide(lua_State *L) {
    executor *ex = open_executor(L);
    ex->snapshot.make = NULL;
    ex->dump.make = NULL;
    return 0;
}

static uint64_t round_of(lua_State *L) {
    return (uint64_t)lua_tonumber(L, 1);
}

static void check(lua_State *L, op *o) {
    op_check_timeout(L, o, 2);
}

static int attempt(lua_State *L, op *o) {
    return snapshot_missing(o->task->executor, round_of(L)) ? UV_EAGAIN : 0;
}

static int park(lua_State *L, op *o) {
    op_park_in(o, &o->task->executor->snapshot.waiters);
    task_keep_alive(o->task);
    snapshot_await(o->task->executor, round_of(L));
    return 0;
}

/* snapshots_wait(round, timeout): until all have answered, or the time is over */
static int wait_for_all(lua_State *L) {
    static const op_kind kind = {.name = "metrics", .check = check, .attempt = attempt, .park = park};
    return op_run(L, &kind);
}

/* snapshots_missing(round) -> how many have not answered */
static int missing(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)snapshot_missing(open_executor(L), round_of(L)));
    return 1;
}

typedef struct text {
    char *bytes;
    size_t room, size; /* size: what all need */
} text;

static void add_text(const char *more, void *to) {
    text *t = to;
    size_t n = strlen(more);
    if (t->size + n <= t->room) {
        memcpy(t->bytes + t->size, more, n);
    }
    t->size += n;
}

/* Pushes the texts that snapshot_each tells of, one behind the other; returns the number of the past. */
static uint64_t push_texts(lua_State *L, const executor *asker) {
    text t = {NULL, 0, 0};
    uint64_t seen;
    do { /* what is there may grow while memory is had for it */
        t.room = t.size;
        t.bytes = lua_newuserdata(L, t.room + 1);
        t.size = 0;
        seen = snapshot_each(asker, add_text, &t);
    } while (t.size > t.room);
    lua_pushlstring(L, t.bytes, t.size);
    return seen;
}

/* snapshots_take() -> the texts of all others, and of those that are gone */
static int take(lua_State *L) {
    push_texts(L, open_executor(L));
    return 1;
}

/* snapshots_past() -> the text of those that are gone, and its number */
static int past(lua_State *L) {
    lua_pushnumber(L, (lua_Number)push_texts(L, NULL));
    return 2;
}

/* snapshots_retire(seen, text) -> whether the text stands from now on for the past of that number,
 * and for this state, which counts no more */
static int retire(lua_State *L) {
    char *bytes = strdup(luaL_checkstring(L, 2));
    bool done = bytes && snapshot_retire(open_executor(L), (uint64_t)lua_tonumber(L, 1), bytes);
    if (!done) {
        free(bytes);
    }
    lua_pushboolean(L, done || !bytes); /* without memory, what it has counted is lost */
    return 1;
}

static int call_retire(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushstring(L, module_name);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "retire");
    lua_call(L, 0, 0);
    return 0;
}

void snapshots_retire_state(lua_State *L) {
    if (snapshot_is_wanted()) {
        lua_cpcall(L, call_retire, NULL);
    }
}

static const function functions[] = {
    {"metric_define", metric_define}, {"snapshots_ask", ask},         {"snapshots_hide", hide},
    {"snapshots_wait", wait_for_all}, {"snapshots_missing", missing}, {"snapshots_take", take},
    {"snapshots_past", past},         {"snapshots_retire", retire},   {NULL, NULL},
};
const module snapshot_module = {.functions = functions};
