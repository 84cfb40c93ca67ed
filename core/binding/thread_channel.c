/* SPDX-License-Identifier: MIT
 *
 * What goes through the channels between threads: sending and receiving, as Lua calls them.
 *
 * A message is one Lua value; the record's kind says which.
 */
#include "thread/channel.h"

#include <string.h>

#include "binding/suspend.h"
#include "binding/thread_channel.h"
#include "binding/value.h"

enum kind { FALSE, TRUE, NUMBER, STRING, VALUE, VALUE_WITH_ENDS };

void drop_message(const lane_record *r, list *closing) {
    packed values = {r->bytes, r->size, r->kind == VALUE_WITH_ENDS};
    value_close(&values, closing);
}

static channel_end **check_sender(lua_State *L, const char *method) {
    return check_self(L, &sender_metatable, "tx", method);
}

/* The receiver at index 1; NULL: it is closed. */
static channel_end *check_receiver(lua_State *L, const char *method) {
    return *(channel_end **)check_self(L, &receiver_metatable, "rx", method);
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

/* The sender has a credit. False: out of memory, and the credit is returned. */
static inline bool push_record(sender *s, const message *m) {
    char *record = m->size <= LANE_RECORD_MAX ? sender_reserve(s, m->size) : NULL;
    if (!record) {
        sender_return_credit(s);
        return false;
    }
    memcpy(record, m->bytes, m->size);
    if (m->kind == VALUE_WITH_ENDS) {
        packed values = {m->bytes, m->size, true};
        value_depart(&values);
    }
    sender_push(s, m->kind, m->size);
    return true;
}

/* The same for channel_send. */
static int push_message(lua_State *L, sender *s, const message *m) {
    if (!push_record(s, m)) {
        return luaL_error(L, "not enough memory");
    }
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
        sender_keep_credit(sender_of(*tx), t);
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
    int status = packable || woken ? sender_take_credit(s, t, woken) : 0;
    if (!packable) {
        if (status == 1) {
            sender_return_credit(s);
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

/* ---- without Lua's stack: see momo.h ---- */

static inline int send_at_once(void *tx, const message *m) {
    channel_end *end = *(channel_end **)tx;
    task *t = end ? suspend_spare(end->executor) : NULL;
    if (!t || sender_take_credit(sender_of(end), t, false) != 1 || !push_record(sender_of(end), m)) {
        return 0;
    }
    t->turn.begun++;
    return 1;
}

int momo_send_number(void *tx, double number) {
    return send_at_once(tx, &(message){.kind = NUMBER, .size = sizeof number, .bytes = (char *)&number});
}

int momo_send_string(void *tx, const char *bytes, size_t size) {
    return send_at_once(tx, &(message){.kind = STRING, .size = size, .bytes = (char *)(uintptr_t)bytes});
}

int momo_receive(void *rx, momo_message *message) {
    channel_end *end = *(channel_end **)rx;
    task *t = end && !end->channel->busy ? suspend_spare(end->executor) : NULL;
    lane_record r;
    if (!t || receiver_peek(end->channel, t, false, &r) != 1) {
        return MOMO_OTHER;
    }
    if (r.kind != NUMBER && r.kind != STRING) {
        end->channel->busy = false;
        return MOMO_OTHER;
    }
    t->turn.begun++;
    if (r.kind == STRING) {
        message->bytes = r.bytes;
        message->size = (uint32_t)r.size;
        return MOMO_STRING;
    }
    memcpy(&message->number, r.bytes, sizeof message->number);
    receiver_pop(end->channel);
    return MOMO_NUMBER;
}

void momo_received(void *rx) {
    channel_end *end = *(channel_end **)rx;
    if (end) { /* else a finalizer has closed it */
        receiver_pop(end->channel);
    }
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

static const function functions[] = {
    {"channel_send", channel_send},
    {"channel_recv", channel_recv},
    {"channel_ready", channel_ready},
    {"channel_woken", channel_woken},
    {NULL, NULL},
};
const module thread_channel_module = {.functions = functions};
