/* SPDX-License-Identifier: MIT
 *
 * The names of signals.
 */
#pragma once
#include "binding/runtime.h"

/* Of "SIGTERM"; 0: there is no such signal. */
int signal_number(const char *name);
void push_signal(lua_State *, int number);
