/* SPDX-License-Identifier: MIT
 *
 * A ring of io_uring(7), and buffers in which the kernel receives.
 *
 * Work of the kernel's for the ring is done when the thread that has made it enters it, and only then.
 */
#pragma once
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    URING_BUFFERS = 256, /* what nothing was received into costs no memory */
    URING_BUFFER_SIZE = 16 * 1024,
    URING_GROUP = 0,    /* of the buffers */
    URING_BLOCKS = 256, /* in which bytes are sent */
    URING_BLOCK_SIZE = 16 * 1024,
};

typedef struct uring_completion {
    uint64_t data; /* of the submission */
    int result;    /* negative: as errno has it */
    unsigned flags;
} uring_completion;

typedef struct uring {
    int fd;
    bool *ours; /* false in a process that was forked, where nothing of the ring may be touched */

    unsigned *sq_head, *sq_tail, *sq_flags, sq_mask, tail;
    struct io_uring_sqe *sqes;
    unsigned *cq_head, *cq_tail, cq_mask;
    struct io_uring_cqe *cqes;
    char *rings;
    size_t rings_size, sqes_size;

    struct io_uring_buf_ring *ring_of_buffers;
    char *bytes, *blocks;
    uint16_t buffers_tail;
    unsigned free; /* buffers that are the kernel's */
} uring;

/* Of a zeroed one. 0, or why the system has no ring of this kind. */
int uring_open(uring *);
/* Also of one that is not open. */
void uring_close(uring *);
/* Submits, has the kernel do its work, and waits for a completion: not at all for 0, without a limit for -1. 0, or a negative
 * UV_E*: it can't. What passes by itself is no failure. */
int uring_enter(uring *, int timeout_ms);
/* A submission to fill in; NULL: there is no room, before the kernel has taken some in uring_enter. */
struct io_uring_sqe *uring_submit(uring *, unsigned operation, int fd, uint64_t data);
/* Whether the kernel has not taken this submission yet, which is a place that `tail` had; and takes it back. */
static inline bool uring_holds(const uring *r, unsigned submission) {
    return r->tail - submission <= r->tail - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
}
void uring_withdraw(uring *, unsigned submission, uint64_t data);
/* The buffer is the kernel's again. */
void uring_give_back(uring *, unsigned number);

static inline bool uring_is_open(const uring *r) {
    return r->ours && *r->ours;
}
static inline unsigned uring_unsubmitted(const uring *r) {
    return r->tail - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
}
/* Whether the kernel has something to do, or to tell, in the next uring_enter. */
static inline bool uring_has_work(const uring *r) {
    return __atomic_load_n(r->sq_flags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}
static inline bool uring_has_completion(const uring *r) {
    return *r->cq_head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE);
}
/* There is one. */
static inline uring_completion uring_take_completion(uring *r) {
    unsigned head = *r->cq_head;
    const struct io_uring_cqe *c = &r->cqes[head & r->cq_mask];
    uring_completion taken = {c->user_data, c->res, c->flags};
    __atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
    return taken;
}
static inline char *uring_block(const uring *r, unsigned number) {
    return r->blocks + (size_t)number * URING_BLOCK_SIZE;
}
static inline char *uring_bytes(const uring *r, unsigned number) {
    return r->bytes + (size_t)number * URING_BUFFER_SIZE;
}
