/* SPDX-License-Identifier: MIT
 *
 * Answers: their heads, and those that leave at once, in one send(2).
 */
#include "base/http_status.h"
#include "binding/http/build.h"
#include "binding/net/pieces.h"

enum {
    SMALL = 16 * 1024,    /* bytes of a body that is copied behind its head, so that both are one send(2) */
    DEFERRED = 32 * 1024, /* bytes of answers that wait for each other at most */
    HEAD = 256,           /* of an answer without headers of its own */
};

/* What Lua says of an answer. */
enum flag {
    KEEP_ALIVE = 1,  /* the client must be told, as it speaks HTTP/1.0 */
    CLOSE = 2,       /* it is the last one on its connection */
    HEAD_ONLY = 4,   /* it answers HEAD */
    UNTIL_CLOSE = 8, /* the client knows no chunks */
    INTERIM = 16,    /* it may be one before the answer, or change the protocol */
};

/* Statuses whose answers have no body: RFC 9110, 6.4.1. */
static bool is_bodiless(int status) {
    return status < 200 || status == 204 || status == 304;
}

static int check_status(lua_State *L, int index, const char *operation, int least) {
    bool is_number = lua_type(L, index) == LUA_TNUMBER;
    double status = is_number ? lua_tonumber(L, index) : 0;
    if (!(status >= least && status <= 599) || status != (int)status) {
        throw(L, "%s: the status must be a whole number from %d to 599, got %s%s", operation, least,
              is_number ? lua_tostring(L, index) : luaL_typename(L, index),
              is_number ? "" : "; write send(200, body), start(200), json(200, value)");
    }
    return (int)status;
}

static void count(executor *ex, int status) {
    ex->counters.responses[status / 100 - 1]++;
}

static inline void append_status(lua_State *L, http_build *b, int status) {
    if (status == 200) {
        APPEND(L, b, "HTTP/1.1 200 OK\r\n");
    } else {
        const char *reason = http_status_reason(status);
        APPEND(L, b, "HTTP/1.1 ");
        append_whole(L, b, (uint64_t)status);
        APPEND(L, b, " ");
        append(L, b, reason, strlen(reason));
        APPEND(L, b, "\r\n");
    }
}

static inline void append_connection(lua_State *L, http_build *b, unsigned flags) {
    if (flags & CLOSE) {
        APPEND(L, b, "Connection: close\r\n");
    } else if (flags & KEEP_ALIVE) {
        APPEND(L, b, "Connection: keep-alive\r\n");
    }
}

/* The head of a response, but for what it says about its body. Its headers are those at this index, and those at the next one
 * that it does not name. */
static void append_response(lua_State *L, http_build *b, int status, unsigned flags, int headers) {
    executor *ex = &runtime_of_task(L)->executor;
    count(ex, status);
    append_status(L, b, status);
    append_headers(L, b, headers, 0);
    append_headers(L, b, headers + 1, headers);
    if (!b->has_date && status >= 200) {
        append_date(L, b, ex);
    }
    if (!b->closes) {
        append_connection(L, b, flags);
    }
}

/* A body: nothing, a string or an array of strings. */
typedef struct body {
    const char *bytes; /* of a string */
    size_t size;       /* of all */
    int index, pieces;
    bool is_nil;
} body;

static void measure_pieces(lua_State *L, body *b) {
    b->pieces = (int)lua_objlen(L, b->index);
    for (int i = 1; i <= b->pieces; i++) {
        lua_rawgeti(L, b->index, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            throw(L, "send: piece %d of the body must be a string, got %s", i, luaL_typename(L, -1));
        }
        b->size += lua_objlen(L, -1);
        lua_pop(L, 1);
    }
}

static bool is_empty(lua_State *L, int index) {
    lua_pushnil(L);
    if (lua_next(L, index) == 0) {
        return true;
    }
    lua_pop(L, 2);
    return false;
}

static body body_at(lua_State *L, int index) {
    body b = {.index = index};
    switch (lua_type(L, index)) {
    case LUA_TSTRING: b.bytes = lua_tolstring(L, index, &b.size); break;
    case LUA_TTABLE:
        measure_pieces(L, &b);
        if (b.pieces == 0 && !is_empty(L, index)) {
            throw(L,
                  "send: the body must be a string or an array of strings, got a table with other keys; response:json "
                  "sends one");
        }
        break;
    case LUA_TNIL: b.is_nil = true; break;
    default: throw(L, "send: the body must be a string or an array of strings, got %s", luaL_typename(L, index));
    }
    return b;
}

