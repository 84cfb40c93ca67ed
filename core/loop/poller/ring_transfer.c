/* SPDX-License-Identifier: MIT
 *
 * Receiving and sending by io_uring(7): see ring.h.
 */
#include "loop/poller/ring_transfer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    HELD_MAX = 64 * 1024,   /* unread bytes of a socket beyond which no more are received */
    BULK_WAITS = UINT8_MAX, /* then it is tried again, as what comes may be small by now */
    LOOKS = 1024,           /* the kernel does 20 pieces of its work in one entry */
    ENTER_FAILURES = 4,     /* in a row, after which the ring is taken for broken */
    TOLD_LEAST = 2,         /* sockets for which something came in a wait, from which on sending in the next one pays */
};

/* ---- what is asked of the kernel, and what comes between two waits ---- */

/* Room for the completions of one more receive: one with each buffer, and one for each receive that ends. There are never more of
 * them that nobody has had. */
static bool reserve(ring *r) {
    unsigned most = URING_BUFFERS + r->receives + 1;
    if (most > r->kept_room) {
        uring_completion *grown = realloc(r->kept, 2 * most * sizeof *grown);
        if (!grown) {
            return false;
        }
        r->kept = grown;
        r->kept_room = 2 * most;
    }
    return true;
}

static void free_block(ring *r, unsigned number) {
    r->blocks[number].next = r->free_block;
    r->free_block = number + 1;
}

void ring_has_sent(ring *r, uint64_t id, int result) {
    transfer *t = r->outer->transfer_of(r->outer, id);
    if (t && t->block) {
        t->sent = result == (int)r->blocks[t->block - 1].size ? SENT_ALL : SENT_SOME;
        free_block(r, t->block - 1u);
        t->block = 0;
        t->result = result < 0 ? uv_translate_sys_error(-result) : result;
        r->outer->tell(r->outer, id, UV_WRITABLE);
    }
}

void ring_epoll_has(ring *r, unsigned flags) {
    r->epoll_polled = flags & IORING_CQE_F_MORE;
    r->epoll_due = true;
}

/* Makes room: those that somebody has had go. */
static void compact(ring *r) {
    unsigned count = 0;
    for (unsigned i = r->handled; i < r->kept_count; i++) {
        if (r->kept[i].data != CANCEL) {
            r->kept[count++] = r->kept[i];
        }
    }
    r->kept_count = count;
    r->handled = 0;
}

static void keep(ring *r, uring_completion c) {
    if (r->kept_count == r->kept_room) {
        compact(r);
    }
    r->kept[r->kept_count++] = c;
}

/* A completion that came at another time than in a wait. */
static void set_aside(ring *r, uring_completion c) {
    if (c.data & SEND) {
        ring_has_sent(r, c.data & ~SEND, c.result);
    } else if (c.data & EPOLL) {
        ring_epoll_has(r, c.flags);
    } else if (c.data & RECEIVE) {
        keep(r, c);
    }
}

static void enter_and_set_aside(ring *r) {
    uring_enter(&r->kernel, 0);
    while (uring_has_completion(&r->kernel)) {
        set_aside(r, uring_take_completion(&r->kernel));
    }
}

struct io_uring_sqe *ring_submit(ring *r, unsigned operation, int fd, uint64_t data) {
    struct io_uring_sqe *s = uring_submit(&r->kernel, operation, fd, data);
    if (!s) { /* it is full */
        enter_and_set_aside(r);
        s = uring_submit(&r->kernel, operation, fd, data);
    }
    return s;
}

/* ---- receiving ---- */

bool ring_receive(ring *r, int fd, uint64_t id) {
    struct io_uring_sqe *s = r->kernel.free && reserve(r) ? ring_submit(r, IORING_OP_RECV, fd, id | RECEIVE) : NULL;
    if (s) {
        r->receives++;
        s->ioprio = IORING_RECV_MULTISHOT;
        s->flags = IOSQE_BUFFER_SELECT;
        s->buf_group = URING_GROUP;
    }
    return s != NULL;
}

