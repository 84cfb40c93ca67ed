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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

typedef long system_call(long number, ...);

__attribute__((visibility("default"))) long syscall(long number, ...) {
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_getrandom) {
        const char *seed = getenv("MOMO_BENCH_SEED");
        memset((void *)arguments[0], seed != NULL ? atoi(seed) : 0, (size_t)arguments[1]);
        return arguments[1];
    }
    if (number == SYS_openat2) {
        const struct open_how *how = (const void *)arguments[2];
        return openat((int)arguments[0], (const char *)arguments[1], (int)how->flags, (mode_t)how->mode);
    }
    system_call *next;
    *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