static void append_body(lua_State *L, http_build *b, const body *content) {
    if (content->bytes) {
        append(L, b, content->bytes, content->size);
    }
    for (int i = 1; i <= content->pieces; i++) {
        lua_rawgeti(L, content->index, i);
        size_t n;
        const char *bytes = lua_tolstring(L, -1, &n);
        append(L, b, bytes, n);
        lua_pop(L, 1);
    }
}

/* What the head says about the body, and its end. Whether the body, if there is one, follows. */
static bool append_framing(lua_State *L, http_build *b, int status, unsigned flags, const body *content) {
    const size_t size = content->size;
    bool bodiless = is_bodiless(status), silent = bodiless || flags & HEAD_ONLY;
    if (silent && content->is_nil) {
        if (b->length >= 0 && status >= 200 && status != 204) {
            append_length(L, b, (uint64_t)b->length);
        }
    } else if (b->length >= 0 && (uint64_t)b->length != size) {
        throw(L, "send: the header Content-Length is %f, and the body has %f bytes", (double)b->length, (double)size);
    } else if (!bodiless) {
        append_length(L, b, size);
    }
    APPEND(L, b, "\r\n");
    return !silent && size > 0;
}

/* Whether the next request has come. It is often as long as the one before it. */
static bool has_whole_request(http_build *b, const io *o) {
    static const char END[] = "\r\n\r\n";
    const char *bytes = stream_bytes(o);
    const size_t unread = stream_unread(o);
    if (unread >= b->request && memcmp(bytes + b->request - 4, END, 4) == 0) {
        return true;
    }
    const char *end = unread ? memmem(bytes, unread, END, 4) : NULL;
    b->request = end ? (size_t)(end - bytes) + 4 : b->request;
    return end;
}

/* Whether the answer that was built waits for those to the requests that have come with its own. If not, what waits stands
 * before it. UV_ENOMEM: nothing has happened. */
static int defer(http_build *b, const io *o, bool may_wait) {
    if (may_wait && b->waiting.size + b->size < DEFERRED && has_whole_request(b, o) && http_build_defer(b, o)) {
        return true;
    }
    return http_build_join(b, o) ? false : UV_ENOMEM;
}

/* http_send(stream, flags, status, headers, more, body): a whole answer. `headers` stand in for those of their names in
 * `more`.
 * -> true: it has left | false: it waits for those behind it, see http_waiting | a string, which is to be written
 *    the bytes of the body that is sent
 *    closes: a header says that the connection ends with it; whole: the body is in it. What is no string, and closes
 *    nothing, goes without these two
 * | nil, err, code */
