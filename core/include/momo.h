/* SPDX-License-Identifier: MIT
 *
 * momo.h - the FFI API: what the core offers to Lua's compiled code.
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

/* Tasks that wait until another one wakes them. */
typedef struct momo_queue momo_queue;

/* A stretch of a task's work that can be cancelled by itself. */
typedef struct momo_scope momo_scope;

enum { MOMO_BUCKETS = 25, MOMO_BUCKET_NS = 1024 };
enum { MOMO_STATUS_CLASSES = 5 };
enum { MOMO_ADDRESS_MAX = 112 };
enum momo_handle_kind { MOMO_TCP, MOMO_UNIX, MOMO_DATAGRAM, MOMO_LISTENER, MOMO_OTHER_HANDLE, MOMO_HANDLE_KINDS };
enum { MOMO_OTHER, MOMO_NUMBER, MOMO_STRING, MOMO_NOTHING };
enum { MOMO_NOT_SENT, MOMO_SENT, MOMO_DEFERRED, MOMO_LEFT };
enum momo_option_kind {
    MOMO_FLAG,           /* 0 or 1 */
    MOMO_COUNT,          /* a whole number */
    MOMO_SECONDS,        /* rounded up to what the system counts in */
    MOMO_SECONDS_OR_OFF, /* off: a negative number */
    MOMO_TEXT
};

const char *momo_version(void);
const char *momo_error_name(int code);
const char *momo_error_text(int code);

/* Monotonic seconds of this executor; seconds since 1970. A virtual clock moves both. */
double momo_now(const momo_executor *executor);
double momo_wall(const momo_executor *executor);
/* Cancels every task, those yet to be spawned too, and stops the threads that this executor started. */
void momo_stop(momo_executor *executor);
/* Whether a stop has begun: 1 or 0. */
int momo_draining(const momo_executor *executor);
/* The first SIGINT or SIGTERM stops the executor; the second one kills the process, and so does the first one if some thread does
 * not hear of it for so long: it is said who holds that. */
int momo_stop_on_signals(momo_executor *executor, double grace_seconds);

/* Wakes the first that waits: 1, or 0 if nobody does. */
int momo_queue_wake(momo_queue *queue);
void momo_queue_wake_all(momo_queue *queue);
/* 1 if anybody waits, else 0. */
int momo_queue_waiting(const momo_queue *queue);

/* The running task enters a scope that nobody is in, with a time limit in seconds, 0 or more; UV_EPERM: no task runs. */
int momo_scope_enter(momo_executor *executor, momo_scope *scope, double seconds);
/* 1: the scope is left, and it was neither cancelled nor reached by a cancellation. 0: nothing is done, as there is more to
 * tell. */
int momo_scope_leave(momo_scope *scope);

/* Takes note of the only result of a task that ended well: MOMO_NOTHING, if it returned none, or MOMO_NUMBER; MOMO_OTHER:
 * nothing is done, as there is more to tell. The task is Lua's handle. */
int momo_task_result(void *task, double *number);

/* Numbers and strings through a channel between threads; tx and rx are Lua's handles of its ends. Where there is more to
 * it (the channel is full, empty or closed, it is another task's turn) nothing is done: 0, or MOMO_OTHER. */
int momo_send_number(void *tx, double number);
int momo_send_string(void *tx, const char *bytes, size_t size);
typedef struct momo_message {
    double number;
    const char *bytes;
    uint32_t size;
} momo_message;
int momo_receive(void *rx, momo_message *message);
/* A string's bytes were copied, and the message can go. */
void momo_received(void *rx);

/* CPUs that this process may use; the i-th of them (from 0), or UV_EINVAL. */
int momo_parallelism(const momo_executor *executor);
int momo_usable_cpu(const momo_executor *executor, int i);
/* The calling thread runs on this CPU only. */
int momo_pin(int cpu);

