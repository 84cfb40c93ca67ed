/* SPDX-License-Identifier: MIT
 *
 * Heads on their way out: see http_build.h.
 */
#include "binding/http/build.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "binding/op.h"
#include "binding/net/pieces.h"

enum {
    FIRST = 1024,     /* bytes of a fresh buffer, */
    KEPT = 64 * 1024, /* and of one that is kept at most */
    LENGTH_DIGITS = 18,
};

http_build *http_build_take(runtime *rt, const char *operation) {
    http_build *b = rt->http_build;
    if (!b) {
        b = rt->http_build = calloc(1, sizeof *b);
        if (!b) {
            return NULL;
        }
        b->request = 4;
    }
    b->size = 0;
    b->operation = operation;
    b->has_date = b->closes = b->takes_coding = b->lent = false;
    b->length = -1;
    return b;
}

http_build *http_build_begin(lua_State *L, const char *operation) {
    op_check(L, operation);
    http_build *b = http_build_take(runtime_of_task(L), operation);
    if (!b) {
        luaL_error(L, "not enough memory");
    }
    return b;
}

void http_build_push(lua_State *L, http_build *b) {
    b->lent = true;
    lua_pushlstring(L, b->bytes, b->size);
    b->lent = false;
}

int http_build_send(lua_State *L, http_build *b, io *o) {
    size_t sent = 0;
    if (o && http_is_writable(o)) {
        ssize_t n = stream_send(o, &(struct iovec){b->bytes, b->size}, 1, true);
        if (n < 0 && n != UV_EAGAIN) {
            return push_failure(L, (int)n);
        }
        sent = n < 0 ? 0 : (size_t)n;
    }
    bool begun = sent || (o && o->transfer.block); /* the poller sends it, and whoever writes it is told */
    if (sent == b->size && !(o && o->pending)) {   /* else a write waits until the layers have given all of it away */
        lua_pushboolean(L, true);
        return 1;
    }
    if (begun) { /* should the push raise, what was sent is cut short */
        o->cut = o->broken = true;
    }
    http_build_push(L, b);
    if (begun) { /* the turn is ours, so that nothing comes between the two parts */
        o->cut = o->broken = false;
        stream_begin_write(o, o->executor->current);
        o->written = sent;
    }
    return 1;
}

static void shrink(char **bytes, size_t *capacity) {
    if (*capacity > KEPT) {
        free(*bytes);
        *bytes = NULL;
        *capacity = 0;
    }
}

void http_build_end(http_build *b) {
    shrink(&b->bytes, &b->capacity);
    if (!b->waiting.size) {
        shrink(&b->waiting.bytes, &b->waiting.capacity);
    }
}

static void forget_build(runtime *rt) {
    if (rt->http_build) {
        free(rt->http_build->bytes);
        free(rt->http_build->waiting.bytes);
        free(rt->http_build);
        rt->http_build = NULL;
    }
}

static bool reserve(char **bytes, size_t size, size_t *capacity, size_t more) {
    if (*capacity - size >= more) {
        return true;
    }
    size_t wanted = *capacity ? *capacity : FIRST;
    while (wanted - size < more) {
        wanted *= 2;
    }
    char *grown = realloc(*bytes, wanted);
    if (!grown) {
        return false;
    }
    *bytes = grown;
    *capacity = wanted;
    return true;
}

bool http_build_reserve(http_build *b, size_t more) {
    return reserve(&b->bytes, b->size, &b->capacity, more);
}

void http_build_grow(lua_State *L, http_build *b, size_t more) {
    if (!http_build_reserve(b, more)) {
        luaL_error(L, "not enough memory");
    }
}

static bool is_owner(const http_build *b, const io *o) {
    return b->waiting.size && b->waiting.owner == slab_id(&o->head);
}

/* What waits of a stream that is closed is nobody's. */
bool http_build_is_taken(const http_build *b, const io *o) {
    return b->waiting.size && !is_owner(b, o) && slab_get(&o->executor->ios, b->waiting.owner);
}

bool http_build_defer(http_build *b, const io *o) {
    if (http_build_is_taken(b, o)) {
        return false;
    }
    size_t size = is_owner(b, o) ? b->waiting.size : 0;
    if (!reserve(&b->waiting.bytes, size, &b->waiting.capacity, b->size)) {
        return false;
    }
    memcpy(b->waiting.bytes + size, b->bytes, b->size);
    b->waiting.size = size + b->size;
    b->waiting.owner = slab_id(&o->head);
    return true;
}

void http_build_keep(http_build *b, const io *o) {
    char *bytes = b->bytes;
    const size_t size = b->size, capacity = b->capacity;
    b->bytes = b->waiting.bytes;
    b->size = b->waiting.size;
    b->capacity = b->waiting.capacity;
    b->waiting.bytes = bytes;
    b->waiting.size = size;
    b->waiting.capacity = capacity;
    b->waiting.owner = slab_id(&o->head);
}

bool http_build_join(http_build *b, const io *o) {
    if (!is_owner(b, o)) {
        return true;
    }
    if (!http_build_defer(b, o)) {
        return false;
    }
    b->size = 0;
    http_build_keep(b, o);
    return true;
}

/* Writes the digits of a number before `end`: where they begin. */
static char *write_digits(char *end, uint64_t number) {
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return end;
}

void append_whole(lua_State *L, http_build *b, uint64_t number) {
    char digits[20], *end = digits + sizeof digits, *p = write_digits(end, number);
    append(L, b, p, (size_t)(end - p));
}

