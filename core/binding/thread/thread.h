/* SPDX-License-Identifier: MIT
 *
 * What the loop of a run tells of threads.
 */
#pragma once
#include "binding/runtime.h"

/* Tells the reporter, at index 1 of run's frame, of threads that have failed, and that nobody has joined. */
void thread_report_failures(lua_State *, runtime *);
