/* SPDX-License-Identifier: MIT
 *
 * How long tasks run: see meter.h.
 */
#include "loop/inside/meter.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    uint64_t id; /* of the slot's task that was measured last */
    uint64_t ran_ns;
} entry;

struct meter {
    void (*resume)(task *); /* of who set it */
    entry *entries;         /* by the slot's index */
    uint32_t count;
};

/* The slot's entry; NULL: out of memory. */
static entry *entry_of(const executor *ex, uint32_t index) {
    meter *m = ex->meter;
    if (index >= m->count) {
        uint32_t count = ex->tasks.chunk_count * SLAB_CHUNK_SLOTS;
        entry *entries = realloc(m->entries, count * sizeof *entries);
        if (!entries) {
            return NULL;
        }
        memset(entries + m->count, 0, (count - m->count) * sizeof *entries);
        m->entries = entries;
        m->count = count;
    }
    return &m->entries[index];
}

/* The task may end in it, and the meter be stopped. */
static void resume(task *t) {
    executor *ex = t->executor;
    uint64_t id = slab_id(&t->head), begin_ns = uv_hrtime();
    uint32_t index = t->head.index;
    ex->meter->resume(t);
    entry *e = ex->meter ? entry_of(ex, index) : NULL;
    if (e) {
        e->ran_ns = uv_hrtime() - begin_ns + (e->id == id ? e->ran_ns : 0);
        e->id = id;
    }
}

int meter_start(executor *ex) {
    if (ex->meter) {
        return 0;
    }
    meter *m = calloc(1, sizeof *m);
    if (!m) {
        return UV_ENOMEM;
    }
    m->resume = ex->resume;
    ex->meter = m;
    ex->resume = resume;
    return 0;
}

void meter_stop(executor *ex) {
    if (ex->meter) {
        ex->resume = ex->meter->resume;
        free(ex->meter->entries);
        free(ex->meter);
        ex->meter = NULL;
    }
}

uint64_t meter_ran_ns(const task *t) {
    const meter *m = t->executor->meter;
    const entry *e = m && t->head.index < m->count ? &m->entries[t->head.index] : NULL;
    return e && e->id == slab_id(&t->head) ? e->ran_ns : 0;
}
