/* SPDX-License-Identifier: MIT
 *
 * What operations have in common that read from a stream: one task reads at a time, and what it does not take stays unread.
 */
#pragma once
#include "binding/op.h"
#include "net/stream.h"

/* Whether another task reads. It holds its turn while it is parked, and then until this is asked of itself. */
OP_HOT bool reading_another(const op *o) {
    o->io->lent = false; /* no push is under way, though one may have raised */
    if (o->io->reader == slab_id(&o->task->head)) {
        o->io->reader = 0;
    }
    return o->io->reader && task_get(o->task->executor, o->io->reader);
}

static inline int reading_park(lua_State *L, op *o) {
    (void)L;
    o->io->reader = slab_id(&o->task->head);
    return io_wait(o->io, o->task, UV_READABLE, o->name, o->deadline_ms, false);
}

static inline void reading_leave(lua_State *L, op *o) {
    (void)L;
    if (o->io && o->io->reader == slab_id(&o->task->head)) {
        o->io->reader = 0;
    }
}

/* A kind of read operation. */
#define READING(operation, checks, attempts, fails)                                                    \
    {                                                                                                  \
        .name = operation, .token = 1, .direction = UV_READABLE, .check = checks, .attempt = attempts, \
        .park = reading_park, .leave = reading_leave, .fail = fails                                    \
    }

/* Reads until there are so many unread bytes: 0; or a code, and what is unread stays so. */
OP_HOT int reading_fill(op *o, size_t least) {
    if (reading_another(o)) {
        return UV_EBUSY;
    }
    while (stream_unread(o->io) < least) {
        ssize_t n = stream_fill(o->io, least);
        if (n < 0) {
            return (int)n;
        }
    }
    return 0;
}

/* Pushes the first n unread bytes, which stay unread. What allocates may run a finalizer, and that would consume them under
 * the copy: they are lent meanwhile. It may close the stream; then they stay until the loop has seen the close. */
OP_HOT void reading_copy(lua_State *L, io *o, size_t n) {
    o->lent = true;
    lua_pushlstring(L, stream_bytes(o), n);
    o->lent = false;
}

/* Pushes them and drops them. */
OP_HOT int reading_push(lua_State *L, io *o, size_t n) {
    reading_copy(L, o, n);
    stream_consume(o, n);
    return 1;
}
