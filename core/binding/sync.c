/* SPDX-License-Identifier: MIT
 *
 * Queues of waiting tasks, on which lua/momo/sync.lua and internal/select.lua are built.
 *
 * What waits is linked in C, and so leaves the queue by itself when its time is over or it is cancelled.
 */
#include "thread/channel.h"
#include "loop/queue.h"
#include "binding/handle.h"
#include "binding/suspend.h"
#include "binding/thread_channel.h"

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

/* park(queue, timeout): returns nothing when it was woken, true when answer() tells */
static int park(lua_State *L) {
    queue *q = queue_of(L, 1);
    double timeout = lua_isnil(L, 2) ? -1 : lua_tonumber(L, 2); /* which Lua has checked */
    enum wake wake;
    task *t = suspend_enter(L, q->operation, &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    if (timeout == 0) {
        t->wake = WAKE_TIMEOUT;
        lua_pushboolean(L, 1);
        return 1;
    }
    keep(L, t, q);
    task_park(t, q->operation, suspend_deadline(t, timeout), WAKE_TIMEOUT);
    list_push(&q->waiters, &t->place.link);
    return lua_yield(L, 0);
}

/* answer() -> nil, err, code after a timeout; raises a cancellation */
static int answer(lua_State *L) {
    task *t = suspend_check(L, "answer");
    enum wake wake = task_take_wake(t);
    return wake == WAKE_CANCEL ? suspend_cancelled(L, t) : push_failure(L, UV_ETIMEDOUT);
}

/* wait_set(n) -> places for n queues */
static int new_wait_set(lua_State *L) {
    unsigned n = (unsigned)lua_tointeger(L, 1);
    wait_set *set = lua_newuserdata(L, sizeof *set + n * sizeof *set->places);
    set->count = n;
    return 1;
}

/* Where a task waits for the i-th of the queues at index 2; NULL: it is a receiver that was closed. */
static list *waiters_of(lua_State *L, unsigned i, bool *is_receiver) {
    lua_rawgeti(L, 2, (int)i + 1);
    lua_getmetatable(L, -1);
    *is_receiver = lua_rawequal(L, -1, UP(RECEIVER));
    list *waiters;
    if (*is_receiver) {
        waiters = receiver_waiters(L, -2);
    } else if (lua_rawequal(L, -1, UP(TASK))) {
        waiters = &((handle *)lua_touserdata(L, -2))->task->joiners;
    } else {
        waiters = &queue_of(L, -2)->waiters;
    }
    lua_pop(L, 2);
    return waiters;
}

/* select_park(set, queues, timeout): of queues, tasks, and receivers of other threads; fired() tells what came of it */
static int select_park(lua_State *L) {
    wait_set *set = lua_touserdata(L, 1);
    double timeout = check_seconds(L, 3, "select");
    enum wake wake;
    task *t = suspend_enter(L, "select", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    lua_pushvalue(L, 2);
    lua_setfenv(L, 1); /* the set keeps the queues that its places are in */
    keep(L, t, set);   /* it may raise: so first */
    task_park(t, "select", suspend_deadline(t, timeout), WAKE_TIMEOUT);
    set->fired = set->count;
    t->set = set;
    t->selecting = true;
    bool is_receiver, outside = false;
    for (unsigned i = 0; i < set->count; i++) {
        list *waiters = waiters_of(L, i, &is_receiver);
        outside |= is_receiver;
        set->places[i].task = t;
        list_init(&set->places[i].link);
        if (waiters) {
            list_push(waiters, &set->places[i].link);
        } else {
            set->fired = i;
        }
    }
    if (outside) {
        channel_wait_outside(t);
    }
    if (set->fired < set->count) {
        task_wake(t, WAKE_READY);
    }
    for (unsigned i = 0; outside && i < set->count && t->state == TASK_WAITING; i++) { /* which may wake it at once */
        list *waiters = waiters_of(L, i, &is_receiver);
        if (is_receiver) {
            receiver_parked(waiters);
        }
    }
    return lua_yield(L, 0);
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

/* fired(set) -> the queue's number, or nil: the time is over; raises a cancellation */
static int fired(lua_State *L) {
    const wait_set *set = lua_touserdata(L, 1);
    task *t = suspend_check(L, "select");
    enum wake wake = task_take_wake(t);
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (set->fired == set->count) {
        lua_pushnil(L);
    } else {
        lua_pushinteger(L, (lua_Integer)set->fired + 1);
    }
    return 1;
}

static const metatable *const metatables[] = {&queue_metatable, NULL};
static const function functions[] = {
    {"queue", new_queue},         {"park", park},   {"answer", answer},      {"wait_set", new_wait_set},
    {"select_park", select_park}, {"fired", fired}, {"random", next_random}, {NULL, NULL},
};
const module sync_module = {.functions = functions, .metatables = metatables};
