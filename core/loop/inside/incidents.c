/* SPDX-License-Identifier: MIT
 *
 * Incidents: see incidents.h.
 */
#include "loop/inside/incidents.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop/executor.h"

enum { KEPT = 256 };

static struct {
    pthread_mutex_t lock;
    incident *ring; /* guarded; NULL: nobody wants to know. The one with number n is at n % KEPT */
    uint64_t last;  /* the number of the last one; guarded */
} incidents = {.lock = PTHREAD_MUTEX_INITIALIZER};

void incidents_begin(void) {
    pthread_mutex_lock(&incidents.lock);
    if (!incidents.ring) {
        incidents.ring = calloc(KEPT, sizeof *incidents.ring); /* without memory there are none */
    }
    pthread_mutex_unlock(&incidents.lock);
}

bool incidents_are_kept(void) {
    pthread_mutex_lock(&incidents.lock);
    bool kept = incidents.ring;
    pthread_mutex_unlock(&incidents.lock);
    return kept;
}

void incidents_add(const char *kind, const char *text) {
    pthread_mutex_lock(&incidents.lock);
    if (incidents.ring) {
        incident *i = &incidents.ring[++incidents.last % KEPT];
        i->number = incidents.last;
        i->time = executor_wall();
        i->kind = kind;
        snprintf(i->text, sizeof i->text, "%s", text);
    }
    pthread_mutex_unlock(&incidents.lock);
}

bool incidents_next(uint64_t number, incident *out) {
    pthread_mutex_lock(&incidents.lock);
    uint64_t first = incidents.last < KEPT ? 1 : incidents.last - KEPT + 1;
    uint64_t next = number + 1 > first ? number + 1 : first;
    bool found = incidents.ring && next <= incidents.last;
    if (found) {
        *out = incidents.ring[next % KEPT];
    }
    pthread_mutex_unlock(&incidents.lock);
    return found;
}
