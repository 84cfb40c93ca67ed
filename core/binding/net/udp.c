/* SPDX-License-Identifier: MIT
 *
 * UDP, and datagrams over Unix sockets, as Lua sees them; Lua has checked what is a socket. Several tasks may receive, and several send: those of a direction
 * are served in turn.
 */
#include "net/udp.h"
#include "net/unix.h"

#include "binding/net/net.h"

#include <string.h>

/* udp_bind(address, reuseaddr, reuseport) -> socket | nil, err, code */
static int bind_socket(lua_State *L) {
    address a;
    check_literal(L, &a);
    momo_token *token = push_object(L, sizeof *token, &udp_metatable);
    io *o;
    int status = udp_bind(open_executor(L), &a, lua_toboolean(L, 2), lua_toboolean(L, 3), &o);
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    return 1;
}

/* unix_datagram_bind(path, mode) -> socket | nil, err, code */
static int bind_path(lua_State *L) {
    address a;
    check_path(L, &a);
    int mode = lua_isnil(L, 2) ? -1 : (int)lua_tointeger(L, 2);
    momo_token *token = push_object(L, sizeof *token, &unix_datagram_metatable);
    io *o;
    int status = unix_bind_datagram(open_executor(L), &a, mode, &o);
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    return 1;
}

/* unix_datagram_pair() -> socket, socket | nil, err, code */
static int open_pair(lua_State *L) {
    return push_two(L, &unix_datagram_metatable, unix_pair_datagram);
}

/* The address at index 1, and a socket at index 2 or nil: a new one. */
static int connect_to(lua_State *L, const address *a, const metatable *m) {
    bool fresh = lua_isnil(L, 2);
    momo_token *token = fresh ? push_object(L, sizeof *token, m) : lua_touserdata(L, 2);
    executor *ex = open_executor(L);
    io *o = io_get(ex, *token);
    int status = fresh ? udp_open(ex, a, &o) : o ? udp_connect(o, a) : UV_EBADF;
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    lua_settop(L, fresh ? 3 : 2);
    return 1;
}

/* udp_connect(address, socket or nil) -> socket | nil, err, code */
static int connect_socket(lua_State *L) {
    address a;
    check_literal(L, &a);
    return connect_to(L, &a, &udp_metatable);
}

/* unix_datagram_connect(path, socket or nil) -> socket | nil, err, code */
static int connect_path(lua_State *L) {
    address a;
    check_path(L, &a);
    return connect_to(L, &a, &unix_datagram_metatable);
}

/* The strings are pushed first: that may raise, or run a finalizer that closes the socket, whose datagrams stay until the
 * loop has seen the close. */
static int push_datagram(lua_State *L, io *o, const datagram *d, bool with_address) {
    if (d->cut) {
        udp_consume(o);
        return UV_EMSGSIZE;
    }
    lua_pushlstring(L, d->bytes, d->size);
    if (with_address) {
        char text[ADDRESS_TEXT_MAX];
        int length = address_format(&d->from, text, sizeof text);
        lua_pushlstring(L, text, length > 0 ? (size_t)length : 0);
    }
    udp_consume(o);
    return with_address ? 2 : 1;
}

/* Who was served passes on what is left. */
static void pass_on(io *o, int direction) {
    if (o->ready & direction || (direction == UV_READABLE && udp_has_more(o))) {
        io_wake_first(o, direction);
    }
}

static int receive(lua_State *L, op *o, bool with_address) {
    const datagram *d = NULL;
    o->task->executor->scratch.lent = false; /* no copy is under way, though one may have raised */
    int status = op_is_first(o, UV_READABLE) ? udp_receive(o->io, &d) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        return UV_EAGAIN;
    }
    int n = status < 0 ? status : push_datagram(L, o->io, d, with_address);
    pass_on(o->io, UV_READABLE);
    return n;
}

static void check_recv(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 2, "recv");
}

static int attempt_recv(lua_State *L, op *o) {
    return receive(L, o, false);
}

/* recv(socket, timeout) -> data | nil, err, code */
static int udp_recv(lua_State *L) {
    static const op_kind kind = {
        .name = "recv", .token = 1, .direction = UV_READABLE, .check = check_recv, .attempt = attempt_recv};
    return op_run(L, &kind);
}

static void check_recv_from(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 2, "recv_from");
}

static int attempt_recv_from(lua_State *L, op *o) {
    return receive(L, o, true);
}

/* recv_from(socket, timeout) -> data, address | nil, err, code */
static int udp_recv_from(lua_State *L) {
    static const op_kind kind = {.name = "recv_from",
                                 .token = 1,
                                 .direction = UV_READABLE,
                                 .check = check_recv_from,
                                 .attempt = attempt_recv_from};
    return op_run(L, &kind);
}

static void check_data(lua_State *L, op *o, int timeout_index) {
    o->timeout = check_seconds(L, timeout_index, o->name);
    if (lua_type(L, 2) != LUA_TSTRING) {
        throw(L, "%s: data must be a string, got %s", o->name, luaL_typename(L, 2));
    }
}

static int send_datagram(lua_State *L, op *o, const address *to) {
    size_t size;
    const char *bytes = lua_tolstring(L, 2, &size);
    int status = op_is_first(o, UV_WRITABLE) ? udp_send(o->io, bytes, size, to) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        return UV_EAGAIN;
    }
    pass_on(o->io, UV_WRITABLE);
    if (status < 0) {
        return status;
    }
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

