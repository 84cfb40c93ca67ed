/* SPDX-License-Identifier: MIT
 *
 * The slab: ids that die, slots that stay where they are, and what a slot keeps between two owners. */
#include "base/slab.h"

#include "check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct item {
    slab_head head;
    uint64_t kept; /* the slab must leave it alone */
    char rest[40];
};

/* Under a sanitizer too an impossible allocation shall return NULL. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static struct item *take(slab *s) {
    void *item = NULL;
    CHECK(slab_take(s, &item) == 0);
    return item;
}

static uint64_t make_id(uint32_t generation, uint32_t index) {
    return (uint64_t)generation << 32 | index;
}

static void life_of_a_slot(void) {
    slab s;
    slab_init(&s, sizeof(struct item));
    CHECK(slab_get(&s, 0) == NULL && slab_get(&s, UINT64_MAX) == NULL && slab_get(&s, make_id(1, 0)) == NULL);

    struct item *item = take(&s);
    uint64_t id = slab_id(&item->head);
    CHECK(id != 0 && slab_get(&s, id) == item && s.live == 1);
    item->kept = 7;

    slab_expire(&s, item);
    uint32_t cursor = 0;
    CHECK(slab_get(&s, id) == NULL && s.live == 0);
    CHECK(slab_next(&s, &cursor) == item && slab_next(&s, &cursor) == NULL);
    CHECK(slab_get(&s, slab_id(&item->head)) == NULL); /* an even generation is no id, even if it is the slot's own */
    struct item *other = take(&s);
    CHECK(other != item); /* an expired slot is still occupied */

    slab_release(&s, item);
    cursor = 0;
    CHECK(slab_next(&s, &cursor) == other && slab_next(&s, &cursor) == NULL);
    CHECK(slab_get(&s, slab_id(&item->head)) == NULL && slab_get(&s, id) == NULL);
    CHECK(take(&s) == item && item->kept == 7 && slab_id(&item->head) != id);
    CHECK_INVARIANTS(slab_check(&s));
    slab_deinit(&s);
    CHECK(slab_get(&s, id) == NULL && s.live == 0);
}

static void last_released_is_taken_first(void) {
    slab s;
    slab_init(&s, sizeof(struct item));
    struct item *a = take(&s), *b = take(&s), *c = take(&s);
    slab_release(&s, b);
    slab_release(&s, c);
    slab_release(&s, a);
    CHECK(take(&s) == a && take(&s) == c && take(&s) == b);
    slab_deinit(&s);
}

/* Every id a slot ever had is presented again, together with the ids that it might have had. */
static void stale_ids_find_nothing(void) {
    slab s;
    slab_init(&s, sizeof(struct item));
    uint64_t first = 0, hits = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct item *item = take(&s);
        uint64_t id = slab_id(&item->head);
        if (i == 0) first = id;
        CHECK(item->head.index == 0 && slab_get(&s, id) == item);
        uint32_t generation = item->head.generation;
        hits += slab_get(&s, make_id(generation - 1, 0)) != NULL;
        hits += slab_get(&s, make_id(generation - 2, 0)) != NULL;
        hits += slab_get(&s, make_id(generation + 1, 0)) != NULL;
        hits += slab_get(&s, make_id(generation, 1)) != NULL;
        hits += i > 0 && slab_get(&s, first) != NULL;
        hits += i > 0 && slab_get(&s, make_id((uint32_t)check_below(i) * 2 + 1, 0)) != NULL;
        if (i % 2 == 0) slab_expire(&s, item);
        hits += i % 2 == 0 && slab_get(&s, id) != NULL;
        hits += i % 2 == 0 && slab_get(&s, slab_id(&item->head)) != NULL;
        slab_release(&s, item);
        hits += slab_get(&s, id) != NULL;
        hits += slab_get(&s, make_id(item->head.generation, 0)) != NULL;
    }
    CHECK(hits == 0);
    slab_deinit(&s);
}

static void wrapped_slot_is_retired(bool expire_first) {
    slab s;
    slab_init(&s, sizeof(struct item));
    struct item *item = take(&s), *other = take(&s);
    item->head.generation = UINT32_MAX;
    uint64_t last = slab_id(&item->head);
    CHECK(slab_get(&s, last) == item);
    if (expire_first) {
        slab_expire(&s, item);
        CHECK_INVARIANTS(slab_check(&s));
    }
    slab_release(&s, item);
    CHECK_INVARIANTS(slab_check(&s));
    CHECK(slab_get(&s, last) == NULL && s.live == 1);

    uint32_t cursor = 0;
    CHECK(slab_next(&s, &cursor) == other && slab_next(&s, &cursor) == NULL);
    slab_release(&s, other);
    CHECK(take(&s) == other);
    for (int i = 0; i < 1000; i++) CHECK(take(&s) != item);
    CHECK(slab_get(&s, last) == NULL && slab_get(&s, make_id(1, 0)) == NULL);
    CHECK_INVARIANTS(slab_check(&s));
    slab_deinit(&s);
}

