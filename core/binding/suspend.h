/* SPDX-License-Identifier: MIT
 *
 * How a C function suspends the task that called it.
 *
 * LuaJIT has no continuations, and nothing may be raised or allocated on a parked coroutine. So an operation
 *
 *   1. is entered: suspend_enter says whether this call is fresh or comes after a wake-up, and why;
 *   2. tries. Done: it returns its results;
 *   3. can't go on yet: it parks the task and ends in lua_yield. As soon as there is an answer, the loop resumes the
 *      coroutine with `true`, in which case the Lua wrapper asks for it, inside the task, where C may raise.
 *
 * Where a system call is to be tried again, asking is calling the operation once more (`while read(...) == true do end`).
 * Where the task was woken by another one, it is a call of a function that takes the answer (outcome, answer, fired).
 */
#pragma once
#include "binding/runtime.h"

/* A task that catches its cancellation more often than this will never end by itself. */
enum { RAISES_MAX = 100 };

/* The task that runs in this state, or NULL. */
task *suspend_running(lua_State *);
/* The task that runs L, if it may suspend; else raises why it may not. */
task *suspend_check(lua_State *, const char *operation);
/* The same for an operation. A cancelled task's fresh call raises; after
 * WAKE_CANCEL the caller cleans up and calls suspend_cancelled. NULL: it goes on catching its cancellation, and has to
 * wait its turn before it hears of it again, or is parked for good: `return lua_yield(L, 0)`. */
task *suspend_enter(lua_State *, const char *operation, enum wake *);
/* Whether the task has begun so many operations in this turn that it must let others have one: `return lua_yield(L, 0)`;
 * the operation begins anew then. For operations that need not wait as long as the world outside keeps up. */
bool suspend_let_others(task *, enum wake);
/* The executor's running task, if it may begin one more operation in this turn and has no cancellation to hear of; else
 * NULL, and the operation is to be entered. */
task *suspend_spare(const executor *);
/* Raises the task's cancellation. */
int suspend_cancelled(lua_State *, task *);
/* Whether a task that was cancelled in its operation can be ended right there. To raise takes more than a microsecond of
 * unwinding, which nobody sees where the operation has nothing to clean up (see task_park) and only Lua functions are on
 * the stack, and so no pcall. */
bool suspend_ends_unseen(const task *);
/* Pushes what an operation on a closed object returns: one that was waiting, ECANCELED; a fresh one, EBADF. */
int push_closed(lua_State *, enum wake);
/* When the operation's limit of `seconds` is over; a negative number is no limit. */
uint64_t suspend_deadline(const task *, double seconds);
/* Pushes the object that stands for the task's cancellation, made on first use. */
void push_cancellation(lua_State *, task *);
bool is_cancellation(lua_State *, int index);
