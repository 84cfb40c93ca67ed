/* SPDX-License-Identifier: MIT
 *
 * What the C tests share: a check that stops the program, and random numbers that can be had again.
 *
 * A test program calls check_begin() first. It prints the seed; MOMO_SEED=<that number> repeats the run. A test that
 * hangs is ended by SIGALRM. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t check_seed, check_state;

#define CHECK(cond)                                                                                         \
    do {                                                                                                    \
        if (!(cond)) {                                                                                      \
            fprintf(stderr, "%s:%d: %s does not hold (MOMO_SEED=%" PRIu64 ")\n", __FILE__, __LINE__, #cond, \
                    check_seed);                                                                            \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

/* For what returns 0, or the number of the line that failed. */
#define CHECK_INVARIANTS(call)                                                                 \
    do {                                                                                       \
        int check_line = (call);                                                               \
        if (check_line != 0) fprintf(stderr, "%s: invariant in line %d\n", #call, check_line); \
        CHECK(check_line == 0);                                                                \
    } while (0)

static inline void check_begin(void) {
    const char *seed = getenv("MOMO_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    check_seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    check_state = check_seed;
    alarm(240);
    printf("MOMO_SEED=%" PRIu64 "\n", check_seed);
    fflush(stdout);
}

/* 64 random bits: a counter with an odd step, hashed. */
static inline uint64_t check_random(void) {
    uint64_t x = check_state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* A random number below `limit`, which must not be 0. */
static inline uint64_t check_below(uint64_t limit) {
    return check_random() % limit;
}

/* A random number of a random length, 0 to `bits` bits (at most 64): small and huge ones alike. */
static inline uint64_t check_any_size(unsigned bits) {
    unsigned n = (unsigned)check_below(bits + 1);
    return n == 0 ? 0 : check_random() >> (64 - n);
}
