/* SPDX-License-Identifier: MIT
 *
 * A task's handle: the userdata that Lua holds, which outlives the task.
 *
 *   slot --user--> coroutine (kept by UP_COROUTINES)
 *     |  ^
 *     |  '--task-- handle (kept by UP_HANDLES until the task ends, then by those who hold it)
 *     '--handle------^
 *
 * Its environment is a table once there is something to keep: the results, or { error, traceback }; name; locals.
 */
#pragma once
#include "binding/runtime.h"

enum outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_CANCELLED };

typedef struct handle {
    task *task; /* NULL once it has ended */
    uint64_t id;
    int results;
    uint8_t outcome;   /* enum outcome */
    bool joined : 1;   /* somebody has taken note of how it ended, or will */
    bool unjoined : 1; /* counted in runtime.unjoined */
    bool stubborn : 1; /* it went on catching its cancellation, and was given up */
    bool lost : 1;     /* how it ended could not be kept: out of memory */
    bool fields : 1;   /* its environment is a table of its own */
    bool locals : 1;   /* in which there are locals, for the tasks that it spawns to inherit */
} handle;

/* Pushes the table of the handle at `index`, made on first use. */
void push_fields(lua_State *, int index);
/* Pushes "task 3 'name'". */
void push_task_name(lua_State *, int index);
extern const metatable task_metatable;
