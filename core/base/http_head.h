/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP/1 message: bytes in, offsets out, and how its body is framed.
 *
 *   GET /a?b=1 HTTP/1.1 CR LF Host: example.com CR LF Accept: text/html CR LF CR LF
 *   |   |  |                  |                                               |    |
 *   |   |  query              fields                           end of the fields   size
 *   |   target, path
 *   method
 *
 * What two readers could understand differently is refused: enum http_fault says what. The offsets of the fields are not
 * kept: to walk over good bytes again costs less than a place to keep them in.
 */
#pragma once
#include "base/http_field.h"

enum { HTTP_METHOD_MAX = 32 }; /* bytes */

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,      /* as many bytes as the head says */
    HTTP_BODY_CHUNKED,     /* see http_chunk.h */
    HTTP_BODY_UNTIL_CLOSE, /* of a response only */
};

struct http_memo;

typedef struct http_head {
    uint32_t size;    /* bytes, with the empty line at the end; the fields end two bytes before */
    uint32_t fields;  /* where they begin */
    http_span method; /* of a request, as are target, path, query and host */
    http_span target;
    http_span path;   /* empty in "http://example.com?a" */
    http_span query;  /* behind "?"; at is 0 where there is none */
    http_span host;   /* in the target if that has one, else the value of Host; at is 0 where there is neither */
    http_span reason; /* of a response */
    int64_t length;   /* what Content-Length says, or -1 */
    uint32_t field_count;
    uint16_t status; /* of a response; 0 in a request */
    uint8_t minor;   /* HTTP/1.minor: 0 or 1 */
    uint8_t body;    /* enum http_body */
    bool keep_alive; /* another message may follow on this connection */
    bool expects;    /* the client waits for 100 Continue */
    bool upgrade;    /* there is an Upgrade, and Connection names it */
} http_head;

/* The size of the head; 0: it is not whole yet; negative: -enum http_fault. No byte behind limits->head is looked at. What
 * *head holds is good only when its size is returned. memo: of requests before it, or NULL (http_memo.h). */
int http_request_parse(http_head *, const char *bytes, size_t n, const http_limits *, struct http_memo *);
/* The same of a response. bodiless: it answers HEAD. */
int http_response_parse(http_head *, const char *bytes, size_t n, const http_limits *, bool bodiless);

/* Verifies what must hold of a head that was taken from these bytes: 0, or the line of the condition that does not. */
int http_head_check(const http_head *, const char *bytes, size_t n, const http_limits *);
