/* SPDX-License-Identifier: MIT
 *
 * Queues of waiting tasks, on which lua/momo/sync.lua and internal/select.lua are built.
 *
 * What waits is linked in C, and so leaves the queue by itself when its time is over or it is cancelled.
 */
#include "thread/channel.h"
#include "loop/queue.h"
#include "binding/task/handle.h"
#include "binding/op.h"
#include "binding/thread/thread_channel.h"

static const metatable queue_metatable = {"momo.queue", NULL, 0}; /* tells queues from what else select waits for */

/* queue(operation) -> queue */
static int new_queue(lua_State *L) {
    const char *operation = lua_tostring(L, 1);
    queue *q = push_object(L, sizeof *q, &queue_metatable);
    list_init(&q->waiters);
    q->operation = operation;
    return 1;
}

static queue *queue_of(lua_State *L, int index) {
    return lua_touserdata(L, index); /* never in the hands of users */
}

/* What the task is linked in, at index 1, must live as long, even if its coroutine is torn away. */
static void keep(lua_State *L, task *t, void *waits_in) {
    if (t->kept != waits_in) { /* else it is kept since the last time */
        lua_pushvalue(L, 1);
        lua_rawseti(L, UP(WAITS), slot_of(t));
        t->kept = waits_in;
    }
}

static void check_park(lua_State *L, op *o) {
    o->timeout = lua_toboolean(L, 2) ? lua_tonumber(L, 2) : -1; /* a number or nil: Lua has checked it */
}

OP_HOT int park_in_queue(lua_State *L, op *o) {
    queue *q = o->subject;
    keep(L, o->task, q);
    op_park_in(o, &q->waiters);
    if (q->keepalive) {
        task_keep_alive(o->task);
    }
    return 0;
}

/* park(queue, timeout) -> nothing: woken | err, code */
static int park(lua_State *L) {
    static const op_kind kind = {
        .waits_first = true, .silent = true, .check = check_park, .park = park_in_queue, .fail = op_push_error};
    queue *q = queue_of(L, 1);
    return op_run_as(L, &kind, q->operation, q);
}

/* wait_set(n) -> places for n queues */
static int new_wait_set(lua_State *L) {
    unsigned n = (unsigned)lua_tointeger(L, 1);
    wait_set *set = lua_newuserdata(L, sizeof *set + n * sizeof *set->places);
    set->count = n;
    return 1;
}

/* Who wakes those that wait there: a task of this executor, a receiver's senders, or what is outside of it. */
enum source { LOCAL, RECEIVER, KEEPALIVE };

/* Where a task waits for the i-th of the queues at index 2; NULL: it is a receiver or a watch that was closed. */
static list *waiters_of(lua_State *L, unsigned i, enum source *source) {
    lua_rawgeti(L, 2, (int)i + 1);
    lua_getmetatable(L, -1);
    list *waiters;
    if (lua_rawequal(L, -1, UP(RECEIVER))) {
        *source = RECEIVER;
        waiters = receiver_waiters(L, -2);
    } else if (lua_rawequal(L, -1, UP(TASK))) {
        *source = LOCAL;
        waiters = &((handle *)lua_touserdata(L, -2))->task->joiners;
    } else if (lua_rawequal(L, -1, UP(WATCH))) {
        io *watch = io_get(&runtime_of_task(L)->executor, *(const momo_token *)lua_touserdata(L, -2));
        *source = KEEPALIVE;
        waiters = watch ? &watch->readers : NULL;
    } else {
        queue *q = queue_of(L, -2);
        *source = q->keepalive ? KEEPALIVE : LOCAL;
        waiters = &q->waiters;
    }
    lua_pop(L, 2);
    return waiters;
}

static void check_select(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 3, "select");
}

/* In all queues at once. One of them may be closed: then it is woken right away. */
static void link_places(lua_State *L, task *t, wait_set *set, bool *has_receiver) {
    enum source source;
    set->task = t;
    for (unsigned i = 0; i < set->count; i++) {
        list *waiters = waiters_of(L, i, &source);
        *has_receiver |= source == RECEIVER;
        set->keepalive |= source == KEEPALIVE;
        set->places[i].number = i + 1;
        list_init(&set->places[i].link);
        if (waiters) {
            list_push(waiters, &set->places[i].link);
        } else {
            set->fired = i;
        }
    }
}

/* Receivers of other threads are told that somebody waits, which may wake the task at once. */
static void announce(lua_State *L, const task *t, const wait_set *set) {
    for (unsigned i = 0; i < set->count && t->state == TASK_WAITING; i++) {
        enum source source;
        list *waiters = waiters_of(L, i, &source);
        if (source == RECEIVER) {
            receiver_parked(waiters);
        }
    }
}

static int park_in_set(lua_State *L, op *o) {
    wait_set *set = lua_touserdata(L, 1);
    task *t = o->task;
    lua_pushvalue(L, 2);
    lua_setfenv(L, 1); /* the set keeps the queues that its places are in */
    keep(L, t, set);   /* it may raise: so first */
    task_park(t, "select", o->deadline_ms, WAKE_TIMEOUT);
    set->fired = set->count;
    set->keepalive = false;
    t->set = set;
    t->selecting = true;
    bool has_receiver = false;
    link_places(L, t, set, &has_receiver);
    if (set->keepalive) {
        task_keep_alive(t);
    } else if (has_receiver) {
        channel_keep_alive(t);
    }
    if (set->fired < set->count) {
        task_wake(t, WAKE_READY);
    } else if (has_receiver) {
        announce(L, t, set);
    }
    return 0;
}

static int push_fired(lua_State *L, op *o) {
    (void)o;
    lua_pushinteger(L, (lua_Integer)((const wait_set *)lua_touserdata(L, 1))->fired + 1);
    return 1;
}

static int push_nothing(lua_State *L, int code) {
    (void)L;
    (void)code;
    return 0;
}

/* select(set, queues, timeout) -> the number of the one that was woken | nothing: the time is over. Queues, tasks, watches,
 * and receivers of other threads. */
static int lua_select(lua_State *L) {
    static const op_kind kind = {.name = "select",
                                 .waits_first = true,
                                 .check = check_select,
                                 .attempt = push_fired,
                                 .park = park_in_set,
                                 .fail = push_nothing};
    return op_run(L, &kind);
}

/* random() -> a number below 2^32, in the same order in every run */
static int next_random(lua_State *L) {
    uint32_t *x = &runtime_of_task(L)->random;
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    lua_pushnumber(L, *x);
    return 1;
}

static const metatable *const metatables[] = {&queue_metatable, NULL};
static const function functions[] = {
    {"queue", new_queue},   {"park", park},          {"wait_set", new_wait_set},
    {"select", lua_select}, {"random", next_random}, {NULL, NULL},
};
const module sync_module = {.functions = functions, .metatables = metatables};
