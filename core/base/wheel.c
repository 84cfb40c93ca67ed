/* SPDX-License-Identifier: MIT
 *
 * The timer wheel drawn in wheel.h. A slot is known by one number, level * 256 + digit: its place in `slots` and in
 * `bits`. */
#include "base/wheel.h"

#include <assert.h>
#include <string.h>

#include "base/invariant.h"

/* The highest digit in which the two differ; 0 if they are equal. */
static unsigned level_of(uint64_t deadline_ms, uint64_t now_ms) {
    return (63u - (unsigned)__builtin_clzll((deadline_ms ^ now_ms) | 1)) / 8;
}

static unsigned slot_of(uint64_t time_ms, unsigned level) {
    return level * WHEEL_SLOTS + (unsigned)(time_ms >> 8 * level) % WHEEL_SLOTS;
}

/* The first millisecond of a slot: now's digits above its level, its own digit, zeros below. */
static uint64_t slot_start_ms(const wheel *w, unsigned slot) {
    unsigned shift = 8 * (slot / WHEEL_SLOTS);
    return ((w->now_ms >> shift | (WHEEL_SLOTS - 1)) - (WHEEL_SLOTS - 1) + slot % WHEEL_SLOTS) << shift;
}

/* The occupied slot that is due first; the wheel must not be empty. */
static unsigned first_slot(const wheel *w) {
    unsigned word = (unsigned)__builtin_ctz(w->words);
    return word * 64 + (unsigned)__builtin_ctzll(w->bits[word]);
}

static void put(wheel *w, wheel_timer *timer, unsigned level) {
    unsigned slot = slot_of(timer->deadline_ms, level);
    list_push(&w->slots[slot], &timer->link);
    w->bits[slot / 64] |= UINT64_C(1) << slot % 64;
    w->words |= UINT32_C(1) << slot / 64;
}

static void mark_empty(wheel *w, unsigned slot) {
    w->bits[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    if (w->bits[slot / 64] == 0) w->words &= ~(UINT32_C(1) << slot / 64);
}

void wheel_init(wheel *w, uint64_t now_ms) {
    memset(w, 0, offsetof(wheel, slots));
    w->now_ms = now_ms > 0 ? now_ms : 1;
    for (unsigned i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++) list_init(&w->slots[i]);
}

void wheel_insert(wheel *w, wheel_timer *timer, uint64_t deadline_ms) {
    assert(!list_linked(&timer->link));
    timer->deadline_ms = deadline_ms > w->now_ms ? deadline_ms : w->now_ms;
    unsigned level = level_of(timer->deadline_ms, w->now_ms);
    put(w, timer, level > w->level ? level : w->level);
    w->count++;
}

void wheel_remove(wheel *w, wheel_timer *timer) {
    if (wheel_pending(timer)) {
        list *neighbour = timer->link.next; /* if there is no other, this is the slot itself */
        if (neighbour == timer->link.prev) mark_empty(w, (unsigned)(neighbour - w->slots));
        w->count--;
    }
    list_remove(&timer->link);
}

uint64_t wheel_next_ms(const wheel *w) {
    if (w->words == 0) return UINT64_MAX;
    if (w->level > 0 && !list_empty(&w->slots[slot_of(w->now_ms, w->level)])) return w->now_ms;
    return slot_start_ms(w, first_slot(w));
}

bool wheel_advance(wheel *w, uint64_t now_ms, unsigned budget, list *expired) {
    if (now_ms < w->now_ms) return true;
    for (;;) {
        unsigned slot = slot_of(w->now_ms, w->level);
        while (!list_empty(&w->slots[slot])) {
            if (budget-- == 0) return false;
            wheel_timer *timer = list_entry(list_pop_front(&w->slots[slot]), wheel_timer, link);
            if (w->level > 0) {
                put(w, timer, level_of(timer->deadline_ms, w->now_ms));
            } else {
                timer->deadline_ms = 0;
                w->count--;
                list_push(expired, &timer->link);
            }
        }
        mark_empty(w, slot);
        w->level = 0;

        /* Up to the start of the first slot there is nothing on any level: the time may jump there, or short of it. */
        if (w->words == 0 || slot_start_ms(w, first_slot(w)) > now_ms) {
            w->now_ms = now_ms;
            return true;
        }
        slot = first_slot(w);
        w->now_ms = slot_start_ms(w, slot);
        w->level = slot / WHEEL_SLOTS;
    }
}

static int check_slot(const wheel *w, unsigned slot, size_t *count) {
    unsigned level = slot / WHEEL_SLOTS;
    bool being_emptied = level == w->level && slot == slot_of(w->now_ms, level);
    const list *head = &w->slots[slot];
    for (const list *node = head->next; node != head; node = node->next) {
        const wheel_timer *timer = list_entry(node, wheel_timer, link);
        INVARIANT(node->next->prev == node && node->prev->next == node);
        INVARIANT(timer->deadline_ms >= w->now_ms);
        INVARIANT(slot_of(timer->deadline_ms, level) == slot);
        unsigned expected = level_of(timer->deadline_ms, w->now_ms);
        INVARIANT(level == expected || (being_emptied && level > expected));
        ++*count;
    }
    INVARIANT(head->next->prev == head);
    return 0;
}

int wheel_check(const wheel *w) {
    size_t count = 0;
    INVARIANT(w->now_ms > 0 && w->level < WHEEL_LEVELS);
    INVARIANT((w->now_ms & ((UINT64_C(1) << 8 * w->level) - 1)) == 0); /* a cascade begins at the slot's first ms */
    for (unsigned i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++) {
        int line = check_slot(w, i, &count);
        if (line != 0) return line;
        INVARIANT((w->bits[i / 64] >> i % 64 & 1) == !list_empty(&w->slots[i]));
        INVARIANT((w->words >> i / 64 & 1) == (w->bits[i / 64] != 0));
    }
    INVARIANT(count == w->count);
    return 0;
}
