/* SPDX-License-Identifier: MIT
 *
 * A child process as Lua sees it: a userdata that is a queue, in which those that wait for the child's end wait.
 */
#pragma once
#include "binding/runtime.h"
#include "loop/queue.h"
#include "process/child.h"

typedef struct child_handle {
    queue ended;  /* first: Lua's park and select take it for one */
    child *child; /* NULL until it was started */
} child_handle;
