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
    size_t request; /* of the request that was found last behind another one: its size */
    bool lent;      /* bytes are being made a string, which may run finalizers: they may not build anything */
    struct {        /* answers to requests that have come together, which leave together */
        char *bytes;
        size_t size, capacity;
        uint64_t owner; /* the token of their stream, while size is not 0: those of one wait at a time */
    } waiting;
} http_build;

/* The runtime's, empty; NULL: not enough memory. */
http_build *http_build_take(runtime *, const char *operation);
/* The same. Raises where the caller may not suspend. */
http_build *http_build_begin(lua_State *, const char *operation);
/* Sends what was built, if the stream (or NULL) takes it here and now. Pushes true; or, where something is left of it, all of
 * it as a string, of which the task's next write on the stream sends that; or a failure. */
int http_build_send(lua_State *, http_build *, io *);
/* What has been built is made a string. */
void http_build_push(lua_State *, http_build *);
/* Whether answers of another stream than this one wait. */
bool http_build_is_taken(const http_build *, const io *);
/* What has been built waits behind what waits already, as bytes of this stream: true. False: nothing has happened, as there is no
 * memory, or others wait. */
bool http_build_defer(http_build *, const io *);
/* What waits of this stream, if anything does, stands before what has been built. False: no memory, and nothing has happened. */
bool http_build_join(http_build *, const io *);
/* What has been built waits, where nothing did. */
void http_build_keep(http_build *, const io *);
/* Whether a write can be tried here and now. */
static inline bool http_is_writable(const io *o) {
    return !o->broken && !o->writer && !o->executor->current->cancelled;
}
/* What has been built was used. */
void http_build_end(http_build *);

/* Makes room for so many bytes more. */
bool http_build_reserve(http_build *, size_t more);
void http_build_grow(lua_State *, http_build *, size_t more); /* or raises */
static inline void append(lua_State *L, http_build *b, const char *bytes, size_t n) {
    if (b->capacity - b->size < n) {
        http_build_grow(L, b, n);
    }
    memcpy(b->bytes + b->size, bytes, n);
    b->size += n;
}
#define APPEND(L, b, literal) append(L, b, literal, sizeof(literal) - 1)
void append_whole(lua_State *, http_build *, uint64_t number);
void append_date(lua_State *, http_build *, const executor *);
void append_length(lua_State *, http_build *, uint64_t length);
/* The headers of a table, or of nil. over: the index of another one, whose headers stand in for those of the same name;
 * or 0. A mistake is thrown at the line of the program: what is sent must not be what somebody else has slipped in. */
void append_headers(lua_State *, http_build *, int table, int over);
