/* SPDX-License-Identifier: MIT
 *
 * Threads of the process's own, which no executor runs on and nobody waits for.
 */
#ifndef MOMO_BACKGROUND_H
#define MOMO_BACKGROUND_H

#include <stddef.h>

/* Starts one that lives as long as the process. No signal is handled on it. 0, or a negative code. */
int background_start(void *(*run)(void *), size_t stack_bytes);

#endif
