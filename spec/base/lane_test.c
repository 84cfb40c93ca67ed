/* SPDX-License-Identifier: MIT
 *
 * The lane: against a queue that keeps copies, under a random load of one thread; and between two threads. */
#include "base/lane.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "check.h"

enum { STEPS = 100000, QUEUE_MAX = 512, THREADED = 300000 };

/* What is in a record follows from its number. */
static uint32_t kind_of(uint64_t number) {
    return (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void fill(char *bytes, size_t size, uint64_t number) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(number + i * 31);
    }
}

static bool is_filled(const char *bytes, size_t size, uint64_t number) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (char)(number + i * 31)) return false;
    }
    return true;
}

/* Small ones mostly, of all sizes around the edges of a block too. */
static size_t any_size(void) {
    switch (check_below(16)) {
    case 0: return check_any_size(18);
    case 1: return 64 * 1024 - check_below(64) + check_below(64);
    case 2: return 1024 - check_below(64) + check_below(64);
    default: return check_any_size(7);
    }
}

/* The oracle: sizes of what is in the lane; numbers run on from `popped`. */
static size_t sizes[QUEUE_MAX];
static uint64_t pushed, popped;

static void push(lane *l) {
    size_t size = any_size();
    char *bytes = lane_reserve(l, size);
    CHECK(bytes != NULL && (uintptr_t)bytes % 8 == 0);
    if (check_below(8) == 0) { /* it becomes no record, and the next one is of another size */
        memset(bytes, 0xff, size);
        return;
    }
    size -= check_below(4) == 0 ? check_below(size + 1) : 0;
    fill(bytes, size, pushed);
    lane_commit(l, kind_of(pushed), size);
    sizes[pushed++ % QUEUE_MAX] = size;
}

static void pop(lane *l) {
    lane_record r;
    CHECK(lane_peek(l, &r) == (popped < pushed));
    if (popped == pushed) return;
    CHECK(r.kind == kind_of(popped) && r.size == sizes[popped % QUEUE_MAX] && is_filled(r.bytes, r.size, popped));
    memset(r.bytes, 0xff, r.size); /* the consumer may */
    if (check_below(4) == 0) {     /* looking again shows the same */
        lane_record again;
        CHECK(lane_peek(l, &again) && again.bytes == r.bytes && again.size == r.size);
    }
    lane_pop(l);
    popped++;
}

static void random_load(void) {
    lane l;
    CHECK(lane_init(&l) == 0);
    CHECK_INVARIANTS(lane_check(&l, 0));
    pushed = popped = 0;
    unsigned bias = 2;
    for (int step = 0; step < STEPS; step++) {
        if (check_below(200) == 0) bias = (unsigned)check_below(5); /* it fills up for a while, or drains */
        if (check_below(4) < bias && pushed - popped < QUEUE_MAX) {
            push(&l);
        } else {
            pop(&l);
        }
        CHECK_INVARIANTS(lane_check(&l, pushed - popped));
    }
    lane_deinit(&l); /* with what is in it */
}

static void large_after_unused_room(void) {
    static const size_t unused[] = {0, 1, 900, 5000, 70000, 300000};
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++) {
        lane l;
        CHECK(lane_init(&l) == 0);
        for (size_t k = 0; k <= i; k++) CHECK(lane_reserve(&l, unused[k]) != NULL);
        CHECK_INVARIANTS(lane_check(&l, 0));
        lane_record r;
        CHECK(!lane_peek(&l, &r));
        CHECK(lane_reserve(&l, 400000) != NULL);
        lane_commit(&l, 7, 400000);
        CHECK(lane_peek(&l, &r) && r.kind == 7 && r.size == 400000);
        lane_pop(&l);
        CHECK(!lane_peek(&l, &r));
        CHECK_INVARIANTS(lane_check(&l, 0));
        lane_deinit(&l);
    }
}

/* A lane in steady use goes round in two blocks. */
static void steady_use(void) {
    lane l;
    lane_record r;
    const void *seen[4] = {NULL};
    int blocks = 0;
    CHECK(lane_init(&l) == 0);
    for (int i = 0; i < 400000; i++) {
        CHECK(lane_reserve(&l, 64) != NULL);
        lane_commit(&l, 0, 64);
        CHECK(lane_peek(&l, &r));
        lane_pop(&l);
        bool known = i < 20000; /* the blocks grow at first */
        for (int k = 0; k < blocks; k++) known |= seen[k] == l.producer.block;
        if (!known) {
            CHECK(blocks < 2);
            seen[blocks++] = l.producer.block;
        }
    }
    CHECK(blocks == 2);
    lane_deinit(&l);
}

static void *produce(void *argument) {
    lane *l = argument;
    for (uint64_t i = 0; i < THREADED; i++) {
        size_t size = i % 1000 == 999 ? 70000 + i % 7 : kind_of(i) % 200;
        char *bytes = lane_reserve(l, size);
        CHECK(bytes != NULL);
        fill(bytes, size, i);
        lane_commit(l, kind_of(i), size);
        if (i % 4096 == 0) sched_yield();
    }
    return NULL;
}

static void two_threads(void) {
    lane l;
    pthread_t thread;
    CHECK(lane_init(&l) == 0);
    CHECK(pthread_create(&thread, NULL, produce, &l) == 0);
    for (uint64_t i = 0; i < THREADED;) {
        lane_record r;
        if (!lane_peek(&l, &r)) {
            sched_yield();
            continue;
        }
        CHECK(r.kind == kind_of(i) && r.size == (i % 1000 == 999 ? 70000 + i % 7 : kind_of(i) % 200));
        CHECK(is_filled(r.bytes, r.size, i));
        lane_pop(&l);
        i++;
    }
    pthread_join(thread, NULL);
    CHECK_INVARIANTS(lane_check(&l, 0));
    lane_deinit(&l);
}

int main(void) {
    check_begin();
    random_load();
    large_after_unused_room();
    steady_use();
    two_threads();
    return 0;
}