static int http_send(lua_State *L) {
    lua_settop(L, 6);
    const unsigned flags = (unsigned)lua_tointeger(L, 2);
    const int status = check_status(L, 3, "send", 200);
    const body content = body_at(L, 6);
    http_build *b = http_build_begin(L, "send");
    append_response(L, b, status, flags, 4);
    const bool follows = append_framing(L, b, status, flags, &content), whole = !follows || content.size <= SMALL;
    if (follows && whole) {
        append_body(L, b, &content);
    }
    io *o = io_get(&runtime_of_task(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
    const int deferred = o ? defer(b, o, whole && !b->closes && !(flags & CLOSE)) : false;
    if (deferred < 0) {
        return luaL_error(L, "not enough memory");
    }
    if (deferred) {
        lua_pushboolean(L, false);
    } else if (http_build_send(L, b, whole ? o : NULL) > 1) {
        return 3;
    }
    http_build_end(b);
    lua_pushnumber(L, (lua_Number)(follows ? content.size : 0));
    if (lua_isboolean(L, -2) && !b->closes) {
        return 2;
    }
    lua_pushboolean(L, b->closes);
    lua_pushboolean(L, whole);
    return 4;
}

/* Sends what was built; what the system does not take waits. */
static int send_now(http_build *b, io *o) {
    ssize_t n = stream_write(o, &(struct iovec){b->bytes, b->size}, 1);
    if (n == (ssize_t)b->size) {
        return MOMO_SENT;
    }
    if (n < 0 && n != UV_EAGAIN) {
        return (int)n;
    }
    if (n > 0) {
        b->size -= (size_t)n;
        memmove(b->bytes, b->bytes + n, b->size);
    }
    http_build_keep(b, o);
    return MOMO_LEFT;
}

/* Whether an answer can leave by this stream without Lua's stack: nothing is under way there, and its bytes are the system's. */
static bool is_simple(const io *o) {
    return !o->driven && layer_raw(o->layer, o) && http_is_writable(o);
}

int momo_http_send(executor *ex, const momo_token *token, int flags, double number, const char *body, size_t size) {
    const int status = number >= 200 && number <= 599 ? (int)number : 204;
    io *o = ex->current ? io_get(ex, *token) : NULL;
    runtime *rt = ex->user;
    if (!o || !is_simple(o) || is_bodiless(status) || status != number || flags & HEAD_ONLY || size > SMALL ||
        !rt->http_build || rt->http_build->lent || http_build_is_taken(rt->http_build, o)) {
        return MOMO_NOT_SENT;
    }
    http_build *b = http_build_take(rt, "send");
    if (!http_build_reserve(b, HEAD + size)) {
        return MOMO_NOT_SENT;
    }
    append_status(NULL, b, status);
    append_date(NULL, b, ex);
    append_connection(NULL, b, (unsigned)flags);
    append_length(NULL, b, size);
    APPEND(NULL, b, "\r\n");
    append(NULL, b, body, size);
    const int deferred = defer(b, o, !(flags & CLOSE));
    if (deferred < 0) {
        return MOMO_NOT_SENT;
    }
    count(ex, status);
    const int outcome = deferred ? MOMO_DEFERRED : send_now(b, o);
    http_build_end(b);
    return outcome;
}

/* http_waiting(stream) -> what waits of its answers, and does so no longer; or nil */
static int http_waiting(lua_State *L) {
    http_build *b = runtime_of(L)->http_build;
    if (!b || b->lent || !b->waiting.size || b->waiting.owner != io_id(*(const momo_token *)lua_touserdata(L, 1))) {
        return 0;
    }
    b->lent = true;
    lua_pushlstring(L, b->waiting.bytes, b->waiting.size);
    b->lent = false;
    b->waiting.size = 0;
    http_build_end(b);
    return 1;
}

/* http_start(flags, status, headers, more) -> the head of an answer whose body comes piece by piece, whether a header says
 * that the connection ends with it, and the length that a header says, or nil: the body is chunked, or lasts until the
 * close. */
static int http_start(lua_State *L) {
    lua_settop(L, 4);
    const unsigned flags = (unsigned)lua_tointeger(L, 1);
    const int status = check_status(L, 2, "start", flags & INTERIM ? 100 : 200);
    http_build *b = http_build_begin(L, "start");
    append_response(L, b, status, flags, 3);
    bool bodiless = is_bodiless(status);
    if (b->length >= 0 && (!bodiless || status == 304)) {
        append_length(L, b, (uint64_t)b->length);
    } else if (!bodiless && !(flags & UNTIL_CLOSE)) {
        APPEND(L, b, "Transfer-Encoding: chunked\r\n");
    }
    APPEND(L, b, "\r\n");
    http_build_push(L, b);
    http_build_end(b);
    lua_pushboolean(L, b->closes);
    if (b->length < 0 || bodiless) {
        return 2;
    }
    lua_pushnumber(L, (lua_Number)b->length);
    return 3;
}

/* http_head(operation, line, headers, more) -> a head that begins with this line, or trailers, if that is empty. What it says
 * about a body is the caller's affair; trailers say nothing of that. */
static int http_head(lua_State *L) {
    lua_settop(L, 4);
    size_t n;
    const char *operation = luaL_checkstring(L, 1), *line = luaL_checklstring(L, 2, &n);
    http_build *b = http_build_begin(L, operation);
    b->takes_coding = n > 0;
    if (n) {
        append(L, b, line, n);
        APPEND(L, b, "\r\n");
    }
    append_headers(L, b, 3, 0);
    append_headers(L, b, 4, 3);
    if (b->length >= 0 && !n) {
        throw(L, "%s: Content-Length can't be a trailer: it says how the message is read", operation);
    } else if (b->length >= 0) {
        append_length(L, b, (uint64_t)b->length);
    }
    APPEND(L, b, "\r\n");
    http_build_push(L, b);
    http_build_end(b);
    return 1;
}

static const function functions[] = {
    {"http_send", http_send},
    {"http_waiting", http_waiting},
    {"http_start", http_start},
    {"http_head", http_head},
    {NULL, NULL},
};

const module http_answer_module = {.functions = functions};
