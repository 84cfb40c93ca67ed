/* SPDX-License-Identifier: MIT
 *
 * What stands between the pieces of a chunked body. Each byte of it is looked at once, wherever the input was split:
 *
 *   5 ; name = value CR LF hello CR LF 0 CR LF trailers
 *   size  extension        data        last
 */
#pragma once
#include "base/http_field.h"

typedef struct http_chunk {
    uint64_t left;  /* bytes of data that the chunk still has; while its size is read, as far as that has come */
    uint32_t extra; /* bytes that extensions, and then trailers, may still take */
    uint8_t state;
    uint8_t digits; /* of the size, as far as that has come */
} http_chunk;

enum {
    HTTP_CHUNK_DATA = 1, /* `left` bytes of data follow */
    HTTP_CHUNK_LAST = 2, /* trailers follow: http_fields_parse */
};

/* extra: bytes that all extensions and trailers of the body may take. */
void http_chunk_init(http_chunk *, uint32_t extra);
/* Reads what is no data: HTTP_CHUNK_DATA, HTTP_CHUNK_LAST, 0 if more has to come, or -enum http_fault, after which there
 * is no going on. *used bytes can be dropped. */
int http_chunk_read(http_chunk *, const char *bytes, size_t n, size_t *used);
/* n of the bytes of data that follow were taken. */
void http_chunk_take(http_chunk *, size_t n);

/* Verifies what must hold between two calls: 0, or the line of the condition that does not. */
int http_chunk_check(const http_chunk *);
