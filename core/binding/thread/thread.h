/* SPDX-License-Identifier: MIT
 *
 * A thread as the binding knows it, and how its failure is told where nobody joins it.
 */
#pragma once
#include "thread/thread.h"
#include "binding/runtime.h"
#include "binding/thread/value.h"

enum { NAME_MAX_SIZE = 64 };

typedef struct lua_thread {
    thread thread;
    unsigned index;
    char name[NAME_MAX_SIZE];
    char *path, *cpath; /* of package */
    packed input;
    packed output; /* of the child until its end was seen */
    char *failure; /* what is reported of its error; NULL: the error's own text */
    bool failed;
    bool started;
    bool watched;     /* its compiled code is to be noted, as its parent's is */
    bool left_behind; /* what the child writes is not to be looked at */
    bool joined;      /* somebody has its outcome */
    bool unjoined;    /* counted in runtime.unjoined */
    struct lua_thread *next_failed;
} lua_thread;

/* Keeps the handle, at index 1, until the thread's end was seen, and told. May raise. */
void thread_keep_handle(lua_State *, lua_thread *);
/* Takes it from where it was kept. Nothing is allocated, and so nothing raised. */
void thread_forget_handle(lua_State *, lua_thread *);

/* What is reported of its error; valid as long as the thread. */
const char *thread_failure_text(const lua_thread *, size_t *size);
/* On stderr. */
void thread_tell(const lua_thread *);
/* Tells the reporter, at index 1 of run's frame, of threads that have failed, and that nobody has joined. */
void thread_report_failures(lua_State *, runtime *);