/* ---- What many programs do without is declared where it is first asked for. Constants stand above, and structs have no
 * names of their own, so that it can be declared again after it failed for want of memory. ---- */

/* Durations: how many there were up to MOMO_BUCKET_NS, to twice that, and so on; the last bucket has the rest. */
typedef struct {
    uint64_t sum_ns;
    uint64_t buckets[MOMO_BUCKETS];
} momo_histogram;

typedef struct {
    uint64_t tasks;                    /* that have not ended */
    uint64_t ready;                    /* of these, waiting for their turn */
    uint64_t spawned;                  /* tasks since the executor began */
    uint64_t timers;                   /* pending deadlines */
    uint64_t handles;                  /* open streams and listeners */
    uint64_t threads;                  /* started by this executor, that have not ended */
    uint64_t polls;                    /* times the operating system was asked for events */
    uint64_t resumes;                  /* times a task was run */
    uint64_t stale_events;             /* events that came after their socket's close, and were dropped */
    uint64_t collected;                /* streams and listeners that nobody closed, closed by the garbage collector */
    uint64_t kinds[MOMO_HANDLE_KINDS]; /* of the handles */
    uint64_t bytes_in, bytes_out;      /* of descriptors, but for files on a disk */
    uint64_t accepts, accept_failures;
    uint64_t handshakes, handshake_failures; /* of TLS */
    uint64_t requests;                       /* heads of HTTP requests that servers have got, */
    uint64_t responses[MOMO_STATUS_CLASSES]; /* and their answers, by the first digit of the status */
    uint64_t channels, messages; /* receivers of channels between threads; what they have not received yet */
    momo_histogram turns;        /* how long tasks ran between two looks at the system */
    momo_histogram delays;       /* how long a task that was ready waited until it had run */
} momo_metrics;

/* Threads for calls that block. */
typedef struct {
    const char *name;
    uint32_t threads, idle; /* in all; those without a job */
    uint32_t queued;        /* jobs that wait for a thread */
} momo_pool_metrics;

/* "epoll" or "ring". */
const char *momo_poller(momo_executor *);
void momo_get_metrics(const momo_executor *executor, momo_metrics *metrics);
/* Of the executor's i-th pool, from 0: 1; 0: it has no more. */
int momo_get_pool_metrics(const momo_executor *executor, int i, momo_pool_metrics *metrics);

/* Lets nobody in any more who asks the listener, which is to be closed once those who have asked were let in. Negative: others
 * may have it too, so it is theirs to let them in. */
int momo_refuse(momo_executor *executor, const momo_token *listener);

int momo_close(momo_executor *executor, const momo_token *token);
int momo_shutdown(momo_executor *executor, const momo_token *token);
/* Seconds for each later read and write; a negative number: no limit. */
int momo_set_timeout(momo_executor *executor, const momo_token *token, double seconds);
/* Seconds in which the peer takes nothing, for each later write: in place of the timeout, which is for all of a write. A
 * negative number: none. */
int momo_set_silence(momo_executor *executor, const momo_token *token, double seconds);
/* A whole answer of HTTP without headers of its own; flags: 1 "keep-alive" is said, 2 "close" is. MOMO_DEFERRED: it waits for the
 * answers to the requests that have come with its own; MOMO_LEFT: some of it does, as the system does not take more. Negative: it
 * has failed. MOMO_NOT_SENT: nothing was done, as there is more to it. */
int momo_http_send(momo_executor *executor, const momo_token *token, int flags, double status, const char *body,
                   size_t size);
/* The code that an operation of a stream failed with last, or 0. */
int momo_failure(const momo_executor *executor, const momo_token *token);
/* Its descriptor, which stays its own. */
int momo_descriptor(momo_executor *executor, const momo_token *token);
/* Closes a stream, but for its descriptor, which is returned. UV_EBUSY: it has unread bytes, or is in use; UV_ENOTSUP: its bytes
 * are not the descriptor's own. */
