/* SPDX-License-Identifier: MIT
 *
 * Host names, looked up by getaddrinfo(3) on a pool of threads of their own, so that look-ups that hang hold up nothing
 * else, and each other only beyond RESOLVE_THREADS.
 */
#pragma once
#include "base/address.h"
#include "loop/offload.h"

enum { RESOLVE_THREADS = POOL_THREADS_MAX }; /* look-ups under way at once, of one executor */

/* Begins one: 0, or negative; *out is the caller's to leave, unless it is NULL still. */
int resolve_start(executor *, const char *host, offload **out);
/* The same for the name of an address, by getnameinfo(3). UV_EINVAL: it is no literal. */
int resolve_start_name(executor *, const char *host, offload **out);
/* Once it is done: 0 or a negative UV_EAI_*, */
int resolve_status(const offload *);
/* and the i-th address of the answer with this port; false after the last one. */
bool resolve_address(const offload *, unsigned i, int port, address *);
/* Or the name. */
const char *resolve_name(const offload *);
