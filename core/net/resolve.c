/* SPDX-License-Identifier: MIT
 *
 * Host names: see resolve.h.
 */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

typedef struct resolve {
    offload offload;
    int status;
    struct addrinfo *answer; /* if status is 0; owned; of a name's look-up */
    address literal;         /* whose name is looked up */
    char host[NI_MAXHOST];   /* the name that is looked up, or the one that was found */
} resolve;

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

static resolve *of(offload *f) {
    return list_entry(f, resolve, offload);
}

static void discard(offload *f) {
    if (of(f)->answer) {
        freeaddrinfo(of(f)->answer);
    }
    free(of(f));
}

static void look_up(offload *f, void **state) {
    (void)state;
    resolve *r = of(f);
    /* Not AI_ADDRCONFIG: it does not count loopback, and so withholds localhost's address of one family where the host has
     * the other. What can't be reached comes last (RFC 6724), and connecting tries on (happy_eyeballs.lua). */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    r->status = translate(getaddrinfo(r->host, NULL, &hints, &r->answer));
}

static void look_up_name(offload *f, void **state) {
    (void)state;
    resolve *r = of(f);
    const struct sockaddr *sa = (const struct sockaddr *)&r->literal.storage;
    r->status = translate(getnameinfo(sa, r->literal.length, r->host, sizeof r->host, NULL, 0, NI_NAMEREQD));
}

static const pool_kind lookups = {.name = "momo-lookups", .threads_max = RESOLVE_THREADS};

static int start(executor *ex, const offload_kind *kind, const char *host, const address *literal, offload **out) {
    resolve *r = calloc(1, sizeof *r);
    if (!r) {
        return UV_ENOMEM;
    }
    offload_init(&r->offload, ex, kind);
    strncpy(r->host, host, sizeof r->host - 1);
    r->literal = *literal;
    *out = &r->offload;
    return offload_start(&r->offload);
}

int resolve_start(executor *ex, const char *host, offload **out) {
    static const offload_kind kind = {.pool = &lookups, .run = look_up, .free = discard};
    address literal = {.length = 0};
    int parsed = address_parse(host, 0, &literal);
    if (parsed < 0 && parsed != UV_EINVAL) {
        return parsed; /* an address, of a zone that there is not */
    }
    return start(ex, &kind, host, &literal, out);
}

int resolve_start_name(executor *ex, const char *host, offload **out) {
    static const offload_kind kind = {.pool = &lookups, .run = look_up_name, .free = discard};
    address literal;
    int parsed = address_parse(host, 0, &literal);
    return parsed < 0 ? parsed : start(ex, &kind, "", &literal, out);
}

const char *resolve_name(const offload *f) {
    return list_entry(f, resolve, offload)->host;
}

int resolve_status(const offload *f) {
    return list_entry(f, resolve, offload)->status;
}

bool resolve_address(const offload *f, unsigned i, int port, address *out) {
    const struct addrinfo *entry = list_entry(f, resolve, offload)->answer;
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
