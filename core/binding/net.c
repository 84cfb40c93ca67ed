/* SPDX-License-Identifier: MIT
 *
 * Listeners, connecting and look-ups as Lua sees them: each a userdata that holds a token, or points at the look-up. Lua
 * has checked what it is.
 */
#include "binding/net.h"

#include "net/resolve.h"
#include "net/tcp.h"

static const metatable *const token_metatables[] = {&stream_metatable, &listener_metatable, &udp_metatable};

/* Whether the value at index 1 holds a token. */
static bool is_token(lua_State *L) {
    bool is = false;
    if (lua_touserdata(L, 1) && lua_getmetatable(L, 1)) {
        for (int i = 0; i < 3 && !is; i++) {
            push_metatable(L, token_metatables[i]);
            is = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
    }
    return is;
}

/* __gc of streams, listeners and UDP sockets */
static int collect(lua_State *L) {
    executor *ex = &runtime_of(L)->executor;
    io *o = is_token(L) ? io_get(ex, *(const momo_token *)lua_touserdata(L, 1)) : NULL;
    if (o) {
        ex->collected++;
        io_close(o);
    }
    return 0;
}

const metatable stream_metatable = {"momo.stream", collect, UP_STREAM};
const metatable listener_metatable = {"momo.listener", collect, 0};
const metatable udp_metatable = {"momo.udp", collect, 0};

/* ---- listening and connecting ---- */

bool get_literal(lua_State *L, int index, address *a) {
    size_t length;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
    char host[ADDRESS_HOST_MAX];
    int port = text ? address_split(text, length, host) : UV_EINVAL;
    return port >= 0 && address_parse(host, port, a) == 0;
}

void check_literal(lua_State *L, address *a) {
    if (!get_literal(L, 1, a)) {
        luaL_error(L, "no literal address");
    }
}

void check_path(lua_State *L, address *a) {
    size_t length;
    const char *path = luaL_checklstring(L, 1, &length);
    if (address_of_path(path, length, a) < 0) {
        luaL_error(L, "no path of a socket: %s", path);
    }
}

/* split(address) -> host, port, is_literal | nil */
static int net_split(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    char host[ADDRESS_HOST_MAX];
    address unused;
    int port = address_split(text, length, host);
    if (port < 0) {
        return 0;
    }
    lua_pushstring(L, host);
    lua_pushinteger(L, port);
    lua_pushboolean(L, address_parse(host, port, &unused) == 0);
    return 3;
}

int push_address_failure(lua_State *L, int code, const char *hint) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s: %s%s", momo_error_name(code), momo_error_text(code), lua_tostring(L, 1), hint);
    lua_pushstring(L, momo_error_name(code));
    return 3;
}

/* listen(address, backlog, reuseport) -> listener | nil, err, code */
static int net_listen(lua_State *L) {
    address a;
    check_literal(L, &a);
    bool reuseport = lua_toboolean(L, 3);
    momo_token *token = push_object(L, sizeof *token, &listener_metatable);
    executor *ex = open_executor(L);
    io *o;
    int status = tcp_listen(ex, &a, (int)lua_tointeger(L, 2), reuseport, &o);
    if (status < 0) {
        const char *hint = "";
        if (status == UV_EADDRINUSE && !reuseport) {
            enum listens listens = tcp_listens(ex, &a);
            hint = listens == LISTENS_HERE ? " (this thread listens there already)"
                   : listens == LISTENS_OTHER
                       ? " (another thread of this process listens there: pass {reuseport = true})"
                       : "";
        }
        return push_address_failure(L, status, hint);
    }
    *token = io_token(o);
    return 1;
}

/* accept(listener, timeout) -> stream, peer | nil, err, code */
static int net_accept(lua_State *L) {
    const momo_token *listener = lua_touserdata(L, 1);
    double timeout = check_seconds(L, 2, "accept");
    enum wake wake;
    task *t = suspend_enter(L, "accept", &wake);
    if (!t || (timeout != 0 && suspend_let_others(t, wake))) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    momo_token *token = push_object(L, sizeof *token, &stream_metatable); /* first, since it may run finalizers */
    io *o = io_get(t->executor, *listener), *accepted;
    if (!o) {
        return push_closed(L, wake);
    }
    if (wake == WAKE_TIMEOUT) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    address peer;
    /* Those who wait already come first; a task that was woken is the first of them. */
    bool turn = wake == WAKE_READY || list_empty(&o->readers);
    if (timeout == 0) { /* it won't wait for an event: ask */
        o->ready |= UV_READABLE;
    }
    int status = turn ? socket_accept(o, &accepted, &peer) : UV_EAGAIN;
    if (status == UV_EAGAIN) {
        if (t->cancelled) {
            return suspend_cancelled(L, t);
        }
        if (timeout == 0) {
            return push_failure(L, UV_ETIMEDOUT);
        }
        uint64_t deadline_ms = wake == WAKE_NONE ? suspend_deadline(t, timeout) : t->deadline_ms;
        status = io_wait(o, t, UV_READABLE, "accept", deadline_ms, wake == WAKE_READY);
        if (status == 0) {
            return lua_yield(L, 0);
        }
    }
    if (o->ready & UV_READABLE) {
        io_wake_first(o, UV_READABLE); /* there may be more */
    }
    if (status < 0) {
        return push_failure(L, status);
    }
    *token = io_token(accepted);
    char text[ADDRESS_TEXT_MAX];
    int length = address_format(&peer, text, sizeof text);
    lua_pushlstring(L, text, length > 0 ? (size_t)length : 0);
    return 2;
}

