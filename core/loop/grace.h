/* SPDX-License-Identifier: MIT
 *
 * What becomes of a process that a signal has told to end: the grace of those who don't hear of it.
 *
 *     the first signal ----> executors stop (signals.c) ----> the process ends by itself
 *            |
 *            '--> do all loops come round, within the grace? ---- no ---> says who holds the thread, ends by that signal
 *                                            yes: and again <-'
 *     a second one --------> ends the process at once
 */
#pragma once
#include <stdbool.h>

/* From now on these signals have a grace, of so many seconds; they have handlers, which are called as well. 0, or negative. */
int grace_watch(const int *numbers, int count, double seconds);
/* Whether such a signal has come, so that the process will end. */
bool grace_begun(void);
