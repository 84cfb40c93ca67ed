/* SPDX-License-Identifier: MIT
 *
 * Lines for stderr that hold nobody up: a thread of the process writes them, from a queue that has a limit. What comes while
 * it is full is dropped and counted, and the number is written as soon as there is room.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes a copy of the line, which ends with a newline. As JSON: how a number of lost lines is written after it. From any thread;
 * where there is no room, it is dropped and counted. */
void log_push(const char *line, size_t size, bool json);
/* Lines that were dropped since the process began. */
uint64_t log_dropped(void);
/* Waits until all is written, but not for longer than a second. */
void log_flush(void);
