/* SPDX-License-Identifier: MIT
 *
 * The fields of the request that was parsed last: a client says the same ones in each of its requests, of which only the first line
 * differs. Where they are the same bytes they have the same meaning, and are not parsed again.
 */
#pragma once
#include <string.h>

#include "base/http_head.h"

enum { HTTP_MEMO_MAX = 1024 }; /* bytes of fields that are remembered */

typedef struct http_memo {
    uint32_t size;  /* of the fields with their empty line; 0: nothing is remembered */
    uint32_t count; /* of the fields */
    http_span host; /* from the first field on; at is 0 where there is none */
    int64_t length;
    uint8_t minor, body; /* what the fields mean depends on the version */
    bool keep_alive, expects, upgrade;
    char bytes[HTTP_MEMO_MAX];
} http_memo;

/* Whether the remembered fields are those at bytes + at, of a request whose first line *head holds: then that is completed. No
 * byte from `end` on is looked at. */
static inline bool http_memo_recall(const http_memo *m, http_head *head, const char *bytes, uint32_t at,
                                    const char *end, const http_limits *limits) {
    if (m->size == 0 || (size_t)(end - bytes) - at < m->size || m->minor != head->minor || m->count > limits->fields ||
        memcmp(bytes + at, m->bytes, m->size) != 0) {
        return false;
    }
    head->fields = at;
    head->size = at + m->size;
    head->field_count = m->count;
    if (!head->host.at && m->host.at) {
        head->host = (http_span){at + m->host.at, m->host.length};
    }
    head->length = m->length;
    head->body = m->body;
    head->keep_alive = m->keep_alive;
    head->expects = m->expects;
    head->upgrade = m->upgrade;
    return true;
}

/* Remembers the fields of a whole request in place of what was remembered before, unless they are too many bytes, or its target
 * has hidden where Host is. */
static inline void http_memo_store(http_memo *m, const http_head *head, const char *bytes) {
    const uint32_t size = head->size - head->fields;
    const http_span host = head->host;
    if (size > HTTP_MEMO_MAX || (host.at && host.at < head->fields)) {
        return;
    }
    m->size = size;
    m->count = head->field_count;
    m->host = host.at ? (http_span){host.at - head->fields, host.length} : host;
    m->length = head->length;
    m->minor = head->minor;
    m->body = head->body;
    m->keep_alive = head->keep_alive;
    m->expects = head->expects;
    m->upgrade = head->upgrade;
    memcpy(m->bytes, bytes + head->fields, size);
}
