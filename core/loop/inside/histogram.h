/* SPDX-License-Identifier: MIT
 *
 * A histogram of durations: how many there were up to each bound. The bounds double, so that a bucket is found by the place of
 * a number's highest bit.
 *
 *      bucket        0      1      2         MOMO_BUCKETS - 2    MOMO_BUCKETS - 1
 *      ns, up to  1024   2048   4096   ...      8.6e9               any
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "include/momo.h"

static inline void histogram_add(momo_histogram *h, uint64_t ns) {
    uint64_t beyond = (ns - (ns > 0)) / MOMO_BUCKET_NS;
    unsigned bucket = beyond ? 64 - (unsigned)__builtin_clzll(beyond) : 0;
    h->buckets[bucket < MOMO_BUCKETS - 1 ? bucket : MOMO_BUCKETS - 1]++;
    h->sum_ns += ns;
}