static void check_send(lua_State *L, op *o) {
    check_data(L, o, 3);
}

static int attempt_send(lua_State *L, op *o) {
    return send_datagram(L, o, NULL);
}

/* send(socket, data, timeout) -> bytes | nil, err, code */
static int udp_send_connected(lua_State *L) {
    static const op_kind kind = {
        .name = "send", .token = 1, .direction = UV_WRITABLE, .check = check_send, .attempt = attempt_send};
    return op_run(L, &kind);
}

/* In place of an answer: the address is no literal, and has to be looked up. */
enum { NO_LITERAL = UV_EAI_NONAME };

static void check_send_to(lua_State *L, op *o) {
    check_data(L, o, 4);
}

static int attempt_send_to(lua_State *L, op *o) {
    address to;
    return get_literal(L, 3, &to) ? send_datagram(L, o, &to) : NO_LITERAL;
}

static int push_send_to_failure(lua_State *L, int code) {
    if (code != NO_LITERAL) {
        return push_failure(L, code);
    }
    lua_pushboolean(L, 0);
    return 1;
}

/* send_to(socket, data, address, timeout) -> bytes | nil, err, code | false: the address is no literal */
static int udp_send_to(lua_State *L) {
    static const op_kind kind = {.name = "send_to",
                                 .token = 1,
                                 .direction = UV_WRITABLE,
                                 .check = check_send_to,
                                 .attempt = attempt_send_to,
                                 .fail = push_send_to_failure};
    return op_run(L, &kind);
}

static int attempt_send_to_path(lua_State *L, op *o) {
    address to;
    size_t length;
    const char *path = lua_tolstring(L, 3, &length);
    address_of_path(path, length, &to);
    return send_datagram(L, o, &to);
}

/* unix_send_to(socket, data, path, timeout) -> bytes | nil, err, code; Lua has checked the path */
static int send_to_path(lua_State *L) {
    static const op_kind kind = {.name = "send_to",
                                 .token = 1,
                                 .direction = UV_WRITABLE,
                                 .check = check_send_to,
                                 .attempt = attempt_send_to_path};
    return op_run(L, &kind);
}

/* ---- without Lua's stack: see momo.h ---- */

_Static_assert((int)MOMO_ADDRESS_MAX == ADDRESS_TEXT_MAX, "momo.h says how long an address is as text");
_Static_assert(sizeof(((momo_datagram *)0)->name) == sizeof(address) && _Alignof(address) <= _Alignof(uint64_t),
               "momo.h has room for an address");

/* The socket, if the task that runs may use it and nobody comes before it, and so nobody waits behind it; else NULL. */
static inline io *get_at_once(executor *ex, const momo_token *token, int direction) {
    const task *t = op_has_budget(ex);
    io *o = t ? io_get(ex, *token) : NULL;
    return o && op_is_next(o, t, direction) ? o : NULL;
}

int momo_receive_datagram(executor *ex, const momo_token *token, momo_datagram *out, int addressed) {
    const datagram *d = NULL;
    io *o = ex->scratch.lent ? NULL : get_at_once(ex, token, UV_READABLE);
    int status = o ? udp_receive(o, &d) : UV_EAGAIN;
    if (status == UV_EAGAIN || (d && d->cut)) {
        return 0;
    }
    ex->current->coop.spent++;
    if (status < 0) {
        return status;
    }
    out->bytes = d->bytes;
    out->size = (uint32_t)d->size;
    if (addressed) {
        int length = address_format(&d->from, out->from, sizeof out->from);
        out->from_size = length > 0 ? (uint32_t)length : 0;
        memcpy(out->name, &d->from, offsetof(address, storage) + d->from.length);
    }
    ex->scratch.lent = true;
    return 1;
}

void momo_datagram_received(executor *ex, const momo_token *token) {
    io *o = io_get(ex, *token);
    ex->scratch.lent = false;
    if (o) { /* else a finalizer has closed it */
        udp_consume(o);
    }
}

static inline int send_at_once(io *o, const char *bytes, size_t size, const address *to) {
    int status = o ? udp_send(o, bytes, size, to) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        return 0;
    }
    o->executor->current->coop.spent++;
    return status < 0 ? status : 1;
}

int momo_send_datagram(executor *ex, const momo_token *token, const char *bytes, size_t size, const char *to,
                       size_t length) {
    address a;
    bool known = !to || address_of_text(to, length, &a) == 0;
    return send_at_once(known ? get_at_once(ex, token, UV_WRITABLE) : NULL, bytes, size, to ? &a : NULL);
}

int momo_answer_datagram(executor *ex, const momo_token *token, const char *bytes, size_t size,
                         const momo_datagram *answered) {
    const address *to = (const address *)answered->name;
    bool known = to->storage.ss_family != AF_UNIX; /* whose paths are no addresses of UDP */
    return send_at_once(known ? get_at_once(ex, token, UV_WRITABLE) : NULL, bytes, size, to);
}

static const function functions[] = {
    {"udp_bind", bind_socket},
    {"udp_connect", connect_socket},
    {"udp_recv", udp_recv},
    {"udp_recv_from", udp_recv_from},
    {"udp_send", udp_send_connected},
    {"udp_send_to", udp_send_to},
    {"unix_datagram_bind", bind_path},
    {"unix_datagram_pair", open_pair},
    {"unix_datagram_connect", connect_path},
    {"unix_send_to", send_to_path},
    {NULL, NULL},
};
const module udp_module = {.functions = functions};
