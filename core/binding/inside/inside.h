/* SPDX-License-Identifier: MIT
 *
 * What is told from outside of a state: see inside.c.
 */
#pragma once
#include "binding/runtime.h"

void inside_init(runtime *);
/* Between two resumes, on run's own stack: what the function `text` of this module of Lua returns for the argument,
 * a string or NULL, and a newline; free() ends it.
 * Where it fails: why, behind on_failure, or NULL if that is. NULL: out of memory. */
char *inside_text(executor *, const char *module_name, const char *argument, const char *on_failure);