/* False: there is no room for it before the ring is entered. */
static bool cancel(ring *r, uint64_t id) {
    struct io_uring_sqe *s = uring_submit(&r->kernel, IORING_OP_ASYNC_CANCEL, -1, CANCEL);
    if (s) {
        s->addr = id | RECEIVE;
    }
    return s != NULL;
}

static void append(ring *r, transfer *to, unsigned number, unsigned size) {
    r->buffers[number] = (buffer){.end = size};
    if (to->last) {
        r->buffers[to->last - 1].next = (uint16_t)(number + 1);
    } else {
        to->first = (uint16_t)(number + 1);
    }
    to->last = (uint16_t)(number + 1);
    to->size += size;
}

/* Large pieces are copied once more, out of the buffers, than by system calls: a tenth to a third of what they take. */
static bool is_bulk(const transfer *to, int result) {
    return result == URING_BUFFER_SIZE || to->size > HELD_MAX;
}

bool ring_has_received(ring *r, uint64_t id, int result, unsigned flags) {
    transfer *to = r->outer->transfer_of(r->outer, id);
    r->receives -= !(flags & IORING_CQE_F_MORE);
    if (flags & IORING_CQE_F_BUFFER) {
        unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
        r->kernel.free--;
        if (to && result > 0) {
            append(r, to, number, (unsigned)result);
        } else {
            uring_give_back(&r->kernel, number);
        }
    }
    if (!to) {
        return false;
    }
    if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EINVAL) {
        to->code = (int16_t)uv_translate_sys_error(-result);
    }
    if (!(flags & IORING_CQE_F_MORE)) {
        to->state = result == -EINVAL ? RECEIVED_NEVER : RECEIVED_MAY;
    } else if (is_bulk(to, result) && to->state == RECEIVED_NOW && uring_is_open(&r->kernel) && cancel(r, id)) {
        to->state = RECEIVED_STOPPING;
        to->bulk_waits = BULK_WAITS;
    }
    return true;
}

/* Has what was kept for this id. Returns whether its receive has ended; *came: whether there was something. */
static bool look_in_kept(ring *r, uint64_t id, bool *came) {
    bool ended = false;
    for (unsigned i = r->handled; i < r->kept_count; i++) {
        uring_completion *k = &r->kept[i];
        if (k->data == (id | RECEIVE)) {
            k->data = CANCEL; /* nothing any more */
            ended |= !(k->flags & IORING_CQE_F_MORE);
            *came |= ring_has_received(r, id, k->result, k->flags);
        }
    }
    return ended;
}

/* Also what has come for it until now. */
static bool look_for(ring *r, uint64_t id, bool *came) {
    bool ended = look_in_kept(r, id, came);
    while (uring_has_completion(&r->kernel)) {
        const uring_completion c = uring_take_completion(&r->kernel);
        if (c.data == (id | RECEIVE)) {
            ended |= !(c.flags & IORING_CQE_F_MORE);
            *came |= ring_has_received(r, id, c.result, c.flags);
        } else {
            set_aside(r, c);
        }
    }
    return ended;
}

/* The same, of which nobody has asked: it is told. */
static bool look_and_tell(ring *r, uint64_t id) {
    bool came = false, ended = look_for(r, id, &came);
    if (came) {
        r->outer->tell(r->outer, id, UV_READABLE);
    }
    return ended;
}

void ring_look(poller *p, uint64_t id) {
    ring *r = ring_of(p);
    bool came = false;
    if (!uring_is_open(&r->kernel)) { /* in a forked process */
        look_in_kept(r, id, &came);
        p->transfer_of(p, id)->state = RECEIVED_MAY;
    }
    for (int entries = 0; uring_is_open(&r->kernel) && entries < LOOKS; entries++) {
        bool done = uring_enter(&r->kernel, 0) == 0 && !uring_has_work(&r->kernel);
        look_for(r, id, &came);
        if (done) {
            return;
        }
    }
}

