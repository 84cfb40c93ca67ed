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
    double number; /* the only result, if it is a number or a boolean */
    int results;
    uint8_t outcome;   /* enum outcome */
    int8_t only;       /* LUA_TNUMBER, LUA_TBOOLEAN or LUA_TNIL: the only result, which stands here; else LUA_TNONE */
    bool joined : 1;   /* somebody has taken note of how it ended, or will */
    bool unjoined : 1; /* counted in runtime.unjoined */
    bool stubborn : 1; /* it went on catching its cancellation, and was given up */
    bool lost : 1;     /* how it ended could not be kept: out of memory */
    bool fields : 1;   /* its environment is a table of its own */
    bool locals : 1;   /* in which there are locals, for the tasks that it spawns to inherit */
} handle;

/* Pushes the table of the handle at `index`, made on first use, with room for that many in its array. */
void push_fields(lua_State *, int index, int array);
/* Keeps the result of a coroutine that ended well, if it is one value that needs no table. */
bool keep_only_result(handle *, lua_State *co);
/* The new handle on top is to show where it was spawned. */
void note_place(lua_State *);
/* Pushes "task 3 'name'". */
void push_task_name(lua_State *, int index);
extern const metatable task_metatable;
