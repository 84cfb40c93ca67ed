/* SPDX-License-Identifier: MIT
 *
 * WebSocket as Lua sees it: whole frames from a stream's unread bytes, frames on their way out, and the answer to a
 * handshake. Like those of HTTP, these functions do not wait.
 */
#include "base/websocket.h"

#include <string.h>
#include <sys/random.h>

#include "base/sha1.h"
#include "binding/http/build.h"
#include "net/stream.h"

enum {
    SMALL = 16 * 1024, /* bytes of a payload that is copied behind its head */
    KEYS = 64,         /* bytes of random keys that are got at once */
};

typedef struct websocket {
    uint64_t max, room; /* bytes of a message, and those that the one under way may still have */
    utf8_state utf8;    /* of the message under way, if it is a text */
    bool masks;         /* it is a client's: what goes is masked, and what comes is not */
    bool in_message;    /* the last frame was not the last one of its message */
    bool is_text;       /* that message is one */
    bool unmasked;      /* the payload that is unread has lost its mask: what was to be done then failed */
    uint8_t keys_left;
    uint8_t keys[KEYS];
} websocket;

static const metatable websocket_metatable = {.name = "momo.websocket_state"};

static websocket *check_state(lua_State *L, int index) {
    return luaL_checkudata(L, index, websocket_metatable.name);
}

/* websocket_new(is_client, max_message) -> state */
static int websocket_new(lua_State *L) {
    uint64_t max = (uint64_t)luaL_checknumber(L, 2);
    websocket *ws = push_object(L, sizeof *ws, &websocket_metatable);
    ws->masks = lua_toboolean(L, 1);
    ws->max = ws->room = max;
    return 1;
}

/* nil, code, text */
static int push_fault(lua_State *L, int code) {
    lua_pushnil(L);
    lua_pushinteger(L, code);
    lua_pushstring(L, code == WEBSOCKET_NOT_UTF8    ? "a text is not UTF-8"
                      : code == WEBSOCKET_TOO_LARGE ? "a message is too large"
                                                    : "a frame is malformed");
    return 3;
}

/* 0, or what is wrong with the payload of a close frame. */
static int check_close(const uint8_t *payload, size_t n) {
    utf8_state utf8 = {0};
    if (n == 0) {
        return 0;
    }
    if (n == 1 || !websocket_is_close_code((unsigned)payload[0] << 8 | payload[1])) {
        return WEBSOCKET_PROTOCOL_ERROR;
    }
    bool good = utf8_advance(&utf8, (const char *)payload + 2, n - 2) && utf8.left == 0;
    return good ? 0 : WEBSOCKET_NOT_UTF8;
}

/* The same of any payload; *utf8 becomes the state of the message's text behind it. */
static int check_payload(const websocket *ws, const websocket_frame *f, const char *payload, utf8_state *utf8) {
    if (f->opcode == WEBSOCKET_CLOSE) {
        return check_close((const uint8_t *)payload, f->length);
    }
    if (f->opcode != WEBSOCKET_TEXT && (f->opcode != WEBSOCKET_CONTINUATION || !ws->is_text)) {
        return 0;
    }
    *utf8 = f->opcode == WEBSOCKET_TEXT ? (utf8_state){0} : ws->utf8;
    return utf8_advance(utf8, payload, f->length) && (!f->final || utf8->left == 0) ? 0 : WEBSOCKET_NOT_UTF8;
}

/* What a frame of data means for those that follow. */
static void advance(websocket *ws, const websocket_frame *f, utf8_state utf8) {
    if (f->opcode >= WEBSOCKET_CLOSE) {
        return;
    }
    if (f->opcode != WEBSOCKET_CONTINUATION) {
        ws->is_text = f->opcode == WEBSOCKET_TEXT;
    }
    ws->utf8 = utf8;
    ws->in_message = !f->final;
    ws->room = f->final ? ws->max : ws->room - f->length;
}

/* websocket_take(stream, state) -> opcode, payload, whether it is the last frame of its message
 * | false, how many bytes have to be there | nil, code, text */
