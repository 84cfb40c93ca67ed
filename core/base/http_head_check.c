/* SPDX-License-Identifier: MIT
 *
 * What must hold of a head that was taken: see http_head.h.
 */
#include <string.h>

#include "base/http_head.h"

#define HOLDS(condition)     \
    do {                     \
        if (!(condition)) {  \
            return __LINE__; \
        }                    \
    } while (0)

static bool inside(http_span inner, http_span outer) {
    return inner.at >= outer.at && inner.at + inner.length <= outer.at + outer.length;
}

static int check_fields(const http_head *h, const char *bytes) {
    uint32_t at = h->fields, end = h->size - 2, count = 0;
    for (http_field field, same; http_field_next(bytes, end, &at, &field); count++) {
        HOLDS(http_is_token(bytes + field.name.at, field.name.length));
        HOLDS(http_is_value(bytes + field.value.at, field.value.length));
        HOLDS(field.value.at + field.value.length + 2 <= at);
        uint32_t again = field.name.at;
        HOLDS(http_field_find(bytes, end, &again, bytes + field.name.at, field.name.length, &same));
        HOLDS(again == at && memcmp(&field, &same, sizeof field) == 0);
    }
    HOLDS(at == end && count == h->field_count);
    return 0;
}

static int check_request(const http_head *h, const char *bytes, const http_limits *limits) {
    HOLDS(h->body != HTTP_BODY_UNTIL_CLOSE);
    HOLDS(h->method.length <= HTTP_METHOD_MAX && http_is_token(bytes + h->method.at, h->method.length));
    HOLDS(h->target.at == h->method.at + h->method.length + 1);
    HOLDS(h->target.length > 0 && h->target.length <= limits->target && h->target.at + h->target.length < h->fields);
    HOLDS(inside(h->path, h->target));
    HOLDS(!h->query.at || (inside(h->query, h->target) && bytes[h->query.at - 1] == '?'));
    HOLDS(h->host.at ? h->host.at + h->host.length < h->size : h->minor == 0);
    return 0;
}

static int check_response(const http_head *h) {
    HOLDS(h->status >= 100 && h->status <= 599);
    HOLDS(h->reason.at + h->reason.length < h->fields);
    HOLDS(h->body != HTTP_BODY_UNTIL_CLOSE || !h->keep_alive);
    return 0;
}

int http_head_check(const http_head *h, const char *bytes, size_t n, const http_limits *limits) {
    HOLDS(h->size <= n && h->size <= limits->head && h->fields + 2 <= h->size);
    HOLDS(memcmp(bytes + h->size - 4, "\r\n\r\n", 4) == 0 && bytes[h->fields - 1] == '\n');
    HOLDS(h->field_count <= limits->fields && h->minor <= 1 && h->length >= -1);
    HOLDS(h->body != HTTP_BODY_LENGTH || h->length >= 0);
    HOLDS(h->body != HTTP_BODY_CHUNKED || (h->length == -1 && h->minor == 1));
    int line = check_fields(h, bytes);
    return line ? line : h->status ? check_response(h) : check_request(h, bytes, limits);
}