void append_length(lua_State *L, http_build *b, uint64_t length) {
    static const char NAME[] = "Content-Length: ";
    char line[48], *end = line + sizeof line, *p = write_digits(end - 2, length) - (sizeof NAME - 1);
    memcpy(p, NAME, sizeof NAME - 1);
    memcpy(end - 2, "\r\n", 2);
    append(L, b, p, (size_t)(end - p));
}

static void make_date(http_build *b, const executor *ex) {
    static const char DAYS[] = "SunMonTueWedThuFriSat", MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    double wall = momo_wall(ex);
    time_t now = (time_t)wall;
    struct tm tm;
    gmtime_r(&now, &tm);
    snprintf(b->date, sizeof b->date, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", DAYS + 3 * tm.tm_wday,
             tm.tm_mday, MONTHS + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    b->made_on = ex->clock.wall;
    b->made_at = ex->stamp;
    b->made_for = (uint64_t)((1 - (wall - (double)now)) * 1e3) << EXECUTOR_STAMP_SHIFT;
}

/* It is made once a second, by the clock as the loop has read it last; each run may have one of its own. */
void append_date(lua_State *L, http_build *b, const executor *ex) {
    if (ex->stamp - b->made_at >= b->made_for || b->made_on != ex->clock.wall) {
        make_date(b, ex);
    }
    append(L, b, b->date, HTTP_DATE_SIZE);
}

#define IS(name, n, word) ((n) == sizeof(word) - 1 && strncasecmp(name, word, sizeof(word) - 1) == 0)

static void see_length(lua_State *L, http_build *b, const char *value, size_t n) {
    bool whole = n > 0 && n <= LENGTH_DIGITS;
    b->length = 0;
    for (size_t i = 0; i < n && whole; i++) {
        whole = http_is_digit(value[i]);
        b->length = b->length * 10 + (value[i] - '0');
    }
    if (!whole) {
        throw(L, "%s: the header Content-Length must be a whole number, got %s", b->operation, value);
    }
}

/* What a header says about the message itself. Whether it is to be sent as it is. */
static bool see_header(lua_State *L, http_build *b, const char *name, size_t n, const char *value, size_t length) {
    if (IS(name, n, "date")) {
        b->has_date = true;
    } else if (IS(name, n, "connection")) {
        b->closes |= http_has_token(value, length, "close");
    } else if (IS(name, n, "content-length")) {
        see_length(L, b, value, length);
        return false;
    } else if (!b->takes_coding && IS(name, n, "transfer-encoding")) {
        throw(L, "%s: the header Transfer-Encoding can't be set: it is seen to where it is needed", b->operation);
    }
    return true;
}

static void append_header(lua_State *L, http_build *b, const char *name, size_t n, int index, int type) {
    char digits[32];
    const char *value = digits;
    size_t length;
    if (type == LUA_TSTRING) {
        value = lua_tolstring(L, index, &length);
    } else if (type == LUA_TNUMBER) { /* lua_tolstring would allocate */
        length = (size_t)snprintf(digits, sizeof digits, "%.14g", lua_tonumber(L, index));
    } else {
        throw(L, "%s: the header %s must be a string, a number or an array of these, got %s", b->operation, name,
              luaL_typename(L, index));
        return;
    }
    if (!http_is_value(value, length)) {
        throw(L, "%s: the header %s must have no control byte in its value, such as CR, LF or NUL", b->operation, name);
    }
    if (see_header(L, b, name, n, value, length)) {
        append(L, b, name, n);
        APPEND(L, b, ": ");
        append(L, b, value, length);
        APPEND(L, b, "\r\n");
    }
}

/* Whether the table has a header of this name, in any case. */
static bool has_header(lua_State *L, int table, const char *name, size_t n) {
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        size_t length;
        const char *other = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (other && length == n && strncasecmp(other, name, n) == 0) {
            lua_pop(L, 1);
            return true;
        }
    }
    return false;
}

/* One header, whose name is below its value on top. */
static void append_entry(lua_State *L, http_build *b, int over) {
    if (lua_type(L, -2) != LUA_TSTRING) {
        throw(L, "%s: the name of a header must be a string, got %s", b->operation, luaL_typename(L, -2));
    }
    size_t n;
    const char *name = lua_tolstring(L, -2, &n);
    if (!http_is_token(name, n)) {
        throw(L, "%s: the name of a header must be letters, digits and !#$%%&'*+-.^_`|~, got \"%s\"", b->operation,
              name);
    }
    if (over && has_header(L, over, name, n)) {
        return;
    }
    const int value = lua_gettop(L), type = lua_type(L, value);
    if (type != LUA_TTABLE) {
        append_header(L, b, name, n, value, type);
        return;
    }
    unsigned fields = (unsigned)lua_objlen(L, value), seen = 0;
    for (unsigned i = 1; i <= fields; i++) {
        lua_rawgeti(L, value, (int)i);
        append_header(L, b, name, n, value + 1, lua_type(L, value + 1));
        lua_pop(L, 1);
    }
    if (pieces_look(L, value, fields, &seen, UINT_MAX) < 0) {
        throw(L, "%s: the values of the header %s must be an array without holes", b->operation, name);
    }
}

void append_headers(lua_State *L, http_build *b, int table, int over) {
    int type = lua_type(L, table);
    if (type == LUA_TNIL) {
        return;
    }
    if (type != LUA_TTABLE) {
        throw(L, "%s: headers must be a table, got %s", b->operation, luaL_typename(L, table));
    }
    over = over && lua_type(L, over) == LUA_TTABLE ? over : 0;
    lua_pushnil(L);
    for (; lua_next(L, table); lua_pop(L, 1)) {
        append_entry(L, b, over);
    }
}

static const function functions[] = {{NULL, NULL}};

const module http_build_module = {.functions = functions, .close = forget_build};
