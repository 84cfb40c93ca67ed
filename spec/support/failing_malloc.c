/* SPDX-License-Identifier: MIT
 *
 * Allocations that fail when a spec says so. In builds for a sanitizer, the linker leads the module's calls of malloc and
 * its like here (--wrap), and so do the Lua states that the module opens.
 */
#include <errno.h>
#include <lua.h>
#include <luajit.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument);

#define SHARED __attribute__((visibility("default"))) /* by the command and the module, which both have this file */

/* Allocations of the core, and of Lua, until one fails; 0 and less: none does. */
SHARED _Atomic long momo_spec_core_left, momo_spec_lua_left;
SHARED _Atomic int momo_spec_failed;

/* From now on, on all threads, the n-th allocation of the core fails, and the m-th of Lua; 0: none. */
SHARED void momo_fail_allocations(long n, long m) {
    atomic_store(&momo_spec_core_left, n);
    atomic_store(&momo_spec_lua_left, m);
}

/* Whether any has failed since this was asked the last time. */
SHARED int momo_allocation_failed(void) {
    return atomic_exchange(&momo_spec_failed, 0);
}

static int fails(_Atomic long *left) {
    if (atomic_load(left) <= 0 || atomic_fetch_sub(left, 1) != 1) {
        return 0;
    }
    atomic_store(&momo_spec_failed, 1);
    return 1;
}

void *__wrap_malloc(size_t size) {
    return fails(&momo_spec_core_left) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails(&momo_spec_core_left) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails(&momo_spec_core_left) ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails(&momo_spec_core_left) ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text) {
    return fails(&momo_spec_core_left) ? NULL : __real_strdup(text);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument) {
    return fails(&momo_spec_core_left) ? EAGAIN : __real_pthread_create(thread, attributes, main, argument);
}

/* Out of memory while it opens a state or its FFI, LuaJIT crashes, then or when the state is closed. */
static _Thread_local int opening;

/* may_fail: NULL: never */
static void *allocate(void *may_fail, void *block, size_t old_size, size_t size) {
    if (size == 0) {
        free(block);
        return NULL;
    }
    return may_fail && size > old_size && !opening && fails(&momo_spec_lua_left)
               ? NULL
               : __real_realloc(block, size); /* Lua relies on shrinking */
}

/* The command's own state: where a spec wants it. */
static bool state_may_fail(void) {
    return gettid() != getpid() || getenv("MOMO_SPEC_INTERPRETED");
}

lua_State *__real_lua_newstate(lua_Alloc f, void *data);
lua_State *__wrap_lua_newstate(lua_Alloc f, void *data) {
    opening = 1;
    static int yes;
    (void)f; /* which would fail as the core's allocations do */
    (void)data;
    lua_State *L = __real_lua_newstate(allocate, state_may_fail() ? &yes : NULL);
    opening = 0;
    return L;
}

void __real_luaL_openlibs(lua_State *L);
void __wrap_luaL_openlibs(lua_State *L) {
    __real_luaL_openlibs(L);
    if (getenv("MOMO_SPEC_INTERPRETED")) { /* where a trace allocates, LuaJIT does not survive that it can't */
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    }
    opening = 1;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ffi");
    lua_call(L, 1, 0);
    opening = 0;
}
