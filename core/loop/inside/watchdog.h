/* SPDX-License-Identifier: MIT
 *
 * The watchdog: a thread of the process that tells on stderr what executors can't tell themselves, as somebody holds them up.
 * It sleeps until it is woken, and has neither a clock nor an executor.
 */
#pragma once

/* Starts it, if it does not run yet: 0, or a negative UV_E*. */
int watchdog_start(void);
/* There is a stall to tell. Once it runs; a signal's handler may call it. */
void watchdog_wake(void);
/* From now on SIGQUIT has it dump every executor, unless that is ignored, as by a script's background job: 0, or a negative
 * UV_E*. */
int watchdog_dump_on_quit(void);
