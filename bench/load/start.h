/* SPDX-License-Identifier: MIT
 *
 * What the loads share: starting a server on a CPU of its own, clocks, and what is printed of a load. */
#pragma once
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 108 }; /* bytes of a server's first line */

static inline _Noreturn void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1); /* the servers die with us */
}

static inline uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) < 0) fail("clock");
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) fail("memory");
    return memory;
}

/* Pins to the nth CPU that the process may use, if there are so many. */
static inline void pin(int n) {
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) < 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

/* Starts a program on the nth CPU, or on any if n is negative, and reads its first line. */
static inline pid_t start_program(char **argv, int cpu, char line[LINE]) {
    int ends[2];
    if (pipe(ends) < 0) fail("pipe");
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cpu >= 0) pin(cpu);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(1);
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r"); /* stays open: a server may go on printing */
    if (lines == NULL || fscanf(lines, "%107s", line) != 1) fail("the server did not print where it listens");
    return pid;
}

static inline int compare_times(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What requests take, all of them. */
struct expense {
    uint64_t server_ns, load_ns, wall_ns; /* the first two: CPU time */
};

static inline struct expense read_expense(clockid_t server) {
    return (struct expense){read_clock(server), read_clock(CLOCK_PROCESS_CPUTIME_ID), read_clock(CLOCK_MONOTONIC)};
}

/* A line of a load: CPU time of the server in ns a request, requests a second, the latencies p50, p99 and p99.9 in us, and CPU
 * time of the load itself in ns a request. Sorts the times. */
static inline void print_load(int requests, struct expense from, struct expense to, uint32_t *times_ns) {
    qsort(times_ns, (size_t)requests, sizeof *times_ns, compare_times);
    printf("%.1f %.0f %.2f %.2f %.2f %.1f\n", (double)(to.server_ns - from.server_ns) / requests,
           requests / ((double)(to.wall_ns - from.wall_ns) / 1e9), times_ns[requests / 2] / 1e3,
           times_ns[(int)(requests * 0.99)] / 1e3, times_ns[(int)(requests * 0.999)] / 1e3,
           (double)(to.load_ns - from.load_ns) / requests);
}
