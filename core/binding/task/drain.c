/* SPDX-License-Identifier: MIT
 *
 * The phases of a stop, for those who serve: see loop/drain.h.
 */
#include "loop/drain.h"

#include "binding/op.h"
#include "loop/queue.h"

/* stop() */
static int stop(lua_State *L) {
    runtime *rt = runtime_of(L);
    executor *ex = &rt->executor;
    if (!ex->running) {
        return throw(L, "stop: needs a runtime: call it inside momo.run(main)");
    }
    if (!drain_stops(ex)) {
        rt->why = "stop";
    }
    drain_begin(ex, executor_stop);
    return 0;
}

/* drain_queue(queue): where tasks wait for the first phase */
static int take_queue(lua_State *L) {
    open_executor(L)->drain.waiters = &((queue *)lua_touserdata(L, 1))->waiters;
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.drain"); /* keeps it */
    return 0;
}

/* drain_begin_serving(): the second phase waits for the caller */
static int begin_serving(lua_State *L) {
    drain_begin_serving(open_executor(L));
    return 0;
}

/* drain_end_serving(): it does no more */
static int end_serving(lua_State *L) {
    drain_end_serving(&runtime_of(L)->executor);
    return 0;
}

static int attempt(lua_State *L, op *o) {
    (void)L;
    return o->task->executor->stopping ? 0 : UV_EAGAIN;
}

/* It may be another thread that has yet to drain. */
static int park(lua_State *L, op *o) {
    (void)L;
    op_park_in(o, o->task->executor->drain.waiters);
    task_keep_alive(o->task);
    return 0;
}

/* drain_wait(): waits for the second phase, which has been begun by then */
static int wait_for_stop(lua_State *L) {
    static const op_kind kind = {.name = "serve", .attempt = attempt, .park = park};
    return op_run(L, &kind);
}

static const function functions[] = {
    {"stop", stop},
    {"drain_queue", take_queue},
    {"drain_begin_serving", begin_serving},
    {"drain_end_serving", end_serving},
    {"drain_wait", wait_for_stop},
    {NULL, NULL},
};
const module drain_module = {.functions = functions};