int momo_give_away(momo_executor *executor, const momo_token *token);
/* The unread bytes of a stream, until the next call that may read from any stream of this executor, or suspends. */
const char *momo_unread(momo_executor *executor, const momo_token *token, size_t *length);
/* Nobody uses the stream for now, as a connection that is kept for a further request: the loop closes it when its peer says
 * anything, when so many seconds have passed, or when the run ends. Negative: something has come already, or it is in use,
 * and it is closed. */
int momo_begin_idle(momo_executor *executor, const momo_token *token, double seconds);
/* It is in use again: 0; negative: it was closed, or has to be, and is. */
int momo_end_idle(momo_executor *executor, const momo_token *token);
/* 1 while it is open and idle, else 0. */
int momo_is_idle(const momo_executor *executor, const momo_token *token);
/* Drops unread bytes: UV_EINVAL if there are not so many, UV_EBUSY while another task reads. */
int momo_consume(momo_executor *executor, const momo_token *token, size_t length);
/* The read that waits on this stream times out now. */
void momo_expire_read(momo_executor *executor, const momo_token *token);
/* Looks for a field of this name, in any case, in the head of an HTTP message, whose fields begin at `fields`, or behind its first line
 * if that is 0: 0, 1, or 2 if there are several; span: the first and the last byte of its value, as string.sub counts. */
int momo_http_field(const char *head, size_t size, size_t fields, const char *name, size_t length, int span[2]);

/* The i-th option of sockets, from 0: its name as in the manual pages, such as "tcp_nodelay"; NULL: there are no more. */
const char *momo_option(int i, int *kind);
int momo_set_option(momo_executor *executor, const momo_token *token, int option, double value, const char *text);
/* A text's length, or 0. */
int momo_get_option(momo_executor *executor, const momo_token *token, int option, double *value, char *text,
                    size_t size);
/* A datagram that needs not be waited for, by the task that runs: 1, and no other is told of until momo_datagram_received; 0:
 * nothing is done, as there is more to it; negative: it has failed. Where it came from is written if `addressed`. */
typedef struct {
    const char *bytes;
    uint32_t size, from_size;
    char from[MOMO_ADDRESS_MAX];
    uint64_t name[17]; /* the address as the system has it */
} momo_datagram;
int momo_receive_datagram(momo_executor *executor, const momo_token *token, momo_datagram *datagram, int addressed);
/* Its bytes were copied, and it can go. */
void momo_datagram_received(momo_executor *executor, const momo_token *token);
/* Sends one to an address as text, or where the socket is connected if that is NULL: 1; 0: nothing is done, as there is more to
 * it; negative: it has failed. */
int momo_send_datagram(momo_executor *executor, const momo_token *token, const char *bytes, size_t size,
                       const char *address, size_t length);
/* The same, to where a datagram came from that was received `addressed`. */
int momo_answer_datagram(momo_executor *executor, const momo_token *token, const char *bytes, size_t size,
                         const momo_datagram *datagram);
/* UDP. A group is an address without a port; an interface a name, or NULL: the system chooses. */
int momo_set_multicast_member(momo_executor *executor, const momo_token *token, const char *group,
                              const char *interface, int join);
int momo_set_multicast_ttl(momo_executor *executor, const momo_token *token, int hops);
int momo_set_multicast_loop(momo_executor *executor, const momo_token *token, int on);
int momo_set_multicast_interface(momo_executor *executor, const momo_token *token, const char *interface);
/* Writes "1.2.3.4:80", "[::1]:80", or the path of a Unix socket, always terminated; returns its length. */
int momo_local_address(momo_executor *executor, const momo_token *token, char *text, size_t size);
int momo_peer_address(momo_executor *executor, const momo_token *token, char *text, size_t size);
/* Seconds since bytes came or went on a TCP connection, of others since the task that reads began to wait; negative: none does, or
 * it is closed. */
double momo_quiet(momo_executor *executor, const momo_token *token);

#pragma GCC visibility pop
