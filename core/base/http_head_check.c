/* SPDX-License-Identifier: MIT
 *
 * What must hold of a head that was taken: see http_head.h.
 */
#include <string.h>

#include "base/http_head.h"
#include "base/invariant.h"

static bool inside(http_span inner, http_span outer) {
    return inner.at >= outer.at && inner.at + inner.length <= outer.at + outer.length;
}

static int check_fields(const http_head *h, const char *bytes) {
    uint32_t at = h->fields, end = h->size - 2, count = 0;
    for (http_field field, same; http_field_next(bytes, end, &at, &field); count++) {
        INVARIANT(http_is_token(bytes + field.name.at, field.name.length));
        INVARIANT(http_is_value(bytes + field.value.at, field.value.length));
        INVARIANT(field.value.at + field.value.length + 2 <= at);
        uint32_t again = field.name.at;
        INVARIANT(http_field_find(bytes, end, &again, bytes + field.name.at, field.name.length, &same));
        INVARIANT(again == at && memcmp(&field, &same, sizeof field) == 0);
    }
    INVARIANT(at == end && count == h->field_count);
    return 0;
}

static int check_request(const http_head *h, const char *bytes, const http_limits *limits) {
    INVARIANT(h->body != HTTP_BODY_UNTIL_CLOSE);
    INVARIANT(h->method.length <= HTTP_METHOD_MAX && http_is_token(bytes + h->method.at, h->method.length));
    INVARIANT(h->target.at == h->method.at + h->method.length + 1);
    INVARIANT(h->target.length > 0 && h->target.length <= limits->target &&
              h->target.at + h->target.length < h->fields);
    INVARIANT(inside(h->path, h->target));
    INVARIANT(!h->query.at || (inside(h->query, h->target) && bytes[h->query.at - 1] == '?'));
    INVARIANT(h->host.at ? h->host.at + h->host.length < h->size : h->minor == 0);
    return 0;
}

static int check_response(const http_head *h) {
    INVARIANT(h->status >= 100 && h->status <= 599);
    INVARIANT(h->reason.at + h->reason.length < h->fields);
    INVARIANT(h->body != HTTP_BODY_UNTIL_CLOSE || !h->keep_alive);
    return 0;
}

int http_head_check(const http_head *h, const char *bytes, size_t n, const http_limits *limits) {
    INVARIANT(h->size <= n && h->size <= limits->head && h->fields + 2 <= h->size);
    INVARIANT(memcmp(bytes + h->size - 4, "\r\n\r\n", 4) == 0 && bytes[h->fields - 1] == '\n');
    INVARIANT(h->field_count <= limits->fields && h->minor <= 1 && h->length >= -1);
    INVARIANT(h->body != HTTP_BODY_LENGTH || h->length >= 0);
    INVARIANT(h->body != HTTP_BODY_CHUNKED || (h->length == -1 && h->minor == 1));
    int line = check_fields(h, bytes);
    return line ? line : h->status ? check_response(h) : check_request(h, bytes, limits);
}
