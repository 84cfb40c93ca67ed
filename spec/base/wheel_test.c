/* SPDX-License-Identifier: MIT
 *
 * The timer wheel, held against an array of deadlines that is scanned from end to end. */
#include "base/wheel.h"

#include "check.h"

#define HORIZON_MS (UINT64_C(1) << 32)

enum { TIMERS = 256 };
enum state { IDLE, PENDING, EXPIRED };

/* The oracle. A timer inserted late counts with the wheel's time at that moment; `turn` breaks ties. */
static struct record {
    wheel_timer timer;
    enum state state;
    uint64_t deadline_ms;
    uint64_t turn;
} records[TIMERS];

static wheel w;
static list expired;
static uint64_t turn;

static void begin(uint64_t now_ms) {
    wheel_init(&w, now_ms);
    list_init(&expired);
    for (int i = 0; i < TIMERS; i++) {
        records[i].state = IDLE;
        wheel_timer_init(&records[i].timer);
    }
}

static struct record *earliest(void) {
    struct record *first = NULL;
    for (struct record *r = records; r < records + TIMERS; r++) {
        if (r->state != PENDING) continue;
        if (first == NULL || r->deadline_ms < first->deadline_ms ||
            (r->deadline_ms == first->deadline_ms && r->turn < first->turn))
            first = r;
    }
    return first;
}

static void verify(void) {
    CHECK_INVARIANTS(wheel_check(&w));
    size_t pending = 0, on_list = 0;
    for (struct record *r = records; r < records + TIMERS; r++) {
        CHECK(wheel_pending(&r->timer) == (r->state == PENDING));
        CHECK(list_linked(&r->timer.link) == (r->state != IDLE));
        pending += r->state == PENDING;
        on_list += r->state == EXPIRED;
    }
    CHECK(w.count == pending);
    for (list *node = expired.next; node != &expired; node = node->next) on_list--;
    CHECK(on_list == 0);

    struct record *first = earliest();
    uint64_t next_ms = wheel_next_ms(&w);
    if (first == NULL) {
        CHECK(next_ms == UINT64_MAX);
    } else {
        CHECK(first->deadline_ms >= w.now_ms);
        CHECK(next_ms <= first->deadline_ms && next_ms >= w.now_ms);
        if (w.level == 0 && first->deadline_ms / 256 == w.now_ms / 256) CHECK(next_ms == first->deadline_ms);
    }
}

static void insert(struct record *r, uint64_t deadline_ms) {
    wheel_insert(&w, &r->timer, deadline_ms);
    r->state = PENDING;
    r->deadline_ms = deadline_ms > w.now_ms ? deadline_ms : w.now_ms;
    r->turn = turn++;
}

static void remove_any(struct record *r) {
    wheel_remove(&w, &r->timer);
    r->state = IDLE;
}

/* One call; everything it moved must be what the oracle would have moved, in that order. */
static bool advance(uint64_t now_ms, unsigned budget) {
    list *last = expired.prev;
    bool done = wheel_advance(&w, now_ms, budget, &expired);
    unsigned moved = 0;
    for (list *node = last->next; node != &expired; node = node->next, moved++) {
        struct record *first = earliest(), *r = list_entry(node, struct record, timer.link);
        CHECK(r == first);
        CHECK(r->deadline_ms <= now_ms);
        r->state = EXPIRED;
    }
    CHECK(moved <= budget);
    struct record *left = earliest();
    if (done) CHECK(left == NULL || left->deadline_ms > now_ms || now_ms < w.now_ms);
    if (done) CHECK(w.now_ms >= now_ms);
    return done;
}

/* Advances in one go and says how many expired; leaves `expired` empty. */
static size_t expire_until(uint64_t now_ms) {
    CHECK(advance(now_ms, UINT32_MAX));
    size_t count = 0;
    for (list *node; (node = list_pop_front(&expired)) != NULL; count++) {
        list_entry(node, struct record, timer.link)->state = IDLE;
    }
    verify();
    return count;
}

static void due_now_or_before(void) {
    begin(1000);
    insert(&records[0], 1000);
    insert(&records[1], 3);
    insert(&records[2], 0);
    insert(&records[3], 1001);
    CHECK(wheel_next_ms(&w) == 1000);
    CHECK(expire_until(999) == 0); /* a time before the wheel's */
    CHECK(w.now_ms == 1000);
    CHECK(expire_until(1000) == 3);
    insert(&records[0], 1000); /* the same millisecond again */
    CHECK(expire_until(1000) == 1);
    CHECK(wheel_next_ms(&w) == 1001);
    CHECK(expire_until(1001) == 1);
}

