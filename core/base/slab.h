/* SPDX-License-Identifier: MIT
 *
 * A slab hands out slots of one size that never move, each under a 64-bit id that dies with its use.
 *
 *      id = generation << 32 | index          odd generation: live          even: the id has ended
 *
 *      chunks[]   .-> [slot 0][slot 1] ... [slot 255]        a slot: [slab_head | the rest of the item]
 *         |  `----'   [slot 256] ...                used
 *         `---------> ...                             `-> slots from here on were never taken
 *
 * A slot goes round this circle, and every turn adds two to its generation, so an id that was given out is never given
 * out again, and an id that is stale or made up matches nothing that is not live:
 *
 *      free (even) --take--> live (odd) --expire--> expired (even, still occupied) --release--> free
 *
 * Expiry is for what is being closed: its id ends at once, while its memory belongs to an operation still under way.
 * A slot whose generation has wrapped to 0 is retired: it is not handed out again (2^31 uses of one slot).
 *
 * `next` strings the free slots together, by index. In an occupied slot it is the slot's own, which is what tells an
 * expired slot from a free one. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_CHUNK_SLOTS 256u
#define SLAB_NONE UINT32_MAX

/* First member of every item; the item's owner only reads it. */
typedef struct slab_head {
    uint32_t index;      /* the slot's place, for ever */
    uint32_t generation; /* odd: live */
    uint32_t
        next; /* its own index while occupied; free: the slot released before it, or SLAB_NONE; retired: SLAB_NONE */
} slab_head;

typedef struct slab {
    char **chunks; /* owned, as are the chunks; the table may move, a chunk does not */
    size_t item_size;
    uint32_t free; /* the slot released last, or SLAB_NONE */
    uint32_t used; /* slots below this have been taken at least once */
    uint32_t chunk_count;
    uint32_t live; /* ids that slab_get() finds */
} slab;

/* Makes an empty slab; allocates nothing. `item_size` is the sizeof of a type that begins with a slab_head and asks for
 * no more alignment than malloc() gives. */
void slab_init(slab *, size_t item_size);

/* Frees all memory, that of occupied slots too. */
void slab_deinit(slab *);

/* What slab_take() does when no slot is free. */
int slab_take_new(slab *, void **item);

/* The first occupied item, live or expired, at *cursor or after; moves the cursor past it. NULL at the end. Begin with
 * a cursor of 0. Items may be taken and released on the way; one that is taken meanwhile may be missed. */
void *slab_next(const slab *, uint32_t *cursor);

/* Puts the free slots in order of their place, so that what is taken next does not depend on the past. O(slots). */
void slab_sort(slab *);

/* Verifies the invariants: 0, or the line of slab.c whose check failed. O(slots). */
int slab_check(const slab *);

/* The id of a live item; never 0. */
static inline uint64_t slab_id(const slab_head *head) {
    return (uint64_t)head->generation << 32 | head->index;
}

/* The slot at `index`, whatever its state; its chunk must exist. */
static inline slab_head *slab_at(const slab *s, uint32_t index) {
    return (slab_head *)(s->chunks[index / SLAB_CHUNK_SLOTS] + index % SLAB_CHUNK_SLOTS * s->item_size);
}

static inline bool slab_occupied(const slab_head *head) {
    return head->next == head->index;
}

/* Whether the id of an occupied slot is. */
static inline bool slab_live(const slab_head *head) {
    return head->generation % 2 == 1;
}

/* The live item with this id, or NULL; any 64 bits may be asked for. */
static inline void *slab_get(const slab *s, uint64_t id) {
    uint32_t index = (uint32_t)id, generation = (uint32_t)(id >> 32);
    if (index >= s->used || generation % 2 == 0) return NULL;
    slab_head *head = slab_at(s, index);
    return head->generation == generation ? head : NULL;
}

/* Makes sure that the next slab_take finds a slot: 0, or -ENOMEM. */
int slab_reserve(slab *);

/* Hands out the slot released last, or a new one, with a new id. Beyond the head a slot is all zeros the first time
 * and afterwards as its last owner left it. Returns 0, or -ENOMEM: then *item and the slab are as they were. */
static inline int slab_take(slab *s, void **item) {
    if (s->free == SLAB_NONE) return slab_take_new(s, item);
    slab_head *head = slab_at(s, s->free);
    s->free = head->next;
    head->next = head->index;
    head->generation++;
    s->live++;
    *item = head;
    return 0;
}

/* Ends the item's id, once; the slot stays occupied. The item must be live. */
static inline void slab_expire(slab *s, void *item) {
    slab_head *head = item;
    assert(slab_occupied(head) && head->generation % 2 == 1);
    head->generation++;
    s->live--;
}

/* Gives the slot back, ending its id first where that has not been done. The item must be occupied. */
static inline void slab_release(slab *s, void *item) {
    slab_head *head = item;
    assert(slab_occupied(head));
    if (head->generation % 2 == 1) slab_expire(s, item);
    head->next = SLAB_NONE;
    if (head->generation == 0) return; /* wrapped: retired */
    head->next = s->free;
    s->free = head->index;
}
