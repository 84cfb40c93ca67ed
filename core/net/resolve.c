/* SPDX-License-Identifier: MIT
 *
 * Host names: see resolve.h.
 */
#include "net/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* libuv's names for what getaddrinfo(3) returns, which libuv keeps to itself. */
static int translate(int error) {
    switch (error) {
    case 0: return 0;
    case EAI_ADDRFAMILY: return UV_EAI_ADDRFAMILY;
    case EAI_AGAIN: return UV_EAI_AGAIN;
    case EAI_BADFLAGS: return UV_EAI_BADFLAGS;
    case EAI_FAMILY: return UV_EAI_FAMILY;
    case EAI_MEMORY: return UV_EAI_MEMORY;
    case EAI_NODATA: return UV_EAI_NODATA;
    case EAI_NONAME: return UV_EAI_NONAME;
    case EAI_OVERFLOW: return UV_EAI_OVERFLOW;
    case EAI_SERVICE: return UV_EAI_SERVICE;
    case EAI_SOCKTYPE: return UV_EAI_SOCKTYPE;
    case EAI_SYSTEM: return uv_translate_sys_error(errno);
    default: return UV_EAI_FAIL;
    }
}

static void discard(job *j) {
    resolve *r = list_entry(j, resolve, job);
    if (r->answer) {
        freeaddrinfo(r->answer);
    }
    free(r);
}

static void look_up(job *j, void **state) {
    (void)state;
    resolve *r = list_entry(j, resolve, job);
    /* Not AI_ADDRCONFIG: it does not count loopback, and so withholds localhost's address of one family where the host has
     * the other. What can't be reached comes last (RFC 6724), and connecting tries on (dial.lua). */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    r->status = translate(getaddrinfo(r->host, NULL, &hints, &r->answer));
}

static void on_answer(job *j) {
    resolve *r = list_entry(j, resolve, job);
    r->done = true;
    task *waiter = task_get(r->executor, r->waiter);
    if (r->abandoned) {
        discard(j);
    } else if (waiter && waiter->state == TASK_WAITING) {
        task_wake(waiter, WAKE_READY);
    }
}

int resolve_start(executor *ex, const char *host, resolve **out) {
    *out = NULL;
    address literal;
    int parsed = address_parse(host, 0, &literal);
    if (parsed < 0 && parsed != UV_EINVAL) {
        return parsed; /* an address, of a zone that there is not */
    }
    if (!ex->lookups) {
        ex->lookups = pool_new(ex, RESOLVE_THREADS, NULL);
    }
    resolve *r = ex->lookups ? calloc(1, sizeof *r) : NULL;
    if (!r) {
        return UV_ENOMEM;
    }
    r->job = (job){.run = look_up, .done = on_answer, .drop = discard};
    r->executor = ex;
    strncpy(r->host, host, sizeof r->host - 1);
    int status = pool_submit(ex->lookups, &r->job);
    if (status < 0) {
        free(r);
        return status;
    }
    *out = r;
    return 0;
}

void resolve_wait(resolve *r, task *t, uint64_t deadline_ms) {
    r->waiter = slab_id(&t->head);
    task_park(t, "resolve", deadline_ms, WAKE_TIMEOUT);
    task_wait_outside(t);
}

void resolve_release(resolve *r) {
    if (r->done || pool_cancel(&r->job)) {
        discard(&r->job);
    } else {
        r->abandoned = true;
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
