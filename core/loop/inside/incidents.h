/* SPDX-License-Identifier: MIT
 *
 * Incidents: what has gone wrong in the process, as text, for who looks inside of it. The last ones are kept.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* From now on they are kept: nothing is before. */
void incidents_begin(void);
bool incidents_are_kept(void);
/* From any thread; what is too long is cut. kind: a string that lives as long as the process. */
void incidents_add(const char *kind, const char *text);

typedef struct incident {
    uint64_t number; /* from 1, in their order */
    double time;     /* seconds since 1970 */
    const char *kind;
    char text[1024];
} incident;

/* The first one that is kept and has a larger number: a copy. False: there is none. */
bool incidents_next(uint64_t number, incident *);
