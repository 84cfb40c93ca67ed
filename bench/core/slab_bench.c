/* SPDX-License-Identifier: MIT
 *
 * The slab in nanoseconds: take and release, and finding an item by its id, hot and among a million. */
#include "base/slab.h"

#include "bench.h"

struct item { /* as large as a task, about */
    slab_head head;
    char rest[152];
};

enum { BATCH = 1000, ROUNDS = 200, MANY = 1000000 };

static void *items[MANY];
static uint64_t ids[MANY];

static void take(slab *s, void **item) {
    if (slab_take(s, item) < 0) exit(1);
}

/* The slot released last is taken again at once. */
static double pair_ns(slab *s) {
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            void *item;
            take(s, &item);
            slab_release(s, item);
        }
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

/* A thousand are taken, then released in the same order. */
static double burst_ns(slab *s) {
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < BATCH; i++) take(s, &items[i]);
        for (int i = 0; i < BATCH; i++) slab_release(s, items[i]);
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

/* Every slot for the first time: the cost of new memory, page faults and all. */
static double fill_ns(slab *s) {
    uint64_t begin_ns = bench_now_ns();
    for (int i = 0; i < MANY; i++) take(s, &items[i]);
    return (double)(bench_now_ns() - begin_ns) / MANY;
}

/* A random item of a million is released, and its slot taken. */
static double random_pair_ns(slab *s) {
    static void **picks[BATCH];
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) picks[i] = &items[bench_random() % MANY];
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            slab_release(s, *picks[i]);
            take(s, picks[i]);
        }
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

static double get_ns(const slab *s, uint64_t among) {
    static uint64_t picks[BATCH];
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) picks[i] = ids[bench_random() % among];
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            slab_head *head = slab_get(s, picks[i]);
            bench_use((void *)(uintptr_t)head->generation);
        }
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

int main(void) {
    slab s;
    slab_init(&s, sizeof(struct item));
    printf("slab, items of %zu bytes                     ns\n", sizeof(struct item));
    printf("  take + release, hot                   %7.1f\n", pair_ns(&s));
    printf("  take + release, bursts of %d        %7.1f\n", BATCH, burst_ns(&s));
    slab_deinit(&s);
    printf("  take, new memory                      %7.1f\n", fill_ns(&s));
    printf("  release + take, random of a million   %7.1f\n", random_pair_ns(&s));
    for (int i = 0; i < MANY; i++) ids[i] = slab_id(items[i]);
    printf("  get, hot                              %7.1f\n", get_ns(&s, 100));
    printf("  get, random of a million              %7.1f\n", get_ns(&s, MANY));
    slab_deinit(&s);

    char *memory = bench_alloc(MANY, sizeof(struct item));
    printf("  pointer chase over as much memory     %7.1f\n", bench_chase_ns(memory, MANY, sizeof(struct item)));
    free(memory);
    return 0;
}
