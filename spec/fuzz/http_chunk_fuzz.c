/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for base/http_chunk.h: a body decoded at once, byte by byte and in pieces is the same body, and ends at the same
 * byte with the same verdict. The first byte says how long the pieces are. */
#include "base/http_chunk.h"

#include <string.h>

#include "check.h"

enum { EXTRA = 24 };

typedef struct decoded {
    char *body;
    size_t size, used;
    int status; /* the last one */
} decoded;

static decoded decode(const char *bytes, size_t n, size_t part) {
    decoded d = {.body = malloc(n + 1)};
    http_chunk c;
    http_chunk_init(&c, EXTRA);
    while (d.status >= 0 && d.status != HTTP_CHUNK_LAST && d.used < n) {
        size_t left = n - d.used, given = left < part ? left : part, used;
        char *own = malloc(given);
        memcpy(own, bytes + d.used, given);
        d.status = http_chunk_read(&c, own, given, &used);
        CHECK(used <= given);
        if (d.status >= 0) {
            CHECK_INVARIANTS(http_chunk_check(&c));
        }
        if (d.status == HTTP_CHUNK_DATA) {
            size_t data = given - used < c.left ? given - used : (size_t)c.left;
            memcpy(d.body + d.size, own + used, data);
            d.size += data;
            used += data;
            if (data) {
                http_chunk_take(&c, data);
            }
        }
        d.used += used;
        free(own);
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0) {
        return 0;
    }
    const char *bytes = (const char *)data + 1;
    decoded whole = decode(bytes, n - 1, n);
    const size_t parts[] = {1, 1 + (size_t)data[0]};
    for (int i = 0; i < 2; i++) {
        decoded split = decode(bytes, n - 1, parts[i]);
        CHECK(split.used == whole.used && split.size == whole.size);
        CHECK(memcmp(split.body, whole.body, whole.size) == 0);
        CHECK((split.status < 0 || whole.status < 0)
                  ? split.status == whole.status
                  : (split.status == HTTP_CHUNK_LAST) == (whole.status == HTTP_CHUNK_LAST));
        free(split.body);
    }
    free(whole.body);
    return 0;
}
