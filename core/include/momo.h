/* SPDX-License-Identifier: MIT
 *
 * momo.h - what the core offers across its border.
 *
 * This file is written in the dialect that LuaJIT's ffi.cdef reads: its text is embedded in the library, and Lua
 * declares what the library hands it, so header and binding cannot drift apart. Nothing declared here ever enters Lua.
 * That dialect has no #include: a C file has <stddef.h> and <stdint.h> before this one.
 *
 * Functions return a value >= 0, or a negative UV_E* code of libuv. Sockets are named by their token; a token whose
 * socket was closed answers UV_EBADF for ever, whatever became of the descriptor. All calls belong to the thread of
 * their executor.
 */
#pragma once
#pragma GCC visibility push(default)

typedef struct momo_executor momo_executor;

/* Names a socket or listener: the slot, and which of its occupants. { 0, 0 } names nothing. */
typedef struct momo_token {
    uint32_t index;
    uint32_t generation;
} momo_token;

typedef struct momo_metrics {
    uint64_t tasks;        /* that have not ended */
    uint64_t ready;        /* of these, waiting for their turn */
    uint64_t spawned;      /* tasks since the executor began */
    uint64_t timers;       /* pending deadlines */
    uint64_t handles;      /* open sockets and listeners */
    uint64_t threads;      /* started by this executor, that have not ended */
    uint64_t polls;        /* times the operating system was asked for events */
    uint64_t resumes;      /* times a task was run */
    uint64_t stale_events; /* events that came after their socket's close, and were dropped */
    uint64_t collected;    /* sockets that nobody closed, closed by the garbage collector */
} momo_metrics;

const char *momo_version(void);
const char *momo_error_name(int code);
const char *momo_error_text(int code);

/* Monotonic seconds of this executor; seconds since 1970. A virtual clock moves both. */
double momo_now(const momo_executor *executor);
double momo_wall(const momo_executor *executor);
void momo_get_metrics(const momo_executor *executor, momo_metrics *metrics);

/* Cancels every task, those yet to be spawned too, and stops the threads that this executor started. */
void momo_stop(momo_executor *executor);
/* The first SIGINT or SIGTERM stops the executor; the signal's default action is in force again from then on. */
int momo_stop_on_signals(momo_executor *executor);

int momo_close(momo_executor *executor, const momo_token *token);
int momo_shutdown(momo_executor *executor, const momo_token *token);
/* Seconds for each later read and write; a negative number: no limit. */
int momo_set_timeout(momo_executor *executor, const momo_token *token, double seconds);
int momo_set_nodelay(momo_executor *executor, const momo_token *token, int on);
/* Seconds of silence before the first probe; 0: off. */
int momo_set_keepalive(momo_executor *executor, const momo_token *token, int seconds);
/* UDP. A group is an address without a port; an interface a name, or NULL: the system chooses. */
int momo_set_broadcast(momo_executor *executor, const momo_token *token, int on);
int momo_set_multicast_member(momo_executor *executor, const momo_token *token, const char *group,
                              const char *interface, int join);
int momo_set_multicast_ttl(momo_executor *executor, const momo_token *token, int hops);
int momo_set_multicast_loop(momo_executor *executor, const momo_token *token, int on);
int momo_set_multicast_interface(momo_executor *executor, const momo_token *token, const char *interface);
/* Writes "1.2.3.4:80" or "[::1]:80", always terminated; returns its length. */
int momo_local_address(momo_executor *executor, const momo_token *token, char *text, size_t size);
int momo_peer_address(momo_executor *executor, const momo_token *token, char *text, size_t size);

/* CPUs that this process may use; the i-th of them (from 0), or UV_EINVAL. */
int momo_parallelism(const momo_executor *executor);
int momo_usable_cpu(const momo_executor *executor, int i);
/* The calling thread runs on this CPU only. */
int momo_pin(int cpu);

#pragma GCC visibility pop
