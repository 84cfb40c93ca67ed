/* SPDX-License-Identifier: MIT
 *
 * Host names: see resolve.h.
 */
#include "resolve.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void discard(resolve *r) {
    uv_freeaddrinfo(r->answer);
    free(r);
}

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *answer) {
    resolve *r = request->data;
    r->status = status;
    r->answer = answer;
    r->done = true;
    task *waiter = task_get(r->executor, r->waiter);
    if (r->abandoned) {
        discard(r);
    } else if (waiter && waiter->state == TASK_WAITING) {
        task_wake(waiter, WAKE_READY);
    }
}

int resolve_start(executor *ex, const char *host, resolve **out) {
    resolve *r = *out = calloc(1, sizeof *r);
    if (!r) {
        return UV_ENOMEM;
    }
    r->executor = ex;
    r->request.data = r;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    int status = uv_getaddrinfo(&ex->loop, &r->request, on_answer, host, NULL, &hints);
    if (status < 0) {
        free(r);
        *out = NULL;
    }
    return status;
}

void resolve_wait(resolve *r, task *t, uint64_t deadline_ms) {
    r->waiter = slab_id(&t->head);
    task_park(t, "resolve", deadline_ms, WAKE_TIMEOUT);
    task_wait_outside(t);
}

void resolve_release(resolve *r) {
    if (r->done) {
        discard(r);
    } else {
        r->abandoned = true;
        uv_cancel((uv_req_t *)&r->request);
    }
}

bool resolve_address(const resolve *r, unsigned i, int port, address *out) {
    const struct addrinfo *entry = r->answer;
    while (entry && i--) {
        entry = entry->ai_next;
    }
    if (!entry) {
        return false;
    }
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, entry->ai_addr, entry->ai_addrlen);
    out->length = entry->ai_addrlen;
    if (entry->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)&out->storage)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)&out->storage)->sin_port = htons((uint16_t)port);
    }
    return true;
}
