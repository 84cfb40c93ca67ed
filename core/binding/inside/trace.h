/* SPDX-License-Identifier: MIT
 *
 * What a trace holds, and the file that it becomes. See trace.c.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "loop/task.h"

enum { RECORDS = 1 << 18, NAME_BYTES = 48 };

typedef struct record {
    uint64_t begin, end; /* in ticks; a wake-up: both are when it was */
    uint64_t id;         /* of the task that ran, or was woken */
    union {
        const char *waits_for; /* once it had run; NULL: it was ready, or had ended */
        uint64_t by;           /* of the task that woke it */
    };
    uint32_t slot;
    bool is_wake;
} record;

/* Who a slot's task is. */
typedef struct name {
    uint64_t id;
    char text[NAME_BYTES];
} name;

struct trace {
    void (*resume)(task *); /* of who set it */
    uint64_t count;         /* of records that there were */
    name *names;            /* in the order in which tasks got them */
    size_t name_count, name_room;
    const char **shown; /* by slot: the name that was noted last */
    uint32_t shown_count;
    uint64_t starter;          /* id of the task that began it, until it is resumed again */
    bool running;              /* the record behind the last one is of the resume under way */
    uint64_t last_tick, polls; /* at the end of the last resume, and how many polls there had been */
    uint64_t begin_tick, begin_ns;
    unsigned thread;
    char thread_name[NAME_BYTES];
    char path[PATH_MAX]; /* of the file that it is added to */
    record records[RECORDS];
};

/* About a ns of the CPU's own clock; how many make a second is found by comparison. */
static inline uint64_t tick(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return uv_hrtime();
#endif
}

/* What the file has had is lost; it is one without an event. */
int trace_begin_file(const char *path);
/* Adds the trace to its file, which nobody else writes to meanwhile. slots: how many the executor's tasks have. */
int trace_tell(const struct trace *, uint32_t slots);
