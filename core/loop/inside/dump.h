/* SPDX-License-Identifier: MIT
 *
 * A dump: what every thread of the process is doing, on stderr, when somebody asks from outside.
 *
 *   SIGQUIT --> the watchdog ---- mail ----> each executor: makes its text, between two resumes
 *                    |  <------- text -------'
 *                    '--> writes the texts; and of whoever has not come round in time, who holds that thread (holder.h)
 *
 * Only the watchdog writes, so that a stderr that nobody reads holds no executor up.
 */
#pragma once
#include <stdatomic.h>
#include <stddef.h>

#include "loop/inbox.h"

struct momo_executor;

/* What an executor has for this. */
typedef struct dump {
    /* On the executor's thread, between two resumes: the text, which free() ends; NULL: there is no memory. An executor without
     * this is not told of. */
    char *(*make)(struct momo_executor *);
    mail mail;
    char *text;       /* once it is told */
    atomic_int state; /* enum dump_state, in dump.c */
} dump;

void dump_init(dump *);
void dump_deinit(dump *);
/* On the watchdog: dumps every executor that runs. */
void dump_all(void);
