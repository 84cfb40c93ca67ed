/* SPDX-License-Identifier: MIT
 *
 * A queue of tasks that other tasks wake: what channels and locks are built on (lua/momo/internal/channel.lua, lua/momo/sync.lua).
 *
 * A task parks in it by a C function, which ends in lua_yield. Waking is a call of the FFI API, so that the loops of
 * senders are compiled in one piece: a C function of Lua's would end the trace.
 */
#pragma once
#include "loop/task.h"

typedef struct momo_queue {
    list waiters;
    const char *operation; /* what they do: a string that Momo's own code holds */
    bool keepalive;        /* they are woken from outside of the executor: see task_keep_alive */
} queue;
