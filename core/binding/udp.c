/* SPDX-License-Identifier: MIT
 *
 * UDP as Lua sees it; Lua has checked what is a socket. Several tasks may receive, and several send: those of a direction
 * are served in turn.
 */
#include "net/udp.h"

#include "binding/net.h"

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

/* udp_connect(address, socket or nil: a new one) -> socket | nil, err, code */
static int connect_socket(lua_State *L) {
    address a;
    check_literal(L, &a);
    bool fresh = lua_isnil(L, 2);
    momo_token *token = fresh ? push_object(L, sizeof *token, &udp_metatable) : lua_touserdata(L, 2);
    executor *ex = open_executor(L);
    io *o = io_get(ex, *token);
    int status = fresh ? udp_open(ex, &a, &o) : o ? udp_connect(o, &a) : UV_EBADF;
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    lua_settop(L, fresh ? 3 : 2);
    return 1;
}

/* Enters an operation of the socket at index 1. True: it's the task's turn to try, or *wait. False: return *result. */
static bool enter(lua_State *L, const char *operation, double timeout, int direction, task **out, io **socket,
                  enum wake *wake, int *result) {
    const momo_token *token = lua_touserdata(L, 1);
    task *t = *out = suspend_enter(L, operation, wake);
    if (!t || (timeout != 0 && suspend_let_others(t, *wake))) {
        *result = lua_yield(L, 0);
        return false;
    }
    if (*wake == WAKE_CANCEL) {
        suspend_cancelled(L, t);
    }
    io *o = *socket = io_get(t->executor, *token);
    if (!o) {
        *result = push_closed(L, *wake);
    } else if (*wake == WAKE_TIMEOUT) {
        *result = push_failure(L, UV_ETIMEDOUT);
    } else {
        if (timeout == 0) { /* it won't wait for an event: ask */
            o->ready |= (uint8_t)direction;
        }
        return true;
    }
    return false;
}

/* The operation would block: parks the task, or fails. */
static int wait(lua_State *L, const char *operation, double timeout, int direction, task *t, io *o, enum wake wake) {
    if (t->cancelled) {
        return suspend_cancelled(L, t);
    }
    if (timeout == 0) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    uint64_t deadline_ms = wake == WAKE_NONE ? suspend_deadline(t, timeout) : t->deadline_ms;
    int status = io_wait(o, t, direction, operation, deadline_ms, wake == WAKE_READY);
    return status < 0 ? push_failure(L, status) : lua_yield(L, 0);
}

/* The strings are pushed first: that may raise, or run a finalizer that closes the socket, whose datagrams stay until the
 * loop has seen the close. */
static int push_datagram(lua_State *L, io *o, const datagram *d, bool with_address) {
    if (d->cut) {
        udp_consume(o);
        return push_failure(L, UV_EMSGSIZE);
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

static int receive(lua_State *L, const char *operation, bool with_address) {
    double timeout = check_seconds(L, 2, operation);
    task *t;
    io *o;
    enum wake wake;
    int result;
    if (!enter(L, operation, timeout, UV_READABLE, &t, &o, &wake, &result)) {
        return result;
    }
    /* Those who wait already come first; a task that was woken is the first of them. */
    const datagram *d = NULL;
    int status = wake == WAKE_READY || list_empty(&o->readers) ? udp_receive(o, &d) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        return wait(L, operation, timeout, UV_READABLE, t, o, wake);
    }
    result = status < 0 ? push_failure(L, status) : push_datagram(L, o, d, with_address);
    if (udp_has_more(o) || o->ready & UV_READABLE) {
        io_wake_first(o, UV_READABLE);
    }
    return result;
}

/* recv(socket, timeout) -> data | nil, err, code */
static int udp_recv(lua_State *L) {
    return receive(L, "recv", false);
}

/* recv_from(socket, timeout) -> data, address | nil, err, code */
static int udp_recv_from(lua_State *L) {
    return receive(L, "recv_from", true);
}

static int send_datagram(lua_State *L, const char *operation, const address *to, int timeout_index) {
    double timeout = check_seconds(L, timeout_index, operation);
    if (lua_type(L, 2) != LUA_TSTRING) {
        return throw(L, "%s: data must be a string, got %s", operation, luaL_typename(L, 2));
    }
    task *t;
    io *o;
    enum wake wake;
    int result;
    if (!enter(L, operation, timeout, UV_WRITABLE, &t, &o, &wake, &result)) {
        return result;
    }
    size_t size;
    const char *bytes = lua_tolstring(L, 2, &size);
    int status = wake == WAKE_READY || list_empty(&o->writers) ? udp_send(o, bytes, size, to) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        return wait(L, operation, timeout, UV_WRITABLE, t, o, wake);
    }
    if (o->ready & UV_WRITABLE) {
        io_wake_first(o, UV_WRITABLE);
    }
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

/* send(socket, data, timeout) -> bytes | nil, err, code */
static int udp_send_connected(lua_State *L) {
    return send_datagram(L, "send", NULL, 3);
}

/* send_to(socket, data, address, timeout) -> bytes | nil, err, code | false: the address is no literal */
static int udp_send_to(lua_State *L) {
    address to;
    if (!get_literal(L, 3, &to)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    return send_datagram(L, "send_to", &to, 4);
}

static const function functions[] = {
    {"udp_bind", bind_socket},
    {"udp_connect", connect_socket},
    {"udp_recv", udp_recv},
    {"udp_recv_from", udp_recv_from},
    {"udp_send", udp_send_connected},
    {"udp_send_to", udp_send_to},
    {NULL, NULL},
};
const module udp_module = {.functions = functions};
