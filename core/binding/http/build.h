/* SPDX-License-Identifier: MIT
 *
 * Heads on their way out: a buffer of the runtime's, to which lines and tables of headers are appended.
 *
 * Nothing allocates on Lua's side while an answer is built, and none is begun in a finalizer (http_build_begin says so);
 * so no other answer is built there meanwhile.
 */
#pragma once
#include <string.h>
#include <time.h>

#include "base/http_field.h"
#include "binding/runtime.h"
#include "net/stream.h"

enum { HTTP_DATE_SIZE = sizeof "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" - 1 };

typedef struct http_build {
    char *bytes;
    size_t size, capacity;
    const char *operation;      /* in errors */
    bool has_date, closes;      /* what the headers have said */
    bool takes_coding;          /* Transfer-Encoding may be among them */
    int64_t length;             /* their Content-Length, which is left out; or -1 */
    double made_on;             /* the wall of the executor's clock when the date was made, */
    uint64_t made_at, made_for; /* its stamp, and how much later it is another date */
    char date[96];
} http_build;

/* An empty one. Raises where the caller may not suspend. */
http_build *http_build_begin(lua_State *, const char *operation);
/* Sends what was built, if the stream (or NULL) takes it here and now. Pushes true; or, where something is left of it, all of
 * it as a string, of which the task's next write on the stream sends that; or a failure. */
int http_build_send(lua_State *, http_build *, io *);
/* What has been built was used. */
void http_build_end(http_build *);

void http_build_grow(lua_State *, http_build *, size_t more);
static inline void append(lua_State *L, http_build *b, const char *bytes, size_t n) {
    if (b->capacity - b->size < n) {
        http_build_grow(L, b, n);
    }
    memcpy(b->bytes + b->size, bytes, n);
    b->size += n;
}
#define APPEND(L, b, literal) append(L, b, literal, sizeof(literal) - 1)
void append_whole(lua_State *, http_build *, uint64_t number);
void append_date(lua_State *, http_build *);
void append_length(lua_State *, http_build *, uint64_t length);
/* The headers of a table, or of nil. over: the index of another one, whose headers stand in for those of the same name;
 * or 0. A mistake is thrown at the line of the program: what is sent must not be what somebody else has slipped in. */
void append_headers(lua_State *, http_build *, int table, int over);