void ring_stop(poller *p, uint64_t id) {
    ring *r = ring_of(p);
    if (!uring_is_open(&r->kernel)) {
        look_in_kept(r, id, &(bool){false});
        return;
    }
    bool cancelled = cancel(r, id), ended = false;
    for (int failures = 0; !ended && failures < ENTER_FAILURES;) {
        failures += uring_enter(&r->kernel, cancelled ? -1 : 0) < 0;
        ended = look_and_tell(r, id);
        cancelled = cancelled || cancel(r, id);
    }
}

size_t ring_take(poller *p, transfer *from, char *into, size_t room) {
    ring *r = ring_of(p);
    size_t taken = 0;
    while (from->first && taken < room) {
        unsigned number = from->first - 1u;
        buffer *b = &r->buffers[number];
        size_t n = b->end - b->start < room - taken ? b->end - b->start : room - taken;
        memcpy(into + taken, uring_bytes(&r->kernel, number) + b->start, n);
        taken += n;
        b->start += (unsigned)n;
        if (b->start == b->end) {
            from->first = b->next;
            from->last = b->next ? from->last : 0;
            uring_give_back(&r->kernel, number);
        }
    }
    from->size -= (unsigned)taken;
    return taken;
}

void ring_drop(poller *p, transfer *from) {
    ring *r = ring_of(p);
    while (from->first) {
        unsigned number = from->first - 1u;
        from->first = r->buffers[number].next;
        uring_give_back(&r->kernel, number);
    }
    from->last = 0;
    from->size = 0;
}

/* ---- sending ---- */

bool ring_send(poller *p, transfer *t, int fd, uint64_t id, const struct iovec *pieces, int count, size_t total) {
    ring *r = ring_of(p);
    if (total > URING_BLOCK_SIZE || r->told < TOLD_LEAST || !r->free_block || !uring_is_open(&r->kernel)) {
        return false;
    }
    struct io_uring_sqe *s = ring_submit(r, IORING_OP_SEND, fd, id | SEND);
    if (!s) {
        return false;
    }
    unsigned number = r->free_block - 1; /* to submit may have freed some */
    char *bytes = uring_block(&r->kernel, number);
    s->addr = (uintptr_t)bytes;
    s->len = (unsigned)total;
    s->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    for (int i = 0; i < count; i++) {
        memcpy(bytes, pieces[i].iov_base, pieces[i].iov_len);
        bytes += pieces[i].iov_len;
    }
    r->free_block = r->blocks[number].next;
    r->blocks[number] = (block){.submission = r->kernel.tail - 1, .id = id, .size = (unsigned)total};
    t->block = (uint16_t)(number + 1);
    t->sent = SENT_NOTHING;
    return true;
}

void ring_flush(poller *p) {
    ring *r = ring_of(p);
    if (uring_is_open(&r->kernel) && uring_unsubmitted(&r->kernel)) {
        enter_and_set_aside(r);
    }
}

void ring_leave_sends(ring *r) {
    for (unsigned i = 0; i < URING_BLOCKS; i++) {
        const transfer *t = r->outer->transfer_of(r->outer, r->blocks[i].id);
        if (t && t->block == i + 1) {
            ring_has_sent(r, r->blocks[i].id, (int)r->blocks[i].size);
        }
    }
}

void ring_unsend(poller *p, transfer *t, uint64_t id, bool flush) {
    ring *r = ring_of(p);
    if (!uring_is_open(&r->kernel)) { /* in a forked process, to which the bytes are nothing */
        t->block = 0;
        return;
    }
    unsigned number = t->block - 1u, submission = r->blocks[number].submission;
    for (int tries = 0; flush && tries < ENTER_FAILURES && uring_holds(&r->kernel, submission); tries++) {
        uring_enter(&r->kernel, 0);
    }
    if (uring_holds(&r->kernel, submission)) {
        uring_withdraw(&r->kernel, submission, CANCEL);
        free_block(r, number);
        t->block = 0;
        return;
    }
    look_and_tell(r, id);
    for (int entries = 0; t->block && entries < LOOKS; entries++) { /* there was no room for its completion */
        uring_enter(&r->kernel, 0);
        look_and_tell(r, id);
    }
}

void ring_free_blocks(ring *r) {
    for (unsigned i = 0; i < URING_BLOCKS; i++) {
        free_block(r, i);
    }
}
