/* SPDX-License-Identifier: MIT
 *
 * What comes in over HTTP, as Lua sees it: heads, fields, chunks. These functions take what has come from a stream's unread
 * bytes, or say that more has to come; who waits for that is Lua.
 *
 * A head becomes one string, in which its fields are looked for when they are asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/http_chunk.h"
#include "base/http_memo.h"
#include "binding/net/reading.h"

/* What Lua is told of a head. */
enum flag {
    KEEP_ALIVE = 1,
    EXPECTS = 2,
    UPGRADE = 4,
    HTTP_1_1 = 8,
};

static io *open_stream(lua_State *L, int index) {
    return io_get(&runtime_of(L)->executor, *(const momo_token *)lua_touserdata(L, index));
}

/* Pushes the first n unread bytes and drops them. */
static const char *take_bytes(lua_State *L, io *o, size_t n) {
    reading_push(L, o, n);
    return lua_tostring(L, -1);
}

/* nil for what there is not: only a method can be at 0. */
static void push_span(lua_State *L, const char *bytes, http_span span) {
    if (span.at) {
        lua_pushlstring(L, bytes + span.at, span.length);
    } else {
        lua_pushnil(L);
    }
}

/* nil, status, text */
static int push_fault(lua_State *L, int fault) {
    lua_pushnil(L);
    lua_pushinteger(L, http_fault_status(fault));
    lua_pushstring(L, http_fault_text(fault));
    return 3;
}

/* More has to come: false, and how many bytes there are. */
static int push_more(lua_State *L, const io *o) {
    lua_pushboolean(L, false);
    lua_pushnumber(L, (lua_Number)stream_unread(o));
    return 2;
}

static int flags_of(const http_head *h) {
    return (h->keep_alive ? KEEP_ALIVE : 0) | (h->expects ? EXPECTS : 0) | (h->upgrade ? UPGRADE : 0) |
           (h->minor ? HTTP_1_1 : 0);
}

/* The length of a body; true: it is chunked; false: it lasts until the close; nil: there is none. */
static void push_body(lua_State *L, const http_head *h) {
    if (h->body == HTTP_BODY_CHUNKED || h->body == HTTP_BODY_UNTIL_CLOSE) {
        lua_pushboolean(L, h->body == HTTP_BODY_CHUNKED);
    } else if (h->body == HTTP_BODY_LENGTH && h->length > 0) {
        lua_pushnumber(L, (lua_Number)h->length);
    } else {
        lua_pushnil(L);
    }
}

enum { SHORT = 1024 }; /* bytes of a head that is read anew whenever more of it has come */

/* Whether a head may end within n bytes, though it did not within the first `seen`. Without another line it does not, and so a long one
 * is not read over and over. */
static bool may_end(const char *bytes, size_t n, size_t seen, size_t max) {
    return seen < SHORT || n >= max || memchr(bytes + seen, '\n', n - seen);
}

enum { MEMOS = 16 };

/* Connections share what is remembered of their requests; those of few clients that are busy at a time have each its own. */
static http_memo *memo_of(lua_State *L, const io *o) {
    return runtime_of_task(L)->http_memos + slab_id(&o->head) % MEMOS;
}

static void forget_memos(runtime *rt) {
    free(rt->http_memos);
    rt->http_memos = NULL;
}

/* What a server takes of a request, and how long it waits for it. */
typedef struct request_limits {
    http_limits limits;
    double idle, head; /* seconds without a request; seconds for a head. Negative: for ever */
    bool is_first;     /* of a connection: the time for the head began when that was accepted */
} request_limits;

static const metatable request_limits_metatable = {.name = "momo.http_request_limits"};

/* http_request_limits(max_head, max_target, max_fields, idle, head, is_first) -> limits of http_request; nil: for ever */
static int http_request_limits(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (!rt->http_memos && !(rt->http_memos = calloc(MEMOS, sizeof *rt->http_memos))) {
        return luaL_error(L, "not enough memory");
    }
    request_limits *p = push_object(L, sizeof *p, &request_limits_metatable);
    p->limits = (http_limits){(uint32_t)luaL_checknumber(L, 1), (uint32_t)luaL_checknumber(L, 2),
                              (uint32_t)luaL_checknumber(L, 3)};
    p->idle = luaL_optnumber(L, 4, -1);
    p->head = luaL_optnumber(L, 5, -1);
    p->is_first = lua_toboolean(L, 6);
    return 1;
}

/* nil for this word, which need not be made a string again and again. */
static void push_unless(lua_State *L, const char *bytes, http_span span, const char *word) {
    if (span.length == strlen(word) && memcmp(bytes + span.at, word, span.length) == 0) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, bytes + span.at, span.length);
    }
}

