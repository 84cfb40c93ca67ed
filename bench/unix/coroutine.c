/* SPDX-License-Identifier: MIT
 *
 * The floor of a server in Lua; it takes a path as well. */
#include "../echo/coroutine.c"