static int websocket_take(lua_State *L) {
    io *o = io_get(&runtime_of(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
    websocket *ws = check_state(L, 2);
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    websocket_frame f;
    size_t unread = stream_unread(o);
    int size = websocket_frame_read(&f, stream_bytes(o), unread, !ws->masks, ws->in_message, ws->room);
    if (size < 0) {
        return push_fault(L, -size);
    }
    if (size == 0 || unread < f.size + f.length) {
        lua_pushboolean(L, false);
        lua_pushnumber(L, size ? (lua_Number)(f.size + f.length) : (lua_Number)unread + 1);
        return 2;
    }
    char *payload = o->data + o->start + f.size;
    if (!ws->masks && !ws->unmasked) {
        websocket_mask(payload, f.length, f.key, 0);
        ws->unmasked = true;
    }
    utf8_state utf8 = ws->utf8;
    int fault = check_payload(ws, &f, payload, &utf8);
    if (fault) {
        return push_fault(L, fault);
    }
    lua_pushinteger(L, f.opcode);
    lua_pushlstring(L, o->data + o->start + f.size, f.length);
    if (stream_unread(o) >= f.size + f.length) {
        stream_consume(o, f.size + f.length);
    }
    ws->unmasked = false;
    advance(ws, &f, utf8);
    lua_pushboolean(L, f.final);
    return 3;
}

static const uint8_t *next_key(lua_State *L, websocket *ws) {
    if (ws->keys_left == 0) {
        if (getrandom(ws->keys, KEYS, 0) != KEYS) {
            luaL_error(L, "no random bytes");
        }
        ws->keys_left = KEYS;
    }
    ws->keys_left -= 4;
    return ws->keys + ws->keys_left;
}

/* websocket_send(stream, state, opcode, payload)
 * -> true: it has left | a string, which is to be written, and whether the payload is in it | nil, err, code */
static int websocket_send(lua_State *L) {
    websocket *ws = check_state(L, 2);
    int opcode = (int)luaL_checkinteger(L, 3);
    size_t n;
    const char *payload = luaL_checklstring(L, 4, &n);
    utf8_state utf8 = {0};
    if (opcode == WEBSOCKET_TEXT && !(utf8_advance(&utf8, payload, n) && utf8.left == 0)) {
        return throw(L, "send: a text must be UTF-8; send other bytes with \"binary\"");
    }
    const uint8_t *key = ws->masks ? next_key(L, ws) : NULL;
    http_build *b = http_build_begin(L, "send");
    char head[WEBSOCKET_HEAD_MAX];
    append(L, b, head, websocket_frame_write(head, opcode, true, n, key));
    bool whole = ws->masks || n <= SMALL;
    if (whole) {
        append(L, b, payload, n);
        if (key) {
            websocket_mask(b->bytes + b->size - n, n, key, 0);
        }
    }
    io *o = io_get(&runtime_of_task(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
    int results = http_build_send(L, b, whole ? o : NULL);
    if (results == 1) {
        lua_pushboolean(L, whole);
        results = 2;
    }
    http_build_end(b);
    return results;
}

/* websocket_is_text(string) -> whether it is UTF-8 */
static int websocket_is_text(lua_State *L) {
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    utf8_state utf8 = {0};
    lua_pushboolean(L, utf8_advance(&utf8, text, n) && utf8.left == 0);
    return 1;
}

/* websocket_accept(key) -> what answers it in the handshake */
static int websocket_accept(lua_State *L) {
    static const char SALT[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_SIZE];
    char text[(SHA1_SIZE + 2) / 3 * 4], salted[128];
    size_t n;
    const char *key = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= sizeof salted - sizeof SALT, 1, "too long");
    memcpy(salted, key, n);
    memcpy(salted + n, SALT, sizeof SALT - 1);
    sha1(salted, n + sizeof SALT - 1, digest);
    lua_pushlstring(L, text, base64_encode(digest, SHA1_SIZE, text));
    return 1;
}

/* websocket_key() -> a random one for a handshake */
static int websocket_key(lua_State *L) {
    uint8_t random[16];
    char text[24];
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        return luaL_error(L, "no random bytes");
    }
    lua_pushlstring(L, text, base64_encode(random, sizeof random, text));
    return 1;
}

static const function functions[] = {
    {"websocket_new", websocket_new},
    {"websocket_take", websocket_take},
    {"websocket_send", websocket_send},
    {"websocket_is_text", websocket_is_text},
    {"websocket_accept", websocket_accept},
    {"websocket_key", websocket_key},
    {NULL, NULL},
};

static const metatable *const metatables[] = {&websocket_metatable, NULL};

const module websocket_module = {.functions = functions, .metatables = metatables};
