/* SPDX-License-Identifier: MIT
 *
 * System calls and allocations that fail when a test says so: those of the core, of libuv and of the test come here first. */
#pragma once
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

static unsigned calls, fails_at; /* the call to fail; 0: none */
static bool counting;            /* else they are the test's own */
static int failed_with;          /* the code of what has failed */

static bool fails(int error) {
    if (!counting || ++calls != fails_at) {
        return false;
    }
    errno = error;
    failed_with = uv_translate_sys_error(error);
    return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILING(result, name, parameters, ...)                                             \
    __attribute__((visibility("default"))) result name parameters {                        \
        return fails(ENOBUFS) ? (result)-1 : ((__typeof__(&name))REAL(name))(__VA_ARGS__); \
    }

static atomic_long blocks; /* of malloc, that are not free */

#if !defined __SANITIZE_ADDRESS__ && \
    !defined __SANITIZE_THREAD__ /* they have allocations of their own, and see leaks */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static void *counted(void *block) {
    atomic_fetch_add(&blocks, block != NULL);
    return block;
}

void *malloc(size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *block, size_t size) {
    return fails(ENOMEM) ? NULL : block ? __libc_realloc(block, size) : counted(__libc_realloc(NULL, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *block) {
    atomic_fetch_sub(&blocks, block != NULL);
    __libc_free(block);
}
#endif

/* The next calls are counted from 1, and the n-th of them fails, until failing_end; 0: none. */
static inline void failing_begin(unsigned n) {
    calls = 0;
    fails_at = n;
    failed_with = 0;
    counting = true;
}

static inline void failing_end(void) {
    counting = false;
    fails_at = 0;
}

static inline unsigned open_descriptors(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 1000; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
