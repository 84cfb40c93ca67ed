/* SPDX-License-Identifier: MIT
 *
 * What the C benches share: a clock, minima over rounds, random numbers and the memory's own latency.
 *
 * A figure is the minimum of several rounds: noise only ever adds. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Lowers *best_ns to what one of `count` operations took since `begin_ns`; 0 stands for "not measured yet". */
static inline void bench_min(double *best_ns, uint64_t begin_ns, uint64_t count) {
    double ns = (double)(bench_now_ns() - begin_ns) / (double)count;
    if (*best_ns == 0 || ns < *best_ns) *best_ns = ns;
}

/* The same numbers in every run. */
static inline uint64_t bench_random(void) {
    static uint64_t counter;
    uint64_t x = counter += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* Memory that has been touched; a bench has nothing to do without it. */
static inline void *bench_alloc(size_t count, size_t size) {
    char *memory = malloc(count * size);
    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu items of %zu bytes\n", count, size);
        exit(1);
    }
    for (size_t i = 0; i < count * size; i += 64) memory[i] = 0;
    return memory;
}

/* Keeps a result alive, so that the work for it is not optimised away. */
static inline void bench_use(const void *pointer) {
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

/* What it takes to follow a pointer from one of `count` items of `stride` bytes to a random other: the latency of as
 * much memory. What touches a random item can't take less. */
static inline double bench_chase_ns(char *items, size_t count, size_t stride) {
    for (size_t i = 0; i < count; i++) *(void **)(items + i * stride) = items + i * stride;
    for (size_t i = count - 1; i > 0; i--) { /* swapping with an earlier one each time leaves one single cycle */
        void **a = (void **)(items + i * stride), **b = (void **)(items + bench_random() % i * stride), *p = *a;
        *a = *b;
        *b = p;
    }
    enum { HOPS = 1000000 };
    double best_ns = 0;
    void **p = (void **)items;
    for (int round = 0; round < 3; round++) {
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < HOPS; i++) p = *p;
        bench_use(p);
        bench_min(&best_ns, begin_ns, HOPS);
    }
    return best_ns;
}