static int push_request(lua_State *L, io *o, const http_head *h) {
    const char *bytes = take_bytes(L, o, h->size);
    o->executor->counters.requests++;
    lua_pushinteger(L, flags_of(h));
    push_body(L, h);
    push_unless(L, bytes, h->method, "GET");
    push_unless(L, bytes, h->path, h->path.length ? "/" : "");
    push_span(L, bytes, h->query);
    if (bytes[h->target.at] == '/') {
        return 6;
    }
    push_span(L, bytes, h->target);
    push_span(L, bytes, h->host.at < h->fields ? h->host : (http_span){0, 0});
    return 8;
}

OP_HOT void check_request(lua_State *L, op *o) {
    const request_limits *p = o->subject;
    (void)L;
    if (o->io) {
        o->timeout = p->is_first || !stream_unread(o->io) ? p->idle : p->head;
        o->io->searched = 0;
    }
}

/* The first bytes of a head have come. */
static void begin_head(op *o, const request_limits *p) {
    if (!p->is_first) {
        o->timeout = p->head;
        o->task->timer.deadline_ms = op_deadline(o->task, p->head);
    }
}

/* io.searched: bytes in which no head ends. */
OP_HOT int attempt_request(lua_State *L, op *o) {
    const request_limits *p = o->subject;
    int status;
    for (status = reading_fill(o, 0); status == 0; status = reading_fill(o, stream_unread(o->io) + 1)) {
        size_t seen = o->io->searched, unread = stream_unread(o->io);
        const char *bytes = stream_bytes(o->io);
        o->io->searched = (uint32_t)unread;
        if (unread == 0 || !may_end(bytes, unread, seen, p->limits.head)) {
            continue;
        }
        http_head h;
        int size = http_request_parse(&h, bytes, unread, &p->limits, memo_of(L, o->io));
        if (size) {
            return size < 0 ? push_fault(L, size) : push_request(L, o->io, &h);
        }
        if (seen == 0) {
            begin_head(o, p);
        }
    }
    return status;
}

/* http_request(stream, limits)
 * -> head, flags, body, method or nil: GET, path or nil: "/", query, target, host: the last two only if the target is no path
 * | nil, status, text: it is refused | nil, err, code */
static int http_request(lua_State *L) {
    static const op_kind kind = READING("request", check_request, attempt_request, NULL);
    return op_run_as(L, &kind, kind.name, lua_touserdata(L, 2));
}

/* http_response(stream, bodiless, max_head, max_fields, seen): in so many bytes no head ends
 * -> status, reason, head, fields, flags, body: fields is where they begin in the head | false, unread | nil, status, text */
static int http_response(lua_State *L) {
    const http_limits limits = {.head = (uint32_t)lua_tointeger(L, 3), .fields = (uint32_t)lua_tointeger(L, 4)};
    io *o = open_stream(L, 1);
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    http_head h;
    int status = 0;
    if (may_end(stream_bytes(o), stream_unread(o), (size_t)lua_tointeger(L, 5), limits.head)) {
        status = http_response_parse(&h, stream_bytes(o), stream_unread(o), &limits, lua_toboolean(L, 2));
    }
    if (status <= 0) {
        return status < 0 ? push_fault(L, status) : push_more(L, o);
    }
    const char *bytes = take_bytes(L, o, h.size);
    lua_pushinteger(L, h.status);
    push_span(L, bytes, h.reason);
    lua_pushvalue(L, -3);
    lua_pushinteger(L, (lua_Integer)h.fields);
    lua_pushinteger(L, flags_of(&h));
    push_body(L, &h);
    return 6;
}

/* The head at index 1: its fields begin at index 2, or behind its first line, and end before its empty line. */
static const char *check_head(lua_State *L, uint32_t *at, uint32_t *end) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    *end = (uint32_t)size - 2;
    *at = lua_isnil(L, 2) ? http_fields_begin(bytes, size) : (uint32_t)luaL_checkinteger(L, 2);
    return bytes;
}

/* Pushes the values of all fields of a name, joined. */
static bool push_joined(lua_State *L, const char *bytes, uint32_t at, uint32_t end, const char *name, size_t length) {
    http_field field;
    if (!http_field_find(bytes, end, &at, name, length, &field)) {
        return false;
    }
    lua_pushlstring(L, bytes + field.value.at, field.value.length);
    const char *separator = length == 6 && strncasecmp(name, "cookie", 6) == 0 ? "; " : ", ";
    int pieces = 1;
    while (http_field_find(bytes, end, &at, name, length, &field)) {
        luaL_checkstack(L, 4, "too many fields");
        lua_pushstring(L, separator);
        lua_pushlstring(L, bytes + field.value.at, field.value.length);
        pieces += 2;
    }
    lua_concat(L, pieces);
    return true;
}

