/* SPDX-License-Identifier: MIT
 *
 * How long each task has run, while somebody wants to know: two looks at the clock for each resume. While nobody does, a
 * resume knows nothing of it, since the meter stands in the place of executor.resume.
 */
#pragma once
#include "loop/task.h"

typedef struct meter meter;

/* From now on what each task runs is measured: 0, or UV_ENOMEM. executor.resume is set. Doing it again does nothing. */
int meter_start(executor *);
/* Forgets what was measured. */
void meter_stop(executor *);
/* What the task has run since it was first resumed beneath the meter, in ns; 0 where nothing is measured. */
uint64_t meter_ran_ns(const task *);
