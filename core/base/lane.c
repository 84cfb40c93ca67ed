/* SPDX-License-Identifier: MIT
 *
 * Lanes: see lane.h.
 */
#include "base/lane.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/invariant.h"

enum {
    HEADER = 8,
    LINK = 1,      /* in place of a header: goes on in the next block */
    SIZE_BIAS = 2, /* so that no record looks like LINK, or like nothing */
    BLOCK_MIN = 1024,
    BLOCK_MAX = 64 * 1024, /* but for one that holds a larger record alone */
};

typedef _Atomic uint64_t header;

typedef struct lane_block {
    struct lane_block *next; /* valid once it ends in LINK */
    size_t size;             /* of bytes */
    alignas(64) char bytes[];
} lane_block;

static header *header_at(lane_block *block, size_t at) {
    return (header *)(void *)(block->bytes + at);
}

static size_t padded(size_t size) {
    return (size + HEADER - 1) & ~(size_t)(HEADER - 1);
}

static lane_block *new_block(size_t size) {
    size_t bytes = (sizeof(lane_block) + size + 63) & ~(size_t)63;
    lane_block *block = aligned_alloc(64, bytes);
    if (block != NULL) {
        block->size = size;
        atomic_store_explicit(header_at(block, 0), 0, memory_order_relaxed);
    }
    return block;
}

int lane_init(lane *l) {
    lane_block *block = new_block(BLOCK_MIN);
    if (block == NULL) return -ENOMEM;
    *l = (lane){.producer = {block, 0}, .consumer = {block, 0}};
    return 0;
}

void lane_deinit(lane *l) {
    lane_record r;
    while (lane_peek(l, &r)) lane_pop(l);
    free(l->consumer.block);
    free(atomic_load_explicit(&l->spare, memory_order_acquire));
}

/* The spare block, if it is large enough, or a new one of twice the size of the last. */
static lane_block *next_block(lane *l, size_t need) {
    lane_block *block = atomic_load_explicit(&l->spare, memory_order_acquire);
    if (block != NULL) {
        atomic_store_explicit(&l->spare, NULL, memory_order_relaxed); /* only the producer takes it */
        if (block->size >= need) {
            atomic_store_explicit(header_at(block, 0), 0, memory_order_relaxed);
            return block;
        }
        free(block);
    }
    size_t size = 2 * l->producer.block->size;
    if (size > BLOCK_MAX) size = BLOCK_MAX;
    return new_block(size < need ? need : size);
}

void *lane_reserve(lane *l, size_t size) {
    assert(size <= LANE_RECORD_MAX);
    lane_place *p = &l->producer;
    size_t need = HEADER + padded(size) + HEADER; /* the last is for what comes behind it */
    if (p->block->size - p->at < need) {
        lane_block *block = next_block(l, need);
        if (block == NULL) return NULL;
        p->block->next = block;
        atomic_store_explicit(header_at(p->block, p->at), LINK, memory_order_release);
        *p = (lane_place){block, 0};
    }
    return p->block->bytes + p->at + HEADER;
}

void lane_commit(lane *l, uint32_t kind, size_t size) {
    lane_place *p = &l->producer;
    header *own = header_at(p->block, p->at);
    p->at += HEADER + padded(size);
    atomic_store_explicit(header_at(p->block, p->at), 0, memory_order_relaxed);
    atomic_store_explicit(own, (uint64_t)kind << 32 | (size + SIZE_BIAS), memory_order_release);
}

/* Goes on in the next block, and hands the emptied one back, or frees it. */
static void follow(lane *l) {
    lane_block *block = l->consumer.block;
    l->consumer = (lane_place){block->next, 0};
    bool wanted = block->size == BLOCK_MAX && atomic_load_explicit(&l->spare, memory_order_relaxed) == NULL;
    if (wanted) {
        atomic_store_explicit(&l->spare, block, memory_order_release); /* only the consumer fills it */
    } else {
        free(block);
    }
}

bool lane_peek(lane *l, lane_record *r) {
    uint64_t h = atomic_load_explicit(header_at(l->consumer.block, l->consumer.at), memory_order_acquire);
    while (h == LINK) { /* a block has no record at all where room for a larger one was asked for in the end */
        follow(l);
        h = atomic_load_explicit(header_at(l->consumer.block, 0), memory_order_acquire);
    }
    if (h == 0) return false;
    *r = (lane_record){
        .kind = (uint32_t)(h >> 32),
        .size = (uint32_t)h - SIZE_BIAS,
        .bytes = l->consumer.block->bytes + l->consumer.at + HEADER,
    };
    return true;
}

void lane_pop(lane *l) {
    lane_place *c = &l->consumer;
    uint64_t h = atomic_load_explicit(header_at(c->block, c->at), memory_order_relaxed);
    assert(h > LINK);
    c->at += HEADER + padded((uint32_t)h - SIZE_BIAS);
}

int lane_check(lane *l, size_t records) {
    lane_block *block = l->consumer.block, *spare = atomic_load(&l->spare);
    size_t at = l->consumer.at;
    for (uint64_t h; (h = atomic_load(header_at(block, at))) != 0;) {
        if (h == LINK) {
            INVARIANT(block != l->producer.block && block->next != NULL);
            block = block->next;
            at = 0;
        } else {
            INVARIANT(records-- > 0);
            at += HEADER + padded((uint32_t)h - SIZE_BIAS);
        }
        INVARIANT(at % HEADER == 0 && at + HEADER <= block->size);
    }
    INVARIANT(records == 0);
    INVARIANT(block == l->producer.block && at == l->producer.at);
    INVARIANT(spare == NULL || (spare->size == BLOCK_MAX && spare != block && spare != l->consumer.block));
    return 0;
}
