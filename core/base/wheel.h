/* SPDX-License-Identifier: MIT
 *
 * A hierarchical timer wheel: a set of deadlines in milliseconds with O(1) insert and remove, which has no clock of its
 * own: the time is an argument.
 *
 * Read a deadline as eight digits of 8 bits. Compare it with the wheel's own time `now`; the highest digit in which the
 * two differ is the timer's level, and the deadline's digit there is its slot:
 *
 *                    level   7  6  5  4  3  2  1  0
 *              now           00 00 01 8f 2a 10 c4 f0
 *              deadline      00 00 01 8f 2a 12 05 31      goes to level 2, slot 12
 *
 *      level 0    1 ms a slot    [  ][  ] ... [f0][f1] ... [ff]      slots before now's digit are empty
 *      level 1  256 ms a slot    [  ][  ] ...     [c5] ... [ff]      from level 1 on so is now's digit itself
 *      level 2   65 s  a slot    [  ][  ] ...     [11][12] [ff]
 *      level 3  4.6 h  a slot    ...                                 levels 0 to 3 span 49.7 days, all 8 span 2^64 ms
 *
 * Since deadlines are not before `now`, the digit that differs is the larger in the deadline. Three things follow.
 * No level ever wraps round. Everything in a level is due before anything in the level above. And when `now` enters a
 * slot of level 1 or more, its timers differ from `now` in a lower digit: they cascade, at most 7 times in a timer's
 * life, and only 3 where it was due within 49.7 days. A bitmap of the slots, and one of the bitmap's 32 words, make
 * "which slot is next?" two instructions, however long the gap.
 *
 * A full slot takes a while to cascade, so wheel_advance() works on a budget and may stop within a slot. Until that
 * slot is empty, new timers that fall within its span go to its tail instead of overtaking it. */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_LEVELS 8u
#define WHEEL_SLOTS 256u

/* Embedded in what waits. Owned by its holder, who must keep it in place while it is linked. */
typedef struct wheel_timer {
    list link;            /* on a slot while pending, on the caller's list once expired, else on itself */
    uint64_t deadline_ms; /* while pending, the time it is due; 0 once it has expired; while it is idle, its holder's */
} wheel_timer;

/* About 33 KB; owns no memory, so it needs no deinit. It must stay where it was initialised. */
typedef struct wheel {
    uint64_t now_ms; /* all that was due before this has expired */
    size_t count;    /* timers pending */
    uint32_t level;  /* the slot of now_ms on this level is being emptied; 0 unless a cascade is half done */
    uint32_t words;  /* bit i: bits[i] is not 0 */
    uint64_t bits[WHEEL_LEVELS * WHEEL_SLOTS / 64]; /* bit i: slots[i] is not empty */
    list slots[WHEEL_LEVELS * WHEEL_SLOTS];         /* level 0 first */
} wheel;

/* Makes an empty wheel. Time begins at 1, as a deadline of 0 marks an expired timer: a `now_ms` of 0 is taken as 1. */
void wheel_init(wheel *, uint64_t now_ms);

/* Makes a timer that is idle: not pending, on no list. */
static inline void wheel_timer_init(wheel_timer *timer) {
    list_init(&timer->link);
    timer->deadline_ms = 0;
}

/* Whether the timer is in the wheel. Expired timers are not, even while they sit on the caller's list. */
static inline bool wheel_pending(const wheel_timer *timer) {
    return timer->deadline_ms != 0 && list_linked(&timer->link);
}

/* Adds an idle timer, which must be on no list. One that is due before the wheel's time is due at the wheel's time: it
 * expires on the next advance that is not in the wheel's past. Never fails. */
void wheel_insert(wheel *, wheel_timer *, uint64_t deadline_ms);

/* Makes the timer idle, whatever it was: takes a pending one out of the wheel, whose deadline it keeps, and an expired one
 * off the list of the caller that it is still on. Legal at any time between two calls of wheel_advance(). */
void wheel_remove(wheel *, wheel_timer *);

/* When the wheel next has work: never after the earliest deadline, and exactly that if it is on level 0 (within the 256
 * ms block of now_ms); else the time of the next cascade, or of the one that is half done. UINT64_MAX if empty. */
uint64_t wheel_next_ms(const wheel *);

/* Moves the wheel's time on to `now_ms`, and the timers due by then to the tail of `expired`: in order of deadline,
 * equal ones in order of insertion (one that was inserted late counts with the wheel's time at that moment).
 *
 * Spends at most `budget` moves of a timer, from slot to slot or to `expired`. Returns true when all is done, false if
 * a timer is left to move: then call again, with this `now_ms` or a later one. In between the wheel is in full order,
 * and timers can be inserted and removed. An earlier `now_ms` than the wheel's does nothing. No timer expires early. */
bool wheel_advance(wheel *, uint64_t now_ms, unsigned budget, list *expired);

/* Verifies the invariants: 0, or the line of wheel.c whose check failed. O(slots + timers). */
int wheel_check(const wheel *);
