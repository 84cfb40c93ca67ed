/* SPDX-License-Identifier: MIT
 *
 * Streams that nobody uses for now, such as connections that are kept for a further request. No task waits for them, so
 * they keep no run alive.
 *
 *   in use --idle_begin--> idle --something comes, time is over, the run ends--> closed
 *     ^                     |
 *     '------idle_end-------'
 */
#pragma once
#include "net/stream.h"

/* 0, or negative: it is closed, as something has come already, it is in use, or there is no memory. */
int idle_begin(io *, double seconds);
/* 0, or negative: it is closed, as something has come that the loop has not been told of yet, or it is not idle. */
int idle_end(io *);
