/* SPDX-License-Identifier: MIT
 *
 * Histograms, held against a search for the bucket from the first bound on. */
#include "loop/inside/histogram.h"

#include <string.h>

#include "check.h"

static momo_histogram h, oracle;

static void add(uint64_t ns) {
    histogram_add(&h, ns);
    uint64_t bound = MOMO_BUCKET_NS;
    int bucket = 0;
    while (bucket < MOMO_BUCKETS - 1 && ns > bound) {
        bound *= 2;
        bucket++;
    }
    oracle.buckets[bucket]++;
    oracle.sum_ns += ns;
    CHECK(memcmp(&h, &oracle, sizeof h) == 0);
}

int main(void) {
    check_begin();
    for (uint64_t bound = MOMO_BUCKET_NS / 4; bound < UINT64_C(1) << 40; bound *= 2) {
        add(bound - 1);
        add(bound);
        add(bound + 1);
    }
    add(0);
    for (int i = 0; i < 200000; i++) {
        add(check_any_size(60));
    }
    return 0;
}
