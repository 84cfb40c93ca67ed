/* SPDX-License-Identifier: MIT
 *
 * A peer: an echo server on a Unix socket, on io_uring alone: that of TCP, which gets a path here; see momo.lua. */
#include "../echo/ring.c"
