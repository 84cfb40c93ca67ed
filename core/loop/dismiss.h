/* SPDX-License-Identifier: MIT
 *
 * Tasks that keep no run alive: they are cancelled when nobody is left whom they could serve.
 */
#pragma once
#include "loop/task.h"

/* Nothing else can happen: cancels the tasks that wait for signals. */
void dismiss_signalled(executor *);
/* Cancels the daemons, if there are but those, and tasks that wait for a signal or for a stop, and nothing else. */
void dismiss_daemons(executor *);
