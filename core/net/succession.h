/* SPDX-License-Identifier: MIT
 *
 * How a process is followed by another one that runs the program anew, and loses no connection: the successor inherits the
 * listening sockets as open descriptors, and a bind to the address of one takes it over in place of making a new one.
 *
 *   predecessor   succession_gather --spawn: listeners from descriptor 3 on, $MOMO_SUCCESSION--> successor
 *                                                                 succession_begin
 *                                                                 bind: succession_claim
 *                 succession_hand_over  <-------"ready"---------- all are claimed
 *                 drains, and ends                                succession_close_rest
 *
 * All of it is the process's: threads bind, too.
 */
#pragma once
#include <stdbool.h>

#include "base/address.h"

enum { SUCCESSION_MAX = 1024 }; /* listeners that go over */

/* In the predecessor: copies of the listening sockets that the process has, close-on-exec, the caller's to close. First those
 * that it was itself started with as socket activation has it: how many is *activated. marks: a letter for each of the others;
 * 'c': its port was chosen by the system. Returns how many there are; negative: there are none. */
int succession_gather(int fds[SUCCESSION_MAX], char marks[SUCCESSION_MAX + 1], int *activated);
/* A bind to port 0 was answered by this socket. */
void succession_chose(int fd);
/* From here on listeners are the successor's: who drains leaves them to it at once. */
void succession_hand_over(void);
bool succession_handed_over(void);

/* In the successor, before anything else runs: what $MOMO_SUCCESSION says, of which the environment is rid afterwards. False:
 * there is none. The predecessor waits for a byte at *ready; at *leader the process that was first waits for the number of the newest. */
bool succession_begin(int *ready, int *leader);
/* A listening socket at that address which is the caller's from here on; negative: there is none. */
int succession_claim(const address *);
/* How many have not been claimed. */
unsigned succession_unclaimed(void);
void succession_close_rest(void);
