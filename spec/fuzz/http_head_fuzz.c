/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for base/http_head.h: what is taken keeps its invariants, and what is said of a prefix is "not yet" until the
 * verdict, which is then said for ever.
 *
 * The first byte: bit 0 a response, bit 1 without a body, bit 2 with limits that are soon reached. */
#include "base/http_memo.h"

#include <string.h>

#include "check.h"

static const http_limits ROOMY = {.head = 16384, .target = 8192, .fields = 100};
static const http_limits TIGHT = {.head = 90, .target = 20, .fields = 3};

/* In memory of its own, so that a read behind its end is seen. */
static int parse(const char *bytes, size_t n, unsigned flags) {
    const http_limits *limits = flags & 4 ? &TIGHT : &ROOMY;
    char *own = malloc(n + 1);
    http_head h;
    memcpy(own + 1, bytes, n);
    int status = flags & 1 ? http_response_parse(&h, own + 1, n, limits, flags & 2)
                           : http_request_parse(&h, own + 1, n, limits, NULL);
    if (!(flags & 1)) { /* what is remembered of the bytes themselves changes nothing */
        http_memo memo = {.size = 0};
        for (int again = 0; again < 2; again++) {
            http_head other;
            CHECK(http_request_parse(&other, own + 1, n, limits, &memo) == status);
            CHECK(status <= 0 || (other.size == h.size && other.body == h.body && other.host.at == h.host.at &&
                                  other.length == h.length && other.keep_alive == h.keep_alive));
        }
    }
    if (status > 0) {
        CHECK((h.status > 0) == (flags & 1));
        CHECK_INVARIANTS(http_head_check(&h, own + 1, n, limits));
    }
    free(own);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0) {
        return 0;
    }
    const char *bytes = (const char *)data + 1;
    int verdict = 0;
    for (size_t i = 0; i < n; i++) {
        int status = parse(bytes, i, data[0]);
        CHECK(verdict == 0 || status == verdict);
        CHECK(status <= 0 || verdict || (size_t)status == i);
        verdict = status;
    }
    return 0;
}