/* http_header(head, fields or nil, name) -> value or nil */
static int http_header(lua_State *L) {
    uint32_t at, end;
    size_t length;
    const char *bytes = check_head(L, &at, &end), *name = luaL_checklstring(L, 3, &length);
    if (!push_joined(L, bytes, at, end, name, length)) {
        lua_pushnil(L);
    }
    return 1;
}

/* http_headers(head, fields or nil) -> table: name in lower case -> value */
static int http_headers(lua_State *L) {
    uint32_t at, end;
    const char *bytes = check_head(L, &at, &end);
    const uint32_t first = at;
    lua_newtable(L);
    for (http_field field; http_field_next(bytes, end, &at, &field);) {
        const char *name = bytes + field.name.at;
        luaL_Buffer lower;
        luaL_buffinit(L, &lower);
        for (uint32_t i = 0; i < field.name.length; i++) {
            luaL_addchar(&lower, (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]));
        }
        luaL_pushresult(&lower);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            push_joined(L, bytes, first, end, name, field.name.length);
            lua_rawset(L, -3);
        } else {
            lua_pop(L, 2);
        }
    }
    return 1;
}

/* http_field(head, at or nil) -> the next at, name, value; or nothing */
static int http_field_at(lua_State *L) {
    uint32_t at, end;
    const char *bytes = check_head(L, &at, &end);
    http_field field;
    if (!http_field_next(bytes, end, &at, &field)) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)at);
    lua_pushlstring(L, bytes + field.name.at, field.name.length);
    lua_pushlstring(L, bytes + field.value.at, field.value.length);
    return 3;
}

/* http_fields(text, max_fields) -> its size: fields and the empty line behind them | false: not whole | nil, text */
static int http_fields(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    const http_limits limits = {.head = UINT32_MAX / 2, .fields = (uint32_t)luaL_checkinteger(L, 2)};
    int status = http_fields_parse(bytes, size, &limits);
    if (status < 0) {
        lua_pushnil(L);
        lua_pushstring(L, http_fault_text(status));
        return 2;
    }
    if (status == 0) {
        lua_pushboolean(L, false);
    } else {
        lua_pushinteger(L, status);
    }
    return 1;
}

static const metatable chunk_metatable = {.name = "momo.http_chunk"};

/* http_chunked(extra) -> the state of a chunked body: extra bytes its extensions and trailers may have */
static int http_chunked(lua_State *L) {
    uint32_t extra = (uint32_t)luaL_checkinteger(L, 1);
    http_chunk_init(push_object(L, sizeof(http_chunk), &chunk_metatable), extra);
    return 1;
}

/* http_chunk(stream, state, max) -> bytes of the body | true: trailers follow | false, unread | nil, status, text */
static int http_take_chunk(lua_State *L) {
    io *o = open_stream(L, 1);
    http_chunk *c = luaL_checkudata(L, 2, chunk_metatable.name);
    size_t max = (size_t)lua_tonumber(L, 3), used;
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    int status = http_chunk_read(c, stream_bytes(o), stream_unread(o), &used);
    stream_consume(o, used);
    if (status < 0) {
        return push_fault(L, status);
    }
    if (status == HTTP_CHUNK_LAST) {
        lua_pushboolean(L, true);
        return 1;
    }
    size_t n = stream_unread(o);
    if (status == 0 || n == 0) {
        return push_more(L, o);
    }
    n = n < c->left ? n : (size_t)c->left;
    n = n < max ? n : max;
    take_bytes(L, o, n);
    http_chunk_take(c, n);
    return 1;
}

/* http_trailers(stream, state, max_fields) -> fields and an empty line | false, unread | nil, status, text */
static int http_take_trailers(lua_State *L) {
    io *o = open_stream(L, 1);
    const http_chunk *c = luaL_checkudata(L, 2, chunk_metatable.name);
    const http_limits limits = {.head = c->extra + 2, .fields = (uint32_t)lua_tointeger(L, 3)};
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    int status = http_fields_parse(stream_bytes(o), stream_unread(o), &limits);
    if (status < 0) {
        return push_fault(L, status == -HTTP_HEAD_LARGE ? HTTP_CHUNK_EXTRA : status);
    }
    if (status == 0) {
        return push_more(L, o);
    }
    take_bytes(L, o, (size_t)status);
    return 1;
}

static const function functions[] = {
    {"http_request_limits", http_request_limits},
    {"http_request", http_request},
    {"http_response", http_response},
    {"http_header", http_header},
    {"http_headers", http_headers},
    {"http_field", http_field_at},
    {"http_fields", http_fields},
    {"http_chunked", http_chunked},
    {"http_chunk", http_take_chunk},
    {"http_trailers", http_take_trailers},
    {NULL, NULL},
};

static const metatable *const metatables[] = {&chunk_metatable, &request_limits_metatable, NULL};

const module http_module = {.functions = functions, .metatables = metatables, .close = forget_memos};
