/* SPDX-License-Identifier: MIT
 *
 * TLS as Lua sees it: lua/momo/tls.lua opens tls.so, makes configurations, and the handshake of a stream in three steps: it
 * begins, goes on until it is made (and stops where on_hello is to answer), and is committed. Lua has checked what streams are.
 */
#include "binding/op.h"

#include <dlfcn.h>
#include <string.h>

#include "loop/heavy.h"
#include "net/sealed.h"

enum { SELF_SIGNED_ROOM = 16 * 1024 };

typedef struct configuration {
    const tls_library *library;
    tls_config *config;
} configuration;

static int collect_configuration(lua_State *L) {
    configuration *c = luaL_checkudata(L, 1, "momo.tls_config");
    if (c->config) {
        c->library->config_release(c->config);
        c->config = NULL;
    }
    return 0;
}

typedef struct handshake {
    sealed *sealed; /* NULL: it was committed */
    momo_token token;
} handshake;

/* One that was given up by an error in between leaves no stream that would be a plain one. */
static int collect_handshake(lua_State *L) {
    handshake *h = luaL_checkudata(L, 1, "momo.tls_handshake");
    if (h->sealed) {
        io *o = io_get(&runtime_of(L)->executor, h->token);
        if (o) {
            io_close(o);
        }
        sealed_free(h->sealed);
        h->sealed = NULL;
    }
    return 0;
}

static const metatable config_metatable = {"momo.tls_config", collect_configuration, 0};
static const metatable handshake_metatable = {"momo.tls_handshake", collect_handshake, 0};

/* The problem as nil, "CODE: text", "CODE"; or thrown, where the program is wrong. */
static int push_problem(lua_State *L, const tls_problem *problem, const char *function) {
    if (problem->code == TLS_MISTAKE) {
        return throw(L, "%s: %s", function, problem->words);
    }
    const char *name = problem->code == TLS_FAILURE ? "ETLS" : momo_error_name(problem->code);
    lua_pushnil(L);
    if (problem->code == -ENOMEM) {
        lua_pushfstring(L, "%s: %s", name, momo_error_text(problem->code));
    } else {
        lua_pushfstring(L, "%s: %s", name, problem->words);
    }
    lua_pushstring(L, name);
    return 3;
}

/* tls_open(path) -> true, or nil and why not */
static int open_library(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (!rt->tls) {
        void *object = dlopen(luaL_checkstring(L, 1), RTLD_NOW | RTLD_LOCAL);
        const tls_library *library = object ? dlsym(object, "momo_tls") : NULL;
        if (!library || library->abi != TLS_ABI) {
            const char *problem = library ? "it is of another version of Momo" : dlerror();
            lua_pushnil(L);
            lua_pushstring(L, problem);
            return 2;
        }
        rt->tls = sealed_shared_new(library);
        if (!rt->tls) {
            return luaL_error(L, "not enough memory");
        }
    }
    lua_pushboolean(L, true);
    return 1;
}

static void forget_library(runtime *rt) {
    if (rt->tls) {
        sealed_shared_release(rt->tls);
        rt->tls = NULL;
    }
}

static const tls_library *library_of(lua_State *L) {
    const runtime *rt = runtime_of(L);
    if (!rt->tls) {
        luaL_error(L, "tls_open comes first");
    }
    return rt->tls->library;
}

/* ---- configurations ---- */

/* The strings of the array at this index; they stay where they are, since the array holds them. */
static size_t take_strings(lua_State *L, int index, int first, tls_bytes *out) {
    size_t n = 0;
    for (int i = first; i <= (int)lua_objlen(L, index); i++) {
        lua_rawgeti(L, index, i);
        out[n].data = lua_tolstring(L, -1, &out[n].size);
        lua_pop(L, 1);
        n++;
    }
    return n;
}

