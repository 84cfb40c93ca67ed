/* SPDX-License-Identifier: MIT
 *
 * The slab's slow half: growing, walking, checking. The circle of states is drawn in slab.h. */
#include "base/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

/* An item whose size is a multiple of this has its first fields in one line. */
enum { CACHE_LINE = 64 };

void slab_init(slab *s, size_t item_size) {
    assert(item_size >= sizeof(slab_head));
    *s = (slab){.item_size = item_size, .free = SLAB_NONE};
}

void slab_deinit(slab *s) {
    for (uint32_t i = 0; i < s->chunk_count; i++) free(s->chunks[i]);
    free(s->chunks);
    slab_init(s, s->item_size);
}

/* Adds a chunk. The table doubles when its length is a power of two, so its capacity need not be kept. */
static int grow(slab *s) {
    uint32_t n = s->chunk_count;
    if (n == UINT32_MAX / SLAB_CHUNK_SLOTS) return -ENOMEM;
    if ((n & (n - 1)) == 0) {
        char **chunks = realloc(s->chunks, (n == 0 ? 1 : 2 * (size_t)n) * sizeof *chunks);
        if (chunks == NULL) return -ENOMEM;
        s->chunks = chunks;
    }
    s->chunks[n] = aligned_alloc(CACHE_LINE, SLAB_CHUNK_SLOTS * s->item_size); /* a multiple, as the slots are many */
    if (s->chunks[n] == NULL) return -ENOMEM;
    s->chunk_count++;
    return 0;
}

int slab_reserve(slab *s) {
    return s->free != SLAB_NONE || s->used < s->chunk_count * SLAB_CHUNK_SLOTS ? 0 : grow(s);
}

/* The slots of a chunk are taken in turn the first time, not strung on the free list: memory is touched when used. */
int slab_take_new(slab *s, void **item) {
    if (s->used == s->chunk_count * SLAB_CHUNK_SLOTS) {
        int err = grow(s);
        if (err < 0) return err;
    }
    slab_head *head = slab_at(s, s->used);
    memset(head, 0, s->item_size);
    *head = (slab_head){.index = s->used, .generation = 1, .next = s->used};
    s->used++;
    s->live++;
    *item = head;
    return 0;
}

void *slab_next(const slab *s, uint32_t *cursor) {
    while (*cursor < s->used) {
        slab_head *head = slab_at(s, (*cursor)++);
        if (slab_occupied(head)) return head;
    }
    return NULL;
}

void slab_sort(slab *s) {
    s->free = SLAB_NONE;
    for (uint32_t i = s->used; i-- > 0;) {
        slab_head *head = slab_at(s, i);
        if (!slab_occupied(head) && head->generation != 0) {
            head->next = s->free;
            s->free = i;
        }
    }
}

int slab_check(const slab *s) {
    INVARIANT(s->used <= s->chunk_count * SLAB_CHUNK_SLOTS);
    uint32_t live = 0, free_slots = 0;
    for (uint32_t i = 0; i < s->used; i++) {
        const slab_head *head = slab_at(s, i);
        bool odd = head->generation % 2 == 1;
        INVARIANT(head->index == i);
        if (slab_occupied(head)) {
            live += odd;
        } else if (head->generation == 0) {
            INVARIANT(head->next == SLAB_NONE);
        } else {
            INVARIANT(!odd);
            free_slots++;
        }
    }
    INVARIANT(live == s->live);

    /* The free list has as many slots as are free, and nothing else: so each of them, once. */
    for (uint32_t i = s->free; i != SLAB_NONE; i = slab_at(s, i)->next) {
        INVARIANT(i < s->used);
        const slab_head *head = slab_at(s, i);
        INVARIANT(!slab_occupied(head) && head->generation != 0);
        INVARIANT(free_slots-- > 0);
    }
    INVARIANT(free_slots == 0);
    return 0;
}
