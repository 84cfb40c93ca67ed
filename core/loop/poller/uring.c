/* SPDX-License-Identifier: MIT
 *
 * io_uring(7) by its system calls: see uring.h.
 */
#include "loop/poller/uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { SUBMISSIONS = 256, COMPLETIONS = 4096, PROBES = 8 };

static void *map(size_t size, int flags, int fd, off_t offset) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(void *memory, size_t size) {
    if (memory) {
        munmap(memory, size);
    }
}

static size_t page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum { GROUP_BYTES = URING_BUFFERS * sizeof(struct io_uring_buf) };

void uring_close(uring *r) {
    if (r->fd > 0) {
        close(r->fd);
        r->fd = 0;
    }
    bool ours = r->ours && *r->ours;
    if (ours || !r->ours) { /* a forked process does not have it */
        unmap(r->rings, r->rings_size);
        unmap(r->sqes, r->sqes_size);
    }
    unmap(r->ring_of_buffers, GROUP_BYTES);
    unmap(r->bytes, (size_t)URING_BUFFERS * URING_BUFFER_SIZE);
    unmap(r->blocks, (size_t)URING_BLOCKS * URING_BLOCK_SIZE);
    unmap(r->ours, page());
    r->ours = NULL;
}

void uring_give_back(uring *r, unsigned number) {
    struct io_uring_buf *b = &r->ring_of_buffers->bufs[r->buffers_tail % URING_BUFFERS];
    b->addr = (uintptr_t)(r->bytes + (size_t)number * URING_BUFFER_SIZE);
    b->len = URING_BUFFER_SIZE;
    b->bid = (uint16_t)number;
    r->free++;
    __atomic_store_n(&r->ring_of_buffers->tail, ++r->buffers_tail, __ATOMIC_RELEASE);
}

static bool map_rings(uring *r, const struct io_uring_params *p) {
    size_t submissions = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t completions = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    r->rings_size = submissions > completions ? submissions : completions;
    r->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
    r->rings = map(r->rings_size, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
    r->sqes = map(r->sqes_size, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
    if (!r->rings || !r->sqes) {
        return false;
    }
    r->sq_head = (unsigned *)(r->rings + p->sq_off.head);
    r->sq_tail = (unsigned *)(r->rings + p->sq_off.tail);
    r->sq_flags = (unsigned *)(r->rings + p->sq_off.flags);
    r->sq_mask = p->sq_entries - 1;
    r->tail = *r->sq_tail;
    r->cq_head = (unsigned *)(r->rings + p->cq_off.head);
    r->cq_tail = (unsigned *)(r->rings + p->cq_off.tail);
    r->cq_mask = p->cq_entries - 1;
    r->cqes = (struct io_uring_cqe *)(r->rings + p->cq_off.cqes);
    unsigned *array = (unsigned *)(r->rings + p->sq_off.array);
    for (unsigned i = 0; i < p->sq_entries; i++) {
        array[i] = i;
    }
    return true;
}

static bool map_buffers(uring *r) {
    r->ring_of_buffers = map(GROUP_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    r->bytes = map((size_t)URING_BUFFERS * URING_BUFFER_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    r->blocks = map((size_t)URING_BLOCKS * URING_BLOCK_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!r->ring_of_buffers || !r->bytes || !r->blocks) {
        return false;
    }
    struct io_uring_buf_reg group = {
        .ring_addr = (uintptr_t)r->ring_of_buffers, .ring_entries = URING_BUFFERS, .bgid = URING_GROUP};
    if (syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_PBUF_RING, &group, 1) < 0) {
        return false;
    }
    r->free = 0;
    r->buffers_tail = 0;
    for (unsigned i = 0; i < URING_BUFFERS; i++) {
        uring_give_back(r, i);
    }
    return true;
}

/* Without DEFER_TASKRUN, which came with Linux 6.1, as had all else by then, a ring is slower than epoll. */
static bool open_ring(uring *r) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                         IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                .cq_entries = COMPLETIONS};
    r->fd = (int)syscall(SYS_io_uring_setup, SUBMISSIONS, &p);
    if (r->fd < 0) {
        return false;
    }
    if (!(p.features & IORING_FEAT_SINGLE_MMAP) || !(p.features & IORING_FEAT_EXT_ARG)) {
        errno = ENOSYS;
        return false;
    }
    return map_rings(r, &p) && map_buffers(r);
}

static bool hide_from_forked(uring *r) {
    bool *ours = map(page(), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!ours || madvise(ours, page(), MADV_WIPEONFORK) < 0 || madvise(r->rings, r->rings_size, MADV_DONTFORK) < 0 ||
        madvise(r->sqes, r->sqes_size, MADV_DONTFORK) < 0) {
        unmap(ours, page());
        return false;
    }
    r->ours = ours;
    *ours = true;
    return true;
}

/* A filter of system calls may let a ring be made, and not be entered. */
static bool works(uring *r) {
    bool entered = uring_submit(r, IORING_OP_NOP, -1, 0);
    for (int tries = 0; entered && tries < PROBES && !uring_has_completion(r); tries++) {
        entered = uring_enter(r, 0) == 0;
    }
    return entered && uring_has_completion(r) && uring_take_completion(r).result == 0;
}

int uring_open(uring *r) {
    if (!open_ring(r) || !hide_from_forked(r) || !works(r)) {
        int code = uv_translate_sys_error(errno);
        uring_close(r);
        return code;
    }
    return 0;
}

int uring_enter(uring *r, int timeout_ms) {
    struct __kernel_timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000ll};
    struct io_uring_getevents_arg argument = {.ts = timeout_ms > 0 ? (uintptr_t)&limit : 0};
    __atomic_store_n(r->sq_tail, r->tail, __ATOMIC_RELEASE);
    long n = syscall(SYS_io_uring_enter, r->fd, uring_unsubmitted(r), timeout_ms != 0,
                     IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
    bool passes = n >= 0 || errno == ETIME || errno == EINTR || errno == EAGAIN || errno == EBUSY;
    return passes ? 0 : uv_translate_sys_error(errno);
}

struct io_uring_sqe *uring_submit(uring *r, unsigned operation, int fd, uint64_t data) {
    if (uring_unsubmitted(r) > r->sq_mask) {
        return NULL;
    }
    struct io_uring_sqe *s = &r->sqes[r->tail++ & r->sq_mask];
    memset(s, 0, sizeof *s);
    s->opcode = (uint8_t)operation;
    s->fd = fd;
    s->user_data = data;
    return s;
}

void uring_withdraw(uring *r, unsigned submission, uint64_t data) {
    struct io_uring_sqe *s = &r->sqes[submission & r->sq_mask];
    memset(s, 0, sizeof *s);
    s->opcode = IORING_OP_NOP;
    s->user_data = data;
}