/* The array of settings at this index, each an array of its name and values, all strings: pushes what holds them. */
static tls_option *take_options(lua_State *L, int index, size_t *count) {
    size_t values = 0, n = lua_objlen(L, index);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, index, (int)i);
        values += lua_objlen(L, -1);
        lua_pop(L, 1);
    }
    tls_option *options = lua_newuserdata(L, n * sizeof *options + values * sizeof(tls_bytes) + 1);
    tls_bytes *next = (tls_bytes *)(options + n);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        tls_bytes name;
        lua_rawgeti(L, -1, 1);
        name.data = lua_tostring(L, -1);
        lua_pop(L, 1);
        options[i] = (tls_option){name.data, next, take_strings(L, lua_gettop(L), 2, next)};
        next += options[i].count;
        lua_pop(L, 1);
    }
    *count = n;
    return options;
}

/* tls_config(server, settings, function) -> configuration | nil, err, code */
static int make_configuration(lua_State *L) {
    const tls_library *library = library_of(L);
    configuration *c = push_object(L, sizeof *c, &config_metatable);
    size_t count;
    tls_option *options = take_options(L, 2, &count);
    tls_problem problem;
    c->library = library;
    c->config = library->config_new(lua_toboolean(L, 1), options, count, &problem);
    if (!c->config) {
        return push_problem(L, &problem, lua_tostring(L, 3));
    }
    lua_pushvalue(L, -2);
    return 1;
}

