/* SPDX-License-Identifier: MIT
 *
 * Preloaded into the programs whose instructions are counted: the same random numbers in each run. LuaJIT seeds the
 * hashes of its strings and what its compiler tries again by getrandom; with other numbers, other strings collide.
 * And openat2, which valgrind knows not.
 *
 * MOMO_BENCH_SEED is the byte that all random bytes are. */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

typedef long system_call(long number, long a, long b, long c, long d, long e, long f);

static system_call *next;

__attribute__((constructor)) static void find_next(void) {
    *(void **)&next = dlsym(RTLD_NEXT, "syscall");
}

__attribute__((noinline)) static long random_bytes(void *into, size_t size) {
    const char *seed = getenv("MOMO_BENCH_SEED");
    memset(into, seed != NULL ? atoi(seed) : 0, size);
    return (long)size;
}

__attribute__((noinline)) static long open_how(int at, const char *path, const struct open_how *how) {
    return openat(at, path, (int)how->flags, (mode_t)how->mode);
}

/* The arguments are passed on where they stand, so that a call which is counted takes no more than a jump. */
__attribute__((visibility("default"))) long syscall(long number, long a, long b, long c, long d, long e, long f) {
    if (number == SYS_getrandom) {
        return random_bytes((void *)a, (size_t)b);
    }
    if (number == SYS_openat2) {
        return open_how((int)a, (const char *)b, (const void *)c);
    }
    return next(number, a, b, c, d, e, f);
}