/* connect_start(address, is_path) -> stream that connects | nil, err, code */
static int net_connect_start(lua_State *L) {
    address a;
    if (lua_toboolean(L, 2)) {
        check_path(L, &a);
    } else {
        check_literal(L, &a);
    }
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    io *o;
    int status = socket_connect(open_executor(L), &a, &o);
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    return 1;
}

/* connect_finish(address, stream, timeout) -> stream | nil, err, code; closes a stream that is not connected in the end */
static int net_connect_finish(lua_State *L) {
    double timeout = check_seconds(L, 3, "connect");
    const momo_token *token = lua_touserdata(L, 2);
    enum wake wake;
    executor *ex = open_executor(L);
    task *t = ex->current;
    if (t && t->cancelled && (t->wake == WAKE_NONE || t->wake == WAKE_AGAIN)) { /* about to raise */
        momo_close(ex, token);
    }
    t = suspend_enter(L, "connect", &wake);
    if (!t || (timeout != 0 && suspend_let_others(t, wake))) { /* on loopback it never has to wait */
        return lua_yield(L, 0);
    }
    io *o = io_get(ex, *token);
    int status = o ? wake == WAKE_TIMEOUT ? UV_ETIMEDOUT : socket_connected(o) : UV_ECANCELED;
    if (status == UV_EAGAIN && timeout == 0) {
        status = UV_ETIMEDOUT;
    }
    bool cancelled = wake == WAKE_CANCEL || (status == UV_EAGAIN && t->cancelled);
    if (status == UV_EAGAIN && !cancelled) {
        o->ready = 0;
        uint64_t deadline_ms = wake == WAKE_NONE ? suspend_deadline(t, timeout) : t->deadline_ms;
        status = io_wait(o, t, UV_WRITABLE, "connect", deadline_ms, true);
        o->writer = slab_id(&t->head);
        if (status == 0) {
            return lua_yield(L, 0);
        }
    }
    if (cancelled || status < 0) {
        momo_close(ex, token);
    }
    if (cancelled) {
        return suspend_cancelled(L, t);
    }
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    o->writer = 0;
    o->ready |= UV_WRITABLE;
    lua_pushvalue(L, 2);
    return 1;
}

/* wait_closed(listener): a listener of any kind. Nobody ever writes to one, so that its close alone wakes who waits as if
 * to write */
static int net_wait_closed(lua_State *L) {
    const momo_token *token = lua_touserdata(L, 1);
    enum wake wake;
    task *t = suspend_enter(L, "serve", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    io *o = io_get(t->executor, *token);
    if (!o) {
        return 0;
    }
    task_park(t, "serve", DEADLINE_NEVER, WAKE_TIMEOUT);
    list_push(&o->writers, &t->place.link);
    return lua_yield(L, 0);
}

/* ---- looking names up ---- */

/* __gc of look-ups */
static int net_lookup_release(lua_State *L) {
    resolve **lookup = lua_touserdata(L, 1);
    if (*lookup && !runtime_of(L)->executor.closed) {
        resolve_release(*lookup);
    }
    *lookup = NULL;
    return 0;
}

static const metatable lookup_metatable = {"momo.lookup", net_lookup_release, 0};

/* lookup_start(host) -> lookup | nil, err, code */
static int net_lookup_start(lua_State *L) {
    const char *host = luaL_checkstring(L, 1);
    resolve **lookup = push_object(L, sizeof *lookup, &lookup_metatable);
    int status = resolve_start(open_executor(L), host, lookup);
    return status < 0 ? push_address_failure(L, status, "") : 1;
}

/* lookup_finish(host, lookup, port, timeout) -> {address, ...} | nil, err, code */
static int net_lookup_finish(lua_State *L) {
    resolve *r = *(resolve **)lua_touserdata(L, 2);
    double timeout = check_seconds(L, 4, "connect");
    enum wake wake;
    task *t = suspend_enter(L, "connect", &wake);
    if (!t) {
        return lua_yield(L, 0);
    }
    r->waiter = 0; /* an answer that comes while the task waits for something else wakes nobody */
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (!r->done && (wake == WAKE_TIMEOUT || timeout == 0)) {
        return push_address_failure(L, UV_ETIMEDOUT, "");
    }
    if (!r->done) {
        resolve_wait(r, t, wake == WAKE_NONE ? suspend_deadline(t, timeout) : t->deadline_ms);
        return lua_yield(L, 0);
    }
    if (r->status < 0) {
        return push_address_failure(L, r->status, "");
    }
    lua_newtable(L);
    address a;
    for (unsigned i = 0; resolve_address(r, i, (int)lua_tointeger(L, 3), &a); i++) {
        char text[ADDRESS_TEXT_MAX];
        if (address_format(&a, text, sizeof text) > 0) {
            lua_pushstring(L, text);
            lua_rawseti(L, -2, (int)i + 1);
        }
    }
    *(resolve **)lua_touserdata(L, 2) = NULL;
    resolve_release(r);
    return 1;
}

static const metatable *const metatables[] = {&stream_metatable, &listener_metatable, &udp_metatable, &lookup_metatable,
                                              NULL};
static const function functions[] = {
    {"split", net_split},
    {"listen", net_listen},
    {"accept", net_accept},
    {"wait_closed", net_wait_closed},
    {"connect_start", net_connect_start},
    {"connect_finish", net_connect_finish},
    {"lookup_start", net_lookup_start},
    {"lookup_finish", net_lookup_finish},
    {NULL, NULL},
};
const module net_module = {.functions = functions, .metatables = metatables};