static void time_begins_at_one(void) {
    begin(0);
    CHECK(w.now_ms == 1);
    insert(&records[0], 0);
    CHECK(expire_until(0) == 0);
    CHECK(expire_until(1) == 1);
}

/* Around each boundary of a digit, from just before, at, and after: due at its millisecond, not one earlier. */
static void boundaries(void) {
    for (unsigned bits = 2; bits < 64; bits++) {
        for (int start = -2; start <= 2; start++) {
            for (int due = start; due <= 3; due++) {
                uint64_t edge = UINT64_C(1) << bits;
                uint64_t deadline_ms = edge + (uint64_t)due;
                begin(edge + (uint64_t)start);
                insert(&records[0], deadline_ms);
                verify();
                if (deadline_ms > w.now_ms) CHECK(expire_until(deadline_ms - 1) == 0);
                CHECK(wheel_next_ms(&w) == deadline_ms);
                CHECK(expire_until(deadline_ms) == 1);
            }
        }
    }
}

/* Far apart, and all at once: jumped over in one call, or met one by one by sleeping until wheel_next_ms(). */
static void every_level(bool jump) {
    begin(5);
    int count = 0;
    for (unsigned bits = 1; bits < 64; bits++) insert(&records[count++], UINT64_C(1) << bits | 1);
    insert(&records[count++], UINT64_MAX - 1);
    insert(&records[count++], UINT64_MAX);
    verify();
    if (jump) {
        CHECK(expire_until(UINT64_MAX - 2) == (size_t)count - 2);
        CHECK(expire_until(UINT64_MAX - 1) == 1);
        CHECK(expire_until(UINT64_MAX) == 1);
    } else {
        int calls = 0, fired = 0;
        for (; w.count > 0; calls++) fired += (int)expire_until(wheel_next_ms(&w));
        CHECK(fired == count);
        CHECK(calls <= count * (int)WHEEL_LEVELS);
    }
    CHECK(wheel_next_ms(&w) == UINT64_MAX);
    insert(&records[0], 1);
    CHECK(expire_until(UINT64_MAX) == 1); /* at the end of time, which stands still */
}

/* A wheel that slept for long must not loop for each millisecond: this would take years. */
static void long_gaps_cost_nothing(void) {
    begin(1);
    for (int i = 0; i < 100000; i++) {
        insert(&records[0], w.now_ms + 40 * HORIZON_MS + check_below(HORIZON_MS));
        CHECK(advance(records[0].deadline_ms - 1, 8));
        CHECK(list_empty(&expired));
        CHECK(advance(records[0].deadline_ms, 8));
        CHECK(list_pop_front(&expired) == &records[0].timer.link);
        records[0].state = IDLE;
    }
}

/* While a slot cascades, a timer that belongs to it is queued behind the ones that have not come down yet. */
static void insert_during_a_cascade(void) {
    begin(1);
    for (int i = 0; i < 10; i++) insert(&records[i], 70000);
    CHECK(!advance(70000, 3));
    CHECK(w.level > 0 && list_empty(&expired));
    CHECK(wheel_next_ms(&w) == w.now_ms);
    insert(&records[10], 70000);
    insert(&records[11], 69999);
    insert(&records[12], 1); /* late: due at the time that the wheel has got to */
    insert(&records[13], 70001);
    verify();
    for (int i = 3; i < 10; i++) remove_any(&records[i]); /* those that had not come down */
    verify();
    CHECK(expire_until(70000) == 6);
    CHECK(expire_until(70001) == 1);

    begin(1);
    for (int i = 0; i < 10; i++) insert(&records[i], 70000);
    CHECK(!advance(70000, 3));
    for (int i = 3; i < 10; i++) remove_any(&records[i]); /* empties the slot from outside */
    verify();
    CHECK(w.level > 0 && wheel_next_ms(&w) > w.now_ms);
    insert(&records[5], 70000);
    verify();
    CHECK(expire_until(70000) == 4);
}

