/* SPDX-License-Identifier: MIT
 *
 * Listeners, connecting and look-ups as Lua sees them: each a userdata that holds a token, or points at the look-up. Lua
 * has checked what it is.
 */
#include "binding/net/net.h"
#include "binding/offload.h"

#include "net/resolve.h"
#include "net/tcp.h"

static const metatable *const metatables[] = {&stream_metatable, &listener_metatable, &udp_metatable,
                                              &unix_datagram_metatable, NULL};

/* Whether the value at index 1 holds a token. */
static bool is_token(lua_State *L) {
    bool is = false;
    if (lua_touserdata(L, 1) && lua_getmetatable(L, 1)) {
        for (int i = 0; metatables[i] && !is; i++) {
            push_metatable(L, metatables[i]);
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
        ex->counters.collected++;
        io_close(o);
    }
    return 0;
}

const metatable stream_metatable = {"momo.stream", collect, UP_STREAM};
const metatable listener_metatable = {"momo.listener", collect, 0};
const metatable udp_metatable = {"momo.udp", collect, 0};
const metatable unix_datagram_metatable = {"momo.unix_datagram", collect, 0};

/* ---- listening and connecting ---- */

bool get_literal(lua_State *L, int index, address *a) {
    size_t length;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
    return text && address_of_text(text, length, a) == 0;
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

static void check_accept(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 2, "accept");
}

static int attempt_accept(lua_State *L, op *o) {
    address peer;
    int status = op_is_first(o, UV_READABLE) ? socket_accept(o->io, &peer) : UV_EAGAIN;
    if (status != UV_EAGAIN && o->io->ready & UV_READABLE) {
        io_wake_first(o->io, UV_READABLE); /* there may be more */
    }
    if (status < 0) {
        return status;
    }
    /* What is pushed may raise, or run a finalizer that closes the listener. */
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    char text[ADDRESS_TEXT_MAX];
    int length = address_format(&peer, text, sizeof text);
    lua_pushlstring(L, text, length > 0 ? (size_t)length : 0);
    io *accepted = socket_get_accepted(o->io);
    if (!accepted) {
        return UV_ECANCELED;
    }
    *token = io_token(accepted);
    return 2;
}

/* accept(listener, timeout) -> stream, peer | nil, err, code */
static int net_accept(lua_State *L) {
    static const op_kind kind = {
        .name = "accept", .token = 1, .direction = UV_READABLE, .check = check_accept, .attempt = attempt_accept};
    return op_run(L, &kind);
}

/* connect_start(address, is_path, from) -> stream that connects | nil, err, code */
static int net_connect_start(lua_State *L) {
    address a, from;
    bool has_from = get_literal(L, 3, &from);
    if (lua_toboolean(L, 2)) {
        check_path(L, &a);
    } else {
        check_literal(L, &a);
    }
    momo_token *token = push_object(L, sizeof *token, &stream_metatable);
    io *o;
    int status = socket_connect(open_executor(L), &a, has_from ? &from : NULL, &o);
    if (status < 0) {
        return push_address_failure(L, status, "");
    }
    *token = io_token(o);
    return 1;
}

static void check_connect(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 3, "connect");
}

static int attempt_connect(lua_State *L, op *o) {
    int status = socket_connected(o->io);
    if (status < 0) {
        return status;
    }
    o->io->writer = 0;
    o->io->ready |= UV_WRITABLE;
    lua_pushvalue(L, 2);
    return 1;
}

static int park_connect(lua_State *L, op *o) {
    (void)L;
    o->io->ready = 0;
    o->io->writer = slab_id(&o->task->head); /* nothing can be written, nor the outgoing side be ended */
    return io_wait(o->io, o->task, UV_WRITABLE, "connect", o->deadline_ms, true);
}

static void leave_connect(lua_State *L, op *o) {
    momo_close(o->task->executor, lua_touserdata(L, 2));
}

static int push_connect_failure(lua_State *L, int code) {
    return push_address_failure(L, code, "");
}

/* connect_finish(address, stream that connects, timeout) -> stream | nil, err, code */
static int net_connect_finish(lua_State *L) {
    static const op_kind kind = {.name = "connect",
                                 .token = 2,
                                 .direction = UV_WRITABLE,
                                 .check = check_connect,
                                 .attempt = attempt_connect,
                                 .park = park_connect,
                                 .leave = leave_connect,
                                 .fail = push_connect_failure};
    return op_run(L, &kind);
}

static int attempt_closed(lua_State *L, op *o) {
    return io_get(o->task->executor, *(const momo_token *)lua_touserdata(L, 1)) ? UV_EAGAIN : 0;
}

static int park_closed(lua_State *L, op *o) {
    return op_park_in(o, &io_get(o->task->executor, *(const momo_token *)lua_touserdata(L, 1))->writers);
}

static int push_nothing(lua_State *L, int code) {
    (void)L;
    (void)code;
    return 0;
}

/* wait_closed(listener): a listener of any kind. Nobody ever writes to one, so that its close alone wakes who waits as if
 * to write */
static int net_wait_closed(lua_State *L) {
    static const op_kind kind = {.name = "serve", .attempt = attempt_closed, .park = park_closed, .fail = push_nothing};
    return op_run(L, &kind);
}

/* ---- looking names up ---- */

/* lookup_start(host, wants_name) -> lookup | nil, err, code */
static int net_lookup_start(lua_State *L) {
    const char *host = luaL_checkstring(L, 1);
    int (*start)(executor *, const char *, offload **) = lua_toboolean(L, 2) ? resolve_start_name : resolve_start;
    offload **lookup = push_offload(L);
    int status = start(open_executor(L), host, lookup);
    return status < 0 ? push_address_failure(L, status, "") : 1;
}

static void check_lookup(lua_State *L, op *o) {
    o->timeout = check_seconds(L, 4, "connect");
}

static int attempt_lookup(lua_State *L, op *o) {
    (void)o;
    const offload *lookup = offload_at(L, 2);
    int status = lookup->done ? resolve_status(lookup) : UV_EAGAIN;
    if (status < 0) {
        return status;
    }
    if (lua_isnil(L, 3)) {
        lua_pushstring(L, resolve_name(lookup));
        leave_offload(L, 2);
        return 1;
    }
    lua_newtable(L);
    address a;
    for (unsigned i = 0; resolve_address(lookup, i, (int)lua_tointeger(L, 3), &a); i++) {
        char text[ADDRESS_TEXT_MAX];
        if (address_format(&a, text, sizeof text) > 0) {
            lua_pushstring(L, text);
            lua_rawseti(L, -2, (int)i + 1);
        }
    }
    leave_offload(L, 2);
    return 1;
}

static int park_lookup(lua_State *L, op *o) {
    offload_wait(offload_at(L, 2), o->task, "resolve", o->deadline_ms);
    return 0;
}

static void leave_lookup(lua_State *L, op *o) {
    (void)o;
    leave_offload(L, 2);
}

/* lookup_finish(host, lookup, port, timeout) -> {address, ...} or, without a port, the name | nil, err, code */
static int net_lookup_finish(lua_State *L) {
    static const op_kind kind = {.name = "connect",
                                 .check = check_lookup,
                                 .attempt = attempt_lookup,
                                 .park = park_lookup,
                                 .leave = leave_lookup,
                                 .fail = push_connect_failure};
    return op_run(L, &kind);
}

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
