/* SPDX-License-Identifier: MIT
 *
 * Who holds a thread, and where: Lua's part of loop/inside/holder.h.
 */
#pragma once
#include "binding/runtime.h"

/* The runtime's executor can be asked. */
void holder_init(runtime *);
