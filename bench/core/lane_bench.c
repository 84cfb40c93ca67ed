/* SPDX-License-Identifier: MIT
 *
 * The lane in nanoseconds, between two threads that are pinned to two CPUs and do nothing else:
 *
 *   one way     a thread pushes records, the other pops them; neither waits but for the other
 *   round trip  a record of 8 bytes goes there by one lane and back by another, beside a number that goes there and back by
 *               two bare atomics, each on a line of its own: what the CPUs take to hand a line over */
#include "base/lane.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench.h"

/* Short rounds, and many: one of them will not be interrupted. */
enum { RECORDS = 4096, TRIPS = 200, ROUNDS = 500, UNDER_WAY = 1024 };

typedef struct pair {
    lane there, back;
    alignas(64) _Atomic uint64_t ping;
    alignas(64) _Atomic uint64_t pong;
    alignas(64) _Atomic uint64_t popped; /* how far the consumer is, now and then */
    alignas(64) atomic_bool ready;
    size_t size;
} pair;

static cpu_set_t cpus; /* that the process may use */

static void pin(int nth) {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int i = 0, n = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &cpus) && n++ == nth) CPU_SET(i, &one);
    }
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void begin(pair *p) {
    pin(1);
    atomic_store_explicit(&p->ready, true, memory_order_release);
}

/* Who waits for long waits for a thread that does not run. */
static void relax(unsigned *spins) {
    if (++*spins > 20000) {
        sched_yield();
    }
}

static void wait_for(const _Atomic uint64_t *place, uint64_t value) {
    for (unsigned spins = 0; atomic_load_explicit(place, memory_order_acquire) != value;) relax(&spins);
}

static void push(lane *l, size_t size, uint64_t value) {
    char *bytes = lane_reserve(l, size);
    if (bytes == NULL) exit(1);
    memcpy(bytes, &value, sizeof value);
    lane_commit(l, 0, size);
}

static uint64_t pop(lane *l) {
    lane_record r;
    uint64_t value;
    for (unsigned spins = 0; !lane_peek(l, &r);) relax(&spins);
    memcpy(&value, r.bytes, sizeof value);
    lane_pop(l);
    return value;
}

static void *consume(void *argument) {
    pair *p = argument;
    begin(p);
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= RECORDS; i++) {
        sum += pop(&p->there);
        if (i % (UNDER_WAY / 4) == 0) atomic_store_explicit(&p->popped, i, memory_order_release);
    }
    bench_use((void *)(uintptr_t)sum);
    return NULL;
}

/* A limit to what is under way, as a channel has it; counted rarely, so that it costs next to nothing. */
static void produce(pair *p) {
    uint64_t limit = UNDER_WAY;
    for (uint64_t i = 0; i < RECORDS; i++) {
        for (unsigned spins = 0; i == limit; relax(&spins)) {
            limit = atomic_load_explicit(&p->popped, memory_order_acquire) + UNDER_WAY;
        }
        push(&p->there, p->size, i);
    }
    wait_for(&p->popped, RECORDS);
}

static void *lane_echo(void *argument) {
    pair *p = argument;
    begin(p);
    for (int i = 0; i < TRIPS; i++) push(&p->back, 8, pop(&p->there));
    return NULL;
}

static void lane_trips(pair *p) {
    for (uint64_t i = 1; i <= TRIPS; i++) {
        push(&p->there, 8, i);
        pop(&p->back);
    }
}

static void *atomic_echo(void *argument) {
    pair *p = argument;
    begin(p);
    for (uint64_t i = 1; i <= TRIPS; i++) {
        wait_for(&p->ping, i);
        atomic_store_explicit(&p->pong, i, memory_order_release);
    }
    return NULL;
}

static void atomic_trips(pair *p) {
    for (uint64_t i = 1; i <= TRIPS; i++) {
        atomic_store_explicit(&p->ping, i, memory_order_release);
        wait_for(&p->pong, i);
    }
}

/* One round of both threads; fresh lanes each time. */
static void measure(double *best_ns, void *(*other)(void *), void (*own)(pair *), size_t size, uint64_t count) {
    pair *p = aligned_alloc(64, sizeof *p);
    pthread_t thread;
    if (p == NULL) exit(1);
    memset(p, 0, sizeof *p);
    p->size = size;
    if (lane_init(&p->there) < 0 || lane_init(&p->back) < 0) exit(1);
    if (pthread_create(&thread, NULL, other, p) != 0) exit(1);
    for (unsigned spins = 0; !atomic_load_explicit(&p->ready, memory_order_acquire);) relax(&spins);
    uint64_t begin_ns = bench_now_ns();
    own(p);
    bench_min(best_ns, begin_ns, count);
    pthread_join(thread, NULL);
    lane_deinit(&p->there);
    lane_deinit(&p->back);
    free(p);
}

int main(void) {
    double small_ns = 0, large_ns = 0, lanes_ns = 0, atomics_ns = 0;
    if (sched_getaffinity(0, sizeof cpus, &cpus) < 0 || CPU_COUNT(&cpus) < 2) {
        printf("lane: needs two CPUs\n");
        return 0;
    }
    pin(0);
    for (int round = 0; round < ROUNDS; round++) {
        measure(&small_ns, consume, produce, 8, RECORDS);
        measure(&large_ns, consume, produce, 64, RECORDS);
        measure(&lanes_ns, lane_echo, lane_trips, 8, TRIPS);
        measure(&atomics_ns, atomic_echo, atomic_trips, 8, TRIPS);
    }
    printf("lane, between two CPUs                        ns\n");
    printf("  one way, 8 bytes                      %7.1f\n", small_ns);
    printf("  one way, 64 bytes                     %7.1f\n", large_ns);
    printf("  round trip over two lanes             %7.1f   %.2f x bare atomics\n", lanes_ns, lanes_ns / atomics_ns);
    printf("  round trip over two bare atomics      %7.1f\n", atomics_ns);
    return 0;
}
