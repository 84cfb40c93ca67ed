/* SPDX-License-Identifier: MIT
 *
 * Host names, looked up by getaddrinfo(3) on libuv's pool of threads.
 *
 * The look-up goes on when its task has given up: it belongs to the pool until then, and frees itself at its end.
 */
#pragma once
#include "address.h"
#include "task.h"

typedef struct resolve {
    uv_getaddrinfo_t request;
    executor *executor;
    uint64_t waiter; /* id of the task that waits for the answer, or 0 */
    int status;      /* once done: 0 or a negative UV_EAI_* */
    bool done;
    bool abandoned;
    struct addrinfo *answer; /* once done, if status is 0; owned */
} resolve;

int resolve_start(executor *, const char *host, resolve **);
/* Parks the task until the look-up is done. */
void resolve_wait(resolve *, task *, uint64_t deadline_ms);
/* Gives the look-up up, or frees its answer. */
void resolve_release(resolve *);
/* The i-th address of the answer with this port; false after the last one. */
bool resolve_address(const resolve *, unsigned i, int port, address *);
