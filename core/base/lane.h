/* SPDX-License-Identifier: MIT
 *
 * A lane: records of bytes on their way from one thread to one other, first in, first out.
 *
 *   producer                                                                consumer
 *      at                                                                      at
 *      v                                                                       v
 *   [ record | record | 0        ] <--next-- [ record | record | ... | LINK ]      spare: a block that was emptied
 *
 *   record: [ kind << 32 | size + SIZE_BIAS ] [ size bytes, padded to a multiple of 8 ]
 *
 * A record's header is what publishes it: 0 says that nothing is there yet, so the two sides share no counter, and a
 * record that fits a line of the cache moves between two CPUs as that one line. The producer stores 0 where the next
 * header will be, and then the header with release; the consumer loads it with acquire. A block that is full ends in
 * LINK, and the next one begins; the consumer hands emptied blocks back through `spare`, so that a lane in steady use
 * allocates nothing. A lane has no limit of its own: whoever pushes bounds what is under way (channel.c counts places).
 *
 * No function here locks the bus, waits, or wakes anyone: that is the inbox's. */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_RECORD_MAX ((size_t)UINT32_MAX - 64) /* bytes of one record */

struct lane_block;

/* One record, as the consumer sees it. */
typedef struct lane_record {
    uint32_t kind; /* what the producer called it */
    size_t size;
    char *bytes; /* valid until lane_pop(); the consumer may write to them */
} lane_record;

/* One side's place; each side has a line of its own. */
typedef struct lane_place {
    alignas(64) struct lane_block *block;
    size_t at; /* where its next header is */
} lane_place;

/* Asks for an alignment of 64 bytes. Which thread is which side may change when something else orders the two. */
typedef struct lane {
    lane_place producer, consumer;
    alignas(64) _Atomic(struct lane_block *) spare; /* NULL, or a block for the producer to use next */
} lane;

/* 0, or -ENOMEM. */
int lane_init(lane *);
/* Frees it, with all records that were not popped. */
void lane_deinit(lane *);

/* Producer: room for a record of so many bytes, at most LANE_RECORD_MAX; NULL: out of memory. It becomes a record by
 * lane_commit(), with the same size or a smaller one; without, it is room for the next. */
void *lane_reserve(lane *, size_t size);
void lane_commit(lane *, uint32_t kind, size_t size);

/* Consumer: whether there is a record; it is the oldest, and stays. */
bool lane_peek(lane *, lane_record *);
/* Consumer: drops the record that lane_peek() has shown. */
void lane_pop(lane *);

/* For tests, while neither side is at work: 0 if its blocks are whole and hold so many records, else a line of lane.c. */
int lane_check(lane *, size_t records);
