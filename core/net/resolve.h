/* SPDX-License-Identifier: MIT
 *
 * Host names, looked up by getaddrinfo(3) on a pool of threads of their own, so that look-ups that hang hold up nothing
 * else, and each other only beyond RESOLVE_THREADS.
 *
 * A look-up goes on when its task has given up: it belongs to the pool until then, and frees itself at its end.
 */
#pragma once
#include <netdb.h>

#include "base/address.h"
#include "loop/pool.h"
#include "loop/task.h"

enum { RESOLVE_THREADS = POOL_THREADS_MAX }; /* look-ups under way at once, of one executor */

typedef struct resolve {
    job job;
    executor *executor;
    uint64_t waiter; /* id of the task that waits for the answer, or 0 */
    bool done;
    bool abandoned;
    int status;              /* once done: 0 or a negative UV_EAI_*, as all below */
    struct addrinfo *answer; /* if status is 0; owned */
    char host[ADDRESS_HOST_MAX];
} resolve;

int resolve_start(executor *, const char *host, resolve **);
/* Parks the task until the look-up is done. */
void resolve_wait(resolve *, task *, uint64_t deadline_ms);
/* Gives the look-up up, or frees its answer. */
void resolve_release(resolve *);
/* The i-th address of the answer with this port; false after the last one. */
bool resolve_address(const resolve *, unsigned i, int port, address *);