static void remove_what_has_expired(void) {
    begin(1);
    for (int i = 0; i < 6; i++) insert(&records[i], 10);
    CHECK(!advance(10, 4));
    CHECK(w.count == 2);
    remove_any(&records[1]);
    remove_any(&records[1]); /* idle: nothing happens */
    remove_any(&records[5]);
    verify();
    insert(&records[1], 10);
    CHECK(advance(10, 2));
    verify();
    const int order[] = {0, 2, 3, 4, 1};
    for (int i = 0; i < 5; i++) CHECK(list_pop_front(&expired) == &records[order[i]].timer.link);
    CHECK(list_empty(&expired) && w.count == 0);
}

static void budget_of_none(void) {
    begin(1);
    CHECK(advance(50, 0)); /* no timer to move */
    insert(&records[0], 60);
    CHECK(advance(59, 0));
    CHECK(!advance(60, 0));
    CHECK(advance(60, 1));
}

/* A deadline near or far, on a boundary or beside it, before now, or close to the end of time. */
static uint64_t random_deadline(uint64_t now_ms) {
    uint64_t gap;
    switch (check_below(8)) {
    case 0: return check_below(2) == 0 ? now_ms : now_ms - check_any_size(40) % now_ms;
    case 1: return UINT64_MAX - check_any_size(10);
    case 2: gap = check_below(300); break;
    case 3: gap = check_below(70000); break;
    case 4: /* the next multiple of 2^n, or one off */
        gap = (UINT64_MAX >> check_below(64) & ~now_ms) + check_below(3);
        break;
    case 5: gap = HORIZON_MS - 2 + check_below(4); break;
    case 6: return records[check_below(TIMERS)].deadline_ms; /* equal ones, to see them in order */
    default: gap = check_any_size(64); break;
    }
    return gap > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + gap;
}

static uint64_t random_gap(void) {
    switch (check_below(6)) {
    case 0: return 0;
    case 1: return check_below(4);
    case 2: return check_below(600);
    case 3: return check_any_size(24);
    case 4: return check_any_size(36);
    default: return check_below(20) == 0 ? check_any_size(62) : check_any_size(16);
    }
}

static void random_walk(uint64_t start_ms, int steps) {
    begin(start_ms);
    for (struct record *r = records; r < records + TIMERS; r++) r->deadline_ms = start_ms;
    uint64_t now_ms = w.now_ms;
    unsigned unfinished = 0; /* calls in a row that left work */
    for (int step = 0; step < steps; step++) {
        /* Few of the timers for a while, then many: an almost empty wheel has cases of its own. */
        uint64_t among = step / 500 % 2 == 0 ? TIMERS : 4;
        struct record *r = &records[check_below(among)];
        unsigned op = (unsigned)check_below(10);
        if (op < 5) {
            if (r->state != IDLE) remove_any(r);
            insert(r, random_deadline(check_below(4) == 0 ? w.now_ms : now_ms));
        } else if (op < 7) {
            remove_any(r);
        } else {
            uint64_t gap = unfinished > 0 && check_below(2) == 0 ? 0 : random_gap();
            now_ms = gap > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + gap;
            if (check_below(8) == 0 && wheel_next_ms(&w) > now_ms && w.count > 0) now_ms = wheel_next_ms(&w);
            unsigned budget = check_below(3) == 0 ? UINT32_MAX : 1 + (unsigned)check_below(12);
            unfinished = advance(now_ms, budget) ? 0 : unfinished + 1;
            CHECK(budget < UINT32_MAX || unfinished == 0);
            CHECK(unfinished < TIMERS * 2 * WHEEL_LEVELS);
            if (unfinished == 0 && earliest() != NULL) CHECK(wheel_next_ms(&w) > now_ms || now_ms == UINT64_MAX);
            while (!list_empty(&expired) && check_below(4) > 0) {
                list_entry(list_pop_front(&expired), struct record, timer.link)->state = IDLE;
            }
        }
        verify();
    }
}

int main(void) {
    check_begin();
    due_now_or_before();
    time_begins_at_one();
    boundaries();
    every_level(true);
    every_level(false);
    long_gaps_cost_nothing();
    insert_during_a_cascade();
    remove_what_has_expired();
    budget_of_none();
    for (int i = 0; i < 40; i++) random_walk(check_any_size(64), 5000);
    random_walk(UINT64_MAX - HORIZON_MS, 5000);
    random_walk(HORIZON_MS - 1000, 5000);
    return 0;
}