static void refused_memory_changes_nothing(void) {
    slab s;
    void *item = &s;
    slab_init(&s, SIZE_MAX / 2);
    CHECK(slab_take(&s, &item) == -ENOMEM && item == &s && s.live == 0 && s.used == 0);
    CHECK_INVARIANTS(slab_check(&s));
    slab_deinit(&s);

    slab_init(&s, sizeof(struct item));
    for (uint32_t i = 0; i < SLAB_CHUNK_SLOTS; i++) item = take(&s);
    void *last = item;
    s.item_size = SIZE_MAX / 2;
    CHECK(slab_take(&s, &item) == -ENOMEM && slab_take(&s, &item) == -ENOMEM && item == last);
    CHECK(slab_reserve(&s) == -ENOMEM);
    s.item_size = sizeof(struct item);
    CHECK_INVARIANTS(slab_check(&s));
    CHECK(slab_reserve(&s) == 0);
    s.item_size = SIZE_MAX / 2;
    CHECK(slab_reserve(&s) == 0); /* there is one already */
    s.item_size = sizeof(struct item);
    CHECK(take(&s)->head.index == SLAB_CHUNK_SLOTS);
    slab_deinit(&s);
}

enum { RECORDS = 1000, OLD_IDS = 256 };
enum state { NONE, LIVE, EXPIRED };

/* The oracle: for each index what was last seen of it. */
static struct record {
    enum state state;
    uint64_t id;
    struct item *item;
    uint64_t kept;
} records[RECORDS];

static void verify(const slab *s, uint32_t seen, const uint64_t *old_ids) {
    CHECK_INVARIANTS(slab_check(s));
    uint32_t cursor = 0, live = 0;
    struct item *next = slab_next(s, &cursor);
    for (uint32_t i = 0; i < seen; i++) {
        struct record *r = &records[i];
        CHECK(slab_get(s, r->id) == (r->state == LIVE ? r->item : NULL));
        CHECK(r->item->kept == r->kept);
        live += r->state == LIVE;
        if (r->state == NONE) continue;
        CHECK(next == r->item);
        next = slab_next(s, &cursor);
    }
    CHECK(next == NULL && live == s->live);
    for (int i = 0; i < OLD_IDS; i++) CHECK(slab_get(s, old_ids[i]) == NULL);
}

static void random_walk(void) {
    static uint64_t old_ids[OLD_IDS];
    slab s;
    slab_init(&s, sizeof(struct item));
    uint32_t seen = 0;
    bool growing = true;
    for (int step = 0; step < 60000; step++) {
        if (check_below(500) == 0) growing = !growing;
        uint32_t index = seen == 0 ? 0 : (uint32_t)check_below(seen);
        struct record *r = &records[index];
        if (check_below(3) == (growing ? 0 : 1) && !(growing && seen == RECORDS)) {
            struct item *item = take(&s);
            CHECK(item->head.index < RECORDS);
            r = &records[item->head.index];
            if (item->head.index == seen) {
                seen++;
                char zeros[sizeof item->rest] = {0};
                CHECK(item->kept == 0 && memcmp(item->rest, zeros, sizeof zeros) == 0);
                r->item = item;
            }
            CHECK(item->head.index < seen && r->state == NONE && r->item == item && r->id != slab_id(&item->head));
            item->kept = check_random();
            *r = (struct record){LIVE, slab_id(&item->head), item, item->kept};
        } else if (r->state == LIVE && check_below(2) == 0) {
            slab_expire(&s, r->item);
            r->state = EXPIRED;
            old_ids[check_below(OLD_IDS)] = r->id;
        } else if (r->state != NONE) {
            slab_release(&s, r->item);
            r->state = NONE;
            old_ids[check_below(OLD_IDS)] = r->id;
        }
        for (int i = 0; i < 4; i++) { /* forged: near what exists, or anything */
            uint64_t id =
                i == 0 ? check_random() : make_id((uint32_t)check_any_size(5), (uint32_t)check_below(RECORDS));
            struct item *item = slab_get(&s, id);
            CHECK(item == NULL || (records[(uint32_t)id].state == LIVE && records[(uint32_t)id].id == id));
        }
        if (step % 8 == 0) verify(&s, seen, old_ids);
    }
    slab_deinit(&s);
}

int main(void) {
    check_begin();
    life_of_a_slot();
    last_released_is_taken_first();
    stale_ids_find_nothing();
    wrapped_slot_is_retired(false);
    wrapped_slot_is_retired(true);
    refused_memory_changes_nothing();
    random_walk();
    return 0;
}
