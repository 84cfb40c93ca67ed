/* SPDX-License-Identifier: MIT
 *
 * What the machine takes between two threads on two CPUs, with nothing around it; see momo.lua for the usage.
 *
 *   round_trip   two threads that sleep in epoll_wait, each of which wakes the other by an eventfd
 *   anywhere     the same, not pinned
 *   busy         a number that goes there and back by two atomics, each on a line of its own
 *   start        pthread_create, until the thread runs */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 1000, STARTS_WARM_UP = 10 };

struct doorbell {
    int fd, poll;
};

static struct doorbell doorbells[2];
static alignas(64) _Atomic uint64_t ping;
static alignas(64) _Atomic uint64_t pong;
static uint64_t total; /* of the other thread's answers */
static bool pinned;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pin(int cpu) {
    cpu_set_t one;
    if (!pinned) return;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void ring(struct doorbell *d) {
    uint64_t one = 1;
    if (write(d->fd, &one, sizeof one) < 0) abort();
}

static void await(struct doorbell *d) {
    struct epoll_event event;
    uint64_t count;
    while (read(d->fd, &count, sizeof count) < 0) epoll_wait(d->poll, &event, 1, -1);
}

static void *answer_doorbells(void *unused) {
    pin(1);
    for (uint64_t i = 0; i < total; i++) {
        await(&doorbells[0]);
        ring(&doorbells[1]);
    }
    return unused;
}

static void round_trips(uint64_t first, uint64_t count) {
    (void)first;
    for (uint64_t i = 0; i < count; i++) {
        ring(&doorbells[0]);
        await(&doorbells[1]);
    }
}

static void wait_for(const _Atomic uint64_t *place, uint64_t value) {
    for (unsigned spins = 0; atomic_load_explicit(place, memory_order_acquire) != value;) {
        if (++spins > 20000) sched_yield(); /* the other thread does not run */
    }
}

static void *answer_atomics(void *unused) {
    pin(1);
    for (uint64_t i = 1; i <= total; i++) {
        wait_for(&ping, i);
        atomic_store_explicit(&pong, i, memory_order_release);
    }
    return unused;
}

static void busy_trips(uint64_t first, uint64_t count) {
    for (uint64_t i = first + 1; i <= first + count; i++) {
        atomic_store_explicit(&ping, i, memory_order_release);
        wait_for(&pong, i);
    }
}

static double trips(void *(*answer)(void *), void (*run)(uint64_t, uint64_t), uint64_t count) {
    pthread_t thread;
    total = WARM_UP + count;
    if (pthread_create(&thread, NULL, answer, NULL) != 0) abort();
    run(0, WARM_UP);
    uint64_t begin_ns = now_ns();
    run(WARM_UP, count);
    double ns = (double)(now_ns() - begin_ns) / (double)count;
    pthread_join(thread, NULL);
    return ns;
}

static void *note_time(void *time_ns) {
    *(uint64_t *)time_ns = now_ns();
    return NULL;
}

static double start(uint64_t count) {
    uint64_t sum_ns = 0;
    for (uint64_t i = 0; i < STARTS_WARM_UP + count; i++) {
        pthread_t thread;
        uint64_t begin_ns = now_ns(), time_ns;
        if (pthread_create(&thread, NULL, note_time, &time_ns) != 0) abort();
        pthread_join(thread, NULL);
        if (i >= STARTS_WARM_UP) sum_ns += time_ns - begin_ns;
    }
    return (double)sum_ns / (double)count;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    uint64_t count = strtoull(argv[3], NULL, 10);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        doorbells[i] = (struct doorbell){.fd = eventfd(0, EFD_NONBLOCK), .poll = epoll_create1(0)};
        if (epoll_ctl(doorbells[i].poll, EPOLL_CTL_ADD, doorbells[i].fd, &event) < 0) abort();
    }
    if (strcmp(argv[1], "start") == 0) {
        printf("%.1f\n", start(count));
        return 0;
    }
    pinned = strcmp(argv[1], "anywhere") != 0;
    pin(0);
    if (strcmp(argv[1], "round_trip") == 0 || !pinned) {
        printf("%.1f\n", trips(answer_doorbells, round_trips, count));
    } else if (strcmp(argv[1], "busy") == 0) {
        printf("%.1f\n", trips(answer_atomics, busy_trips, count));
    }
    return 0;
}
