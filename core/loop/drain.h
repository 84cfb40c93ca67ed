/* SPDX-License-Identifier: MIT
 *
 * The two phases of a stop. In the first, those who serve take no more and bring to an end what they have begun; all that they
 * may depend on (tasks, threads, channels) is left alone. When the last of them lets go, the second phase cancels everything.
 *
 *   drain_begin --> begun: waiters woken, drivers told --> holds: serve, threads that drain --> 0 --> executor_stop
 *
 * A thread drains at its parent's word, and holds the parent's second phase off until its own holds are gone; its second
 * phase is the parent's (thread/thread.c).
 */
#pragma once
#include "loop/task.h"

/* The first phase begins, unless it has, or the executor stops. At the end of it `over` is called: executor_stop, or what
 * tells the parent. */
void drain_begin(executor *, void (*over)(executor *));
/* The second phase waits for whoever holds it off. */
static inline void drain_hold(executor *ex) {
    ex->drain.holds++;
}
void drain_let_go(executor *);
/* The same of one who serves; and whether anybody does on another thread of the process. */
void drain_begin_serving(executor *);
void drain_end_serving(executor *);
bool drain_others_serve(const executor *);
/* From here on, momo_draining is true, and who waits for that is woken. Called as well when a stop has no first phase, and when
 * nothing else can happen. False: nobody waits; then it stays as it was. */
bool drain_announce(executor *);
/* The run has ended: nobody serves any more, even if he was not heard of again. */
void drain_reset(executor *);
/* Whether a stop is under way, in either phase. */
static inline bool drain_stops(const executor *ex) {
    return ex->stopping || ex->drain.over;
}
