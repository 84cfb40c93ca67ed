/* SPDX-License-Identifier: MIT
 *
 * The ends of channels between threads as Lua sees them: each a userdata that points at its end, or at nothing once that
 * was closed or given away.
 *
 * A message is one Lua value; the record's kind says which.
 */
#include "../channel.h"

#include <string.h>

#include "suspend.h"
#include "thread_channel.h"
#include "value.h"

enum kind { FALSE, TRUE, NUMBER, STRING, VALUE, VALUE_WITH_ENDS };

static void drop_message(const lane_record *r) {
    packed values = {r->bytes, r->size, r->kind == VALUE_WITH_ENDS};
    value_each_end(&values, channel_close);
}

/* ---- handles ---- */

static const char *const registry_keys[] = {"momo.receiver", "momo.sender"};

/* Pushes a handle of nothing yet. */
static channel_end **push_handle(lua_State *L, bool sends) {
    channel_end **handle = lua_newuserdata(L, sizeof *handle);
    *handle = NULL;
    value_get_registered(L, registry_keys[sends]);
    lua_setmetatable(L, -2);
    return handle;
}

channel_end **value_to_end(lua_State *L, int index) {
    bool is_end = false;
    if (lua_getmetatable(L, index)) {
        for (int i = 0; i < 2 && !is_end; i++) {
            luaL_getmetatable(L, registry_keys[i]);
            is_end = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return is_end ? lua_touserdata(L, index) : NULL;
}

void value_push_end(lua_State *L, char *bytes) {
    channel_end *end, *const none = NULL;
    memcpy(&end, bytes, sizeof end);
    channel_end **handle = push_handle(L, end && end->sends);
    if (!end) {
        return;
    }
    value_get_registered(L, "momo.runtime");
    runtime *rt = lua_touserdata(L, -1);
    lua_pop(L, 1);
    memcpy(bytes, &none, sizeof none);
    channel_arrive(end, &rt->executor, (void **)handle);
}

/* thread_channel(capacity) -> sender, receiver */
static int new_channel(lua_State *L) {
    long capacity = (long)lua_tonumber(L, 1);
    channel_end **tx = push_handle(L, true), **rx = push_handle(L, false);
    sender *s;
    channel *c;
    if (channel_new(open_executor(L), capacity, drop_message, &s, &c) < 0) {
        return luaL_error(L, "not enough memory");
    }
    *tx = &s->end;
    s->end.holder = (void **)tx;
    *rx = &c->receiver;
    c->receiver.holder = (void **)rx;
    return 2;
}

static channel_end **check_sender(lua_State *L, const char *method) {
    return check_self(L, UP(SENDER), "tx", method);
}

/* The receiver at index 1; NULL: it is closed. */
static channel_end *check_receiver(lua_State *L, const char *method) {
    return *(channel_end **)check_self(L, UP(RECEIVER), "rx", method);
}

/* sender_clone(tx) -> tx */
static int clone_sender(lua_State *L) {
    channel_end **tx = check_sender(L, "clone");
    channel_end **handle = push_handle(L, true);
    if (!*tx) {
        return throw(L, "clone: the sender is closed");
    }
    sender *s = sender_clone(sender_of(*tx));
    if (!s) {
        return luaL_error(L, "not enough memory");
    }
    *handle = &s->end;
    s->end.holder = (void **)handle;
    return 1;
}

/* end_close(end), and its __gc */
static int close_end(lua_State *L) {
    channel_end **handle = value_to_end(L, 1);
    if (!handle) {
        return throw(L, "close: call it with a colon: tx:close() or rx:close()");
    }
    if (*handle) {
        channel_close(*handle);
    }
    return 0;
}

static int push_end_closed(lua_State *L, enum wake wake, const char *text) {
    if (wake != WAKE_NONE) {
        return push_failure(L, UV_ECANCELED); /* it waited */
    }
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushliteral(L, "EBADF");
    return 3;
}

static void park(channel_end *end, task *t, const char *operation, uint64_t deadline_ms) {
    task_park(t, operation, deadline_ms, WAKE_TIMEOUT);
    channel_wait_outside(t);
    list_push(&end->waiters, &t->place.link);
}

/* ---- sending ---- */

/* A value as a record. */
typedef struct message {
    enum kind kind;
    size_t size;
    char *bytes; /* kept by something on the stack; not to be written to */
    double number;
} message;

/* The value at index 2, to be sent through this end. False: it can't be sent, and why is pushed. */
static bool pack_message(lua_State *L, const channel_end *end, message *m) {
    *m = (message){.kind = FALSE, .bytes = ""};
    switch (lua_type(L, 2)) {
    case LUA_TBOOLEAN: m->kind = lua_toboolean(L, 2) ? TRUE : FALSE; return true;
    case LUA_TNUMBER:
        m->kind = NUMBER;
        m->number = lua_tonumber(L, 2);
        m->size = sizeof m->number;
        m->bytes = (char *)&m->number;
        return true;
    case LUA_TSTRING:
        m->kind = STRING;
        m->bytes = (char *)(uintptr_t)lua_tolstring(L, 2, &m->size);
        return true;
    default: break;
    }
    packed values;
    lua_pushvalue(L, 2);
    if (value_pack(L, 1, "value", VALUE_ALONE, end, &values)) {
        return false;
    }
    m->kind = values.ends ? VALUE_WITH_ENDS : VALUE;
    m->size = values.size;
    m->bytes = values.bytes;
    return true;
}

/* With a place. */
static int push_message(lua_State *L, sender *s, const message *m) {
    char *room = m->size <= LANE_RECORD_MAX ? sender_reserve(s, m->size) : NULL;
    if (!room) {
        sender_give_back(s);
        return luaL_error(L, "not enough memory");
    }
    memcpy(room, m->bytes, m->size);
    if (m->kind == VALUE_WITH_ENDS) {
        packed values = {m->bytes, m->size, true};
        value_each_end(&values, channel_depart);
    }
    sender_push(s, m->kind, m->size);
    lua_pushboolean(L, 1);
    lua_pushboolean(L, 1);
    return 2;
}

/* channel_send(tx, value, timeout) -> true, true | nil, err, code | true: woken, call it again */
static int channel_send(lua_State *L) {
    channel_end **tx = check_sender(L, "send");
    if (lua_isnoneornil(L, 2)) {
        return throw(L, "send: nil can't be sent; it stands for the end");
    }
    double timeout = check_seconds(L, 3, "send");
    enum wake wake;
    task *t = suspend_enter(L, "send", &wake);
    if (!t || (timeout != 0 && suspend_let_others(t, wake))) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    bool woken = wake == WAKE_READY;
    if (woken && *tx && lua_type(L, 2) > LUA_TSTRING) { /* what allocates may raise */
        sender_keep_place(sender_of(*tx), t);
    }
    message m;
    bool packable = !*tx || pack_message(L, *tx, &m);
    if (!*tx) { /* also when a finalizer has closed it just now */
        return push_end_closed(L, wake, "EBADF: the sender is closed");
    }
    if (wake == WAKE_TIMEOUT) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    sender *s = sender_of(*tx);
    int status = packable || woken ? sender_take_place(s, t, woken) : 0;
    if (!packable) {
        if (status == 1) {
            sender_give_back(s);
        }
        return throw(L, "send: %s", lua_tostring(L, -1));
    }
    if (status == 1) {
        return push_message(L, s, &m);
    }
    if (status < 0) {
        return push_failure(L, status);
    }
    if (t->cancelled) {
        return suspend_cancelled(L, t);
    }
    if (timeout == 0) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    park(*tx, t, "send", woken ? t->deadline_ms : suspend_deadline(t, timeout));
    sender_await(s);
    return lua_yield(L, 0);
}

/* ---- receiving ---- */

/* Pushes true and the record's value, and drops the record. What the push allocates may run a finalizer; the channel is
 * busy until then, so that the record stays. */
static int take_message(lua_State *L, channel *c, const lane_record *r) {
    lua_pushboolean(L, 1);
    switch ((enum kind)r->kind) {
    case FALSE:
    case TRUE: lua_pushboolean(L, r->kind == TRUE); break;
    case NUMBER: {
        double number;
        memcpy(&number, r->bytes, sizeof number);
        lua_pushnumber(L, number);
        break;
    }
    case STRING: lua_pushlstring(L, r->bytes, r->size); break;
    case VALUE:
    case VALUE_WITH_ENDS: {
        packed values = {r->bytes, r->size, r->kind == VALUE_WITH_ENDS};
        value_unpack(L, &values);
        break;
    }
    }
    receiver_pop(c);
    return 2;
}

static int push_end_of_file(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "EOF: end of file");
    lua_pushliteral(L, "EOF");
    return 3;
}

/* channel_recv(rx, timeout) -> true, value | nil, err, code | true: woken, call it again */
static int channel_recv(lua_State *L) {
    channel_end *end = check_receiver(L, "recv");
    double timeout = check_seconds(L, 2, "recv");
    enum wake wake;
    task *t = suspend_enter(L, "recv", &wake);
    if (!t || (timeout != 0 && suspend_let_others(t, wake))) {
        return lua_yield(L, 0);
    }
    if (wake == WAKE_CANCEL) {
        return suspend_cancelled(L, t);
    }
    if (!end) {
        return push_end_closed(L, wake, "EBADF: the receiver is closed");
    }
    if (wake == WAKE_TIMEOUT) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    lane_record r;
    int found = receiver_peek(end->channel, t, wake == WAKE_READY, &r);
    if (found == 1) {
        return take_message(L, end->channel, &r);
    }
    if (found < 0) {
        return push_end_of_file(L);
    }
    if (t->cancelled) {
        return suspend_cancelled(L, t);
    }
    if (timeout == 0) {
        return push_failure(L, UV_ETIMEDOUT);
    }
    park(end, t, "recv", wake == WAKE_READY ? t->deadline_ms : suspend_deadline(t, timeout));
    receiver_await(end->channel);
    return lua_yield(L, 0);
}

/* ---- for select ---- */

/* channel_ready(rx) -> whether recv would not wait */
static int channel_ready(lua_State *L) {
    channel_end *end = check_receiver(L, "select");
    lua_pushboolean(L, !end || receiver_ready(end->channel));
    return 1;
}

list *receiver_waiters(lua_State *L, int index) {
    channel_end *end = *(channel_end **)lua_touserdata(L, index);
    return end ? &end->waiters : NULL;
}

void receiver_parked(list *waiters) {
    receiver_await(list_entry(waiters, channel_end, waiters)->channel);
}

/* channel_woken(rx) -> true, value | nil, err, code: what being woken in select has brought */
static int channel_woken(lua_State *L) {
    channel_end *end = check_receiver(L, "select");
    task *t = suspend_check(L, "select");
    if (!end) {
        return push_failure(L, UV_ECANCELED);
    }
    lane_record r;
    return receiver_peek(end->channel, t, true, &r) == 1 ? take_message(L, end->channel, &r) : push_end_of_file(L);
}

void register_thread_channel(lua_State *L) {
    static const function functions[] = {
        {"thread_channel", new_channel},
        {"channel_send", channel_send},
        {"channel_recv", channel_recv},
        {"sender_clone", clone_sender},
        {"end_close", close_end},
        {"channel_ready", channel_ready},
        {"channel_woken", channel_woken},
        {"set_integers", value_set_integers},
        {NULL, NULL},
    };
    static const function finalizer[] = {{"__gc", close_end}, {NULL, NULL}};
    register_functions(L, functions);
    static const int metatables[] = {UP_RECEIVER, UP_SENDER};
    for (int i = 0; i < 2; i++) {
        lua_pushvalue(L, metatables[i]);
        register_functions(L, finalizer);
        lua_setfield(L, LUA_REGISTRYINDEX, registry_keys[i]);
    }
    lua_pushlightuserdata(L, lua_touserdata(L, UP_RUNTIME));
    lua_setfield(L, LUA_REGISTRYINDEX, "momo.runtime");
}
