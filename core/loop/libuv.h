/* SPDX-License-Identifier: MIT
 *
 * A loop of libuv's begins and ends, without what libuv leaves behind or aborts for.
 */
#pragma once
#include <uv.h>

/* 0, or a negative UV_E*; then nothing is left behind. */
int libuv_open(uv_loop_t *);
/* Closes its handles too. Its descriptors must be open still: else libuv aborts. */
void libuv_close(uv_loop_t *);
