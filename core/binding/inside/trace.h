/* SPDX-License-Identifier: MIT
 *
 * What a trace holds, and the file that it becomes. See trace.c.
 *
 * Events stand in parts, of which the oldest is written over when the newest is full. Within a part, a task is its slot, and
 * a time the ticks since the event before: so an event takes 16 bytes, and a part says anew who the tasks in it are.
 *
 *      part    [who 5][begin][run 5][wake 7][run 7][who 9 ...........][run 9][later][run 5] ...
 *              tick                                 its id and name
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/task.h"

enum { PARTS = 5, PART_EVENTS = 1 << 16, NAME_BYTES = 56 };

/* What an event is: one of these, or else a run that ends, whose task waits for that from then on. */
extern const char event_who[], event_begin[], event_later[], event_wake[], event_ended[];

typedef struct event {
    const char *what;
    uint32_t slot;  /* begin, later: the upper half of the ticks */
    uint32_t ticks; /* since the event before; who: how many events its identity takes, behind this one */
} event;

/* Who a slot's task is. */
typedef struct identity {
    uint64_t id;
    char name[NAME_BYTES];
} identity;

enum {
    ID_EVENTS = 1,                                      /* that an id takes, */
    IDENTITY_EVENTS = sizeof(identity) / sizeof(event), /* or one with a name; */
    RESUME_EVENTS = 2 + IDENTITY_EVENTS + 2,            /* a resume, at most: begin, who, later, run; */
    WAKE_EVENTS = 2 + IDENTITY_EVENTS,                  /* and a wake-up */
};
_Static_assert(sizeof(identity) % sizeof(event) == 0 && offsetof(identity, name) <= sizeof(event), "behind who");

typedef struct part {
    uint64_t tick;  /* when it began */
    uint32_t count; /* of its events, once it is full, or the trace ends */
    event events[PART_EVENTS];
} part;

/* Who was in a slot when that was told last. */
typedef struct noted {
    const char *name;
    uint32_t generation; /* 0: it was not, in this part */
} noted;

struct trace {
    void (*resume)(task *);    /* of who set it */
    event *next, *last;        /* of the newest part: the next one, and the last with which a resume may begin */
    uint64_t last_tick, polls; /* of the last event, and how many polls there had been */
    noted *noted;              /* by slot */
    uint32_t noted_count;
    bool counts_time; /* the CPU's clock does, at any speed */
    uint64_t parts;   /* that there have been */
    uint64_t starter; /* the slab's id of the task that began it, until another resume; else 0 */
    uint64_t begin_tick, begin_ns;
    unsigned thread;
    char thread_name[NAME_BYTES];
    char path[PATH_MAX]; /* of the file that it is added to */
    part ring[PARTS];
};

static inline part *trace_part(struct trace *t) {
    return &t->ring[(t->parts - 1) % PARTS];
}

/* About a ns; how many make a second is found by comparison. */
static inline uint64_t trace_tick(const struct trace *t) {
#if defined(__x86_64__)
    if (t->counts_time) {
        return __builtin_ia32_rdtsc();
    }
#endif
    (void)t;
    return uv_hrtime();
}

/* What the file has had is lost; it is one without an event. */
int trace_begin_file(const char *path);
/* Adds the trace to its file, which nobody else writes to meanwhile. slots: how many the executor's tasks have. Where that
 * fails, the file is as it was. */
int trace_tell(const struct trace *, uint32_t slots);
