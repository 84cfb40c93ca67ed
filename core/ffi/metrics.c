/* SPDX-License-Identifier: MIT
 *
 * The FFI API of what an executor counts.
 */
#include <string.h>

#include "loop/pool.h"
#include "net/transport.h"
#include "net/udp.h"
#include "thread/channel.h"

static uint64_t length(const list *head) {
    uint64_t n = 0;
    for (const list *node = head->next; node != head; node = node->next) {
        n++;
    }
    return n;
}

/* A stream is of the kind of what lies under all its layers. */
static enum momo_handle_kind kind_of(const io *o) {
    if (o->listening) {
        return MOMO_LISTENER;
    }
    if (udp_is(o)) {
        return MOMO_DATAGRAM;
    }
    const layer *l = o->layer;
    while (l && l->below) {
        l = l->below;
    }
    return l == &layer_socket ? MOMO_TCP : l == &layer_local ? MOMO_UNIX : MOMO_OTHER_HANDLE;
}

void momo_get_metrics(const momo_executor *ex, momo_metrics *m) {
    *m = (momo_metrics){
        .tasks = ex->tasks.live,
        .ready = length(&ex->ready),
        .spawned = ex->counters.spawned,
        .timers = ex->wheel.count,
        .handles = ex->ios.live,
        .threads = ex->threads.count,
        .polls = ex->counters.polls,
        .resumes = ex->counters.resumes,
        .stale_events = ex->counters.stale_events,
        .collected = ex->counters.collected,
        .bytes_in = ex->counters.bytes_in,
        .bytes_out = ex->counters.bytes_out,
        .accepts = ex->counters.accepts,
        .accept_failures = ex->counters.accept_failures,
        .handshakes = ex->counters.handshakes,
        .handshake_failures = ex->counters.handshake_failures,
        .requests = ex->counters.requests,
        .turns = ex->counters.turns,
        .delays = ex->counters.delays,
    };
    memcpy(m->responses, ex->counters.responses, sizeof m->responses);
    uint32_t cursor = 0;
    for (const io *o; (o = io_next_open(ex, &cursor));) {
        m->kinds[kind_of(o)]++;
    }
    channel_count(ex, &m->channels, &m->messages);
}

int momo_get_pool_metrics(const momo_executor *ex, int i, momo_pool_metrics *m) {
    pool *p = ex->pools;
    while (p && i--) {
        p = p->next;
    }
    if (p) {
        m->name = p->kind->name;
        pool_count(p, &m->threads, &m->idle, &m->queued);
    }
    return p != NULL;
}