/* tls_set_ticket_keys(configuration, keys): strings of TLS_TICKET_KEY bytes */
static int set_ticket_keys(lua_State *L) {
    const configuration *c = luaL_checkudata(L, 1, config_metatable.name);
    size_t n = lua_objlen(L, 2);
    tls_bytes *keys = lua_newuserdata(L, n * sizeof *keys);
    take_strings(L, 2, 1, keys);
    if (!c->library->set_ticket_keys(c->config, keys, n)) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

/* tls_self_signed(names, days) -> certificate, key */
static int make_self_signed(lua_State *L) {
    const tls_library *library = library_of(L);
    char pem[SELF_SIGNED_ROOM];
    size_t n = lua_objlen(L, 1);
    tls_bytes *names = lua_newuserdata(L, n * sizeof *names);
    tls_problem problem;
    take_strings(L, 1, 1, names);
    if (!library->self_signed(names, n, (int)lua_tointeger(L, 2), pem, sizeof pem, &problem)) {
        return push_problem(L, &problem, "tls.self_signed");
    }
    lua_pushstring(L, pem);
    lua_pushstring(L, pem + strlen(pem) + 1);
    return 2;
}

/* ---- handshakes ---- */

/* tls_begin(stream, configuration, server, name, key) -> handshake | nil, err, code. The stream is closed when it fails. */
static int begin(lua_State *L) {
    task *t = op_check(L, "wrap");
    library_of(L);
    handshake *h = push_object(L, sizeof *h, &handshake_metatable);
    const configuration *c = luaL_checkudata(L, 2, config_metatable.name);
    h->token = *(const momo_token *)lua_touserdata(L, 1);
    io *o = io_get(t->executor, h->token);
    if (o && sealed_count(o) == SEALED_LAYERS) {
        return throw(L, "wrap: the stream has %d layers of TLS already", SEALED_LAYERS);
    }
    int status = o ? sealed_begin(o, t, runtime_of(L)->tls, c->config, lua_toboolean(L, 3), lua_tostring(L, 4),
                                  lua_tostring(L, 5), &h->sealed)
                   : UV_EBADF;
    if (status < 0) {
        if (o) {
            io_close(o);
        }
        return push_failure(L, status);
    }
    return 1;
}

static void check_shake(lua_State *L, op *o) {
    if (!lua_isnil(L, 3)) {
        o->timeout = lua_tonumber(L, 3);
    }
}

static int attempt_shake(lua_State *L, op *o) {
    const handshake *h = lua_touserdata(L, 2);
    int status = sealed_shake(h->sealed, o->io);
    if (status == SEALED_TURN) {
        return UV_EAGAIN;
    }
    if (status >= 0) {
        lua_pushstring(L, status == SEALED_ASKS ? "hello" : "done");
        return 1;
    }
    return status;
}

static int park_shake(lua_State *L, op *o) {
    const handshake *h = lua_touserdata(L, 2);
    if (h->sealed->granted) {
        heavy_wait(o->task, o->name, o->deadline_ms);
        return 0;
    }
    return io_wait(o->io, o->task, UV_READABLE, o->name, o->deadline_ms, false);
}

/* A stream whose handshake fails is no stream any more, and never a plain one. */
static void leave_shake(lua_State *L, op *o) {
    (void)L;
    if (o->io) {
        io_close(o->io);
    }
}

/* tls_shake(stream, handshake, timeout) -> "done", "hello" | nil, err, code */
static int shake(lua_State *L) {
    static const op_kind kind = {.name = "wrap",
                                 .token = 1,
                                 .direction = UV_READABLE,
                                 .check = check_shake,
                                 .attempt = attempt_shake,
                                 .park = park_shake,
                                 .leave = leave_shake};
    return op_run(L, &kind);
}

/* tls_answer(handshake, configuration or nil) */
static int answer(lua_State *L) {
    const handshake *h = luaL_checkudata(L, 1, handshake_metatable.name);
    const configuration *c = lua_isnil(L, 2) ? NULL : luaL_checkudata(L, 2, config_metatable.name);
    sealed_answer(h->sealed, c ? c->config : NULL);
    return 0;
}

/* tls_commit(stream, handshake) -> true | nil, err, code */
static int commit(lua_State *L) {
    handshake *h = luaL_checkudata(L, 2, handshake_metatable.name);
    io *o = io_get(&runtime_of(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    sealed_commit(h->sealed, o);
    h->sealed = NULL;
    lua_pushboolean(L, true);
    return 1;
}

/* The stream's layer, or the handshake's, if there is one. */
static const sealed *described(lua_State *L) {
    if (!lua_isnil(L, 3)) {
        const handshake *h = luaL_checkudata(L, 3, handshake_metatable.name);
        return h->sealed;
    }
    const io *o = io_get(&runtime_of(L)->executor, *(const momo_token *)lua_touserdata(L, 1));
    return o ? sealed_of(o) : NULL;
}

/* tls_describe(stream, facts, handshake or nil) -> "key\0value\0...", layers; nil: it is a plain stream | nil, err, code */
static int describe(lua_State *L) {
    lua_settop(L, 3);
    const executor *ex = &runtime_of(L)->executor;
    enum tls_facts facts = (enum tls_facts)lua_tointeger(L, 2);
    const io *o = io_get(ex, *(const momo_token *)lua_touserdata(L, 1));
    if (!o) {
        return push_failure(L, UV_EBADF);
    }
    const sealed *s = described(L);
    size_t size = s ? s->shared->library->describe(s->engine, facts, NULL, 0) : 0;
    if (!s) {
        return 0;
    }
    char *text = lua_newuserdata(L, size + 1); /* it may run a finalizer, which may close the stream */
    s = described(L);
    if (!s || s->shared->library->describe(s->engine, facts, text, size) != size) {
        return push_failure(L, UV_EBADF);
    }
    lua_pushlstring(L, text, size);
    o = io_get(ex, *(const momo_token *)lua_touserdata(L, 1));
    lua_pushinteger(L, o ? (lua_Integer)sealed_count(o) : 0);
    return 2;
}

static const function functions[] = {
    {"tls_open", open_library},
    {"tls_config", make_configuration},
    {"tls_set_ticket_keys", set_ticket_keys},
    {"tls_self_signed", make_self_signed},
    {"tls_begin", begin},
    {"tls_shake", shake},
    {"tls_answer", answer},
    {"tls_commit", commit},
    {"tls_describe", describe},
    {NULL, NULL},
};
static const metatable *const metatables[] = {&config_metatable, &handshake_metatable, NULL};
const module tls_module = {.functions = functions, .metatables = metatables, .close = forget_library};
