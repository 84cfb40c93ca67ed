/* SPDX-License-Identifier: MIT
 *
 * What goes through the channels between threads: sending and receiving, as Lua calls them.
 *
 * A message is one Lua value; the record's kind says which.
 */
#include "thread/channel.h"

#include <string.h>

#include "binding/op.h"
#include "binding/thread/thread_channel.h"
#include "binding/thread/value.h"

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

/* What was closed while the task waited is UV_ECANCELED. */
static int push_end_failure(lua_State *L, int code, const char *closed) {
    if (code != UV_EBADF) {
        return push_failure(L, code);
    }
    lua_pushnil(L);
    lua_pushstring(L, closed);
    lua_pushliteral(L, "EBADF");
    return 3;
}

static int code_of_closed(const op *o) {
    return o->woken ? UV_ECANCELED : UV_EBADF;
}

static void park_at(channel_end *end, op *o) {
    task_park(o->task, o->name, o->deadline_ms, WAKE_TIMEOUT);
    channel_keep_alive(o->task);
    list_push(&end->waiters, &o->task->place.link);
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

static void check_send(lua_State *L, op *o) {
    check_sender(L, "send");
    if (lua_isnoneornil(L, 2)) {
        throw(L, "send: nil can't be sent; it stands for the end");
    }
    o->timeout = check_seconds(L, 3, "send");
}

/* With the credit that a woken task was promised, or one that it takes: 1. Else 0, or a code. */
static int send_message(lua_State *L, sender *s, const message *m, const op *o) {
    int status = sender_take_credit(s, o->task, o->woken);
    if (status == 1 && !push_record(s, m)) {
        return luaL_error(L, "not enough memory");
    }
    return status;
}

static int attempt_send(lua_State *L, op *o) {
    channel_end **tx = lua_touserdata(L, 1);
    if (o->woken && *tx && lua_type(L, 2) > LUA_TSTRING) { /* what allocates may raise */
        sender_keep_credit(sender_of(*tx), o->task);
    }
    message m;
    int top = lua_gettop(L);
    bool packable = !*tx || pack_message(L, *tx, &m);
    if (!*tx) { /* also when a finalizer has closed it just now */
        return code_of_closed(o);
    }
    sender *s = sender_of(*tx);
    if (!packable) {
        if (o->woken && sender_take_credit(s, o->task, true) == 1) {
            sender_return_credit(s);
        }
        return throw(L, "send: %s", lua_tostring(L, -1));
    }
    int status = send_message(L, s, &m, o);
    lua_settop(L, top); /* the answer is nothing */
    return status == 0 ? UV_EAGAIN : status < 0 ? status : 0;
}

static int park_send(lua_State *L, op *o) {
    channel_end *end = *(channel_end **)lua_touserdata(L, 1);
    park_at(end, o);
    sender_await(sender_of(end));
    return 0;
}

static int push_send_failure(lua_State *L, int code) {
    return push_end_failure(L, code, "EBADF: the sender is closed");
}

/* channel_send(tx, value, timeout) -> nothing | nil, err, code */
static int channel_send(lua_State *L) {
    static const op_kind kind = {
        .name = "send", .check = check_send, .attempt = attempt_send, .park = park_send, .fail = push_send_failure};
    return op_run(L, &kind);
}

/* ---- receiving ---- */

/* Pushes the record's value, and drops the record. What the push allocates may run a finalizer; the channel is busy until
 * then, so that the record stays. */
static int take_message(lua_State *L, channel *c, const lane_record *r) {
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
    return 1;
}

static void check_recv(lua_State *L, op *o) {
    check_receiver(L, "recv");
    o->timeout = check_seconds(L, 2, "recv");
}

static int attempt_recv(lua_State *L, op *o) {
    channel_end *end = *(channel_end **)lua_touserdata(L, 1);
    if (!end) {
        return code_of_closed(o);
    }
    lane_record r;
    int found = receiver_peek(end->channel, o->task, o->woken, &r);
    return found == 1 ? take_message(L, end->channel, &r) : found == 0 ? UV_EAGAIN : UV_EOF;
}

static int park_recv(lua_State *L, op *o) {
    channel_end *end = *(channel_end **)lua_touserdata(L, 1);
    park_at(end, o);
    receiver_await(end->channel);
    return 0;
}

static int push_recv_failure(lua_State *L, int code) {
    return push_end_failure(L, code, "EBADF: the receiver is closed");
}

/* channel_recv(rx, timeout) -> value | nil, err, code */
static int channel_recv(lua_State *L) {
    static const op_kind kind = {
        .name = "recv", .check = check_recv, .attempt = attempt_recv, .park = park_recv, .fail = push_recv_failure};
    return op_run(L, &kind);
}

/* ---- without Lua's stack: see momo.h ---- */

static inline int send_at_once(void *tx, const message *m) {
    channel_end *end = *(channel_end **)tx;
    task *t = end ? op_has_budget(end->executor) : NULL;
    if (!t || sender_take_credit(sender_of(end), t, false) != 1 || !push_record(sender_of(end), m)) {
        return 0;
    }
    t->coop.spent++;
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
    task *t = end && !end->channel->busy ? op_has_budget(end->executor) : NULL;
    lane_record r;
    if (!t || receiver_peek(end->channel, t, false, &r) != 1) {
        return MOMO_OTHER;
    }
    if (r.kind != NUMBER && r.kind != STRING) {
        end->channel->busy = false;
        return MOMO_OTHER;
    }
    t->coop.spent++;
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

/* channel_woken(rx) -> value | nil, err, code: what being woken in select has brought */
static int channel_woken(lua_State *L) {
    channel_end *end = check_receiver(L, "select");
    task *t = op_check(L, "select");
    if (!end) {
        return push_failure(L, UV_ECANCELED);
    }
    lane_record r;
    return receiver_peek(end->channel, t, true, &r) == 1 ? take_message(L, end->channel, &r) : push_failure(L, UV_EOF);
}

static const function functions[] = {
    {"channel_send", channel_send},
    {"channel_recv", channel_recv},
    {"channel_ready", channel_ready},
    {"channel_woken", channel_woken},
    {NULL, NULL},
};
const module thread_channel_module = {.functions = functions};
