/* SPDX-License-Identifier: MIT
 *
 * Who holds a thread, and where, as Lua has it (loop/inside/holder.h): tasks have names, interpreted code has a hook, and compiled
 * code, which looks at no hook, has addresses.
 *
 * A task that is held in a C function called by the interpreter has its frames in order, and they are read where they lie.
 */
#include "loop/inside/holder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "binding/inside/holder.h"
#include "binding/task/handle.h"

typedef struct code {
    uintptr_t begin, end;
    char file[HOLDER_TEXT];
    int line;
} code;

/* Traces, by their numbers. A signal's handler reads it: while it is moved, `size` is 0. */
struct compiled {
    code *code;
    volatile size_t size;
    uintptr_t low, high; /* between which all of it lies */
};

/* ---- on a thread that is asked ---- */

static void copy_text(char to[HOLDER_TEXT], const char *text) {
    size_t size = strlen(text);
    size = size < HOLDER_TEXT ? size : HOLDER_TEXT - 1;
    memcpy(to, text, size);
    to[size] = '\0';
}

static void name(const executor *ex, holder_answer *answer) {
    const task *t = ex->current;
    answer->id = ((const handle *)t->handle)->id;
    if (t->has_name) {
        copy_text(answer->name, task_name_of(t));
    }
}

static void fill_place(const runtime *rt, lua_State *co, holder_answer *answer) {
    lua_Debug place;
    find_place_in(rt, co, false, &place);
    copy_text(answer->file, place.short_src);
    answer->line = place.currentline > 0 ? place.currentline : 0;
}

static void hook(lua_State *L, lua_Debug *unused) {
    (void)unused;
    lua_getfield(L, LUA_REGISTRYINDEX, "momo.runtime");
    runtime *rt = lua_touserdata(L, -1);
    lua_pop(L, 1);
    rt->asks.hooked = false;
    lua_sethook(L, rt->asks.hook, rt->asks.mask, rt->asks.count);
    holder_answer *answer = rt->executor.current ? holder_tell(&rt->executor) : NULL;
    if (answer) {
        answer->how = HOLDER_LUA;
        name(&rt->executor, answer);
        fill_place(rt, L, answer);
        holder_told();
    }
}

static void set_hook(runtime *rt) {
    if (rt->asks.hooked) {
        return;
    }
    rt->asks.hook = lua_gethook(rt->L);
    rt->asks.mask = lua_gethookmask(rt->L);
    rt->asks.count = lua_gethookcount(rt->L);
    rt->asks.hooked = true;
    lua_sethook(rt->L, hook, LUA_MASKCOUNT, 1); /* which LuaJIT allows in a signal's handler */
}

static const code *code_at(const struct compiled *all, uintptr_t address) {
    if (address < all->low || address >= all->high) {
        return NULL;
    }
    for (size_t i = 0, size = all->size; i < size; i++) {
        if (address >= all->code[i].begin && address < all->code[i].end) {
            return &all->code[i];
        }
    }
    return NULL;
}

/* The compiled code that the thread is in, or that has called what it is in. */
__attribute__((no_sanitize("address"))) static const code *find_code(const struct compiled *all,
                                                                     const holder_frame *f) {
    const code *found = code_at(all, f->pc);
    for (uintptr_t at = f->stack; !found && at < f->stack_end; at += sizeof(uintptr_t)) {
        found = code_at(all, *(const uintptr_t *)at);
    }
    return found;
}

static void look(executor *ex, const holder_frame *frame, bool in_call, holder_answer *answer) {
    runtime *rt = ex->user;
    const code *code = rt->compiled ? find_code(rt->compiled, frame) : NULL;
    if (code) {
        answer->how = HOLDER_COMPILED;
        memcpy(answer->file, code->file, HOLDER_TEXT);
        answer->line = code->line;
    } else if (in_call && rt->compiled) { /* else it may be in compiled code, whose frames are not in order */
        fill_place(rt, ex->current->top, answer);
    }
    set_hook(rt);
}

void holder_init(runtime *rt) {
    static const holder_kind kind = {name, look};
    rt->executor.holder.kind = &kind;
}

/* ---- what has been compiled ---- */

/* holder_watch(): from here on compiled code is noted. False: it is already */
static int watch(lua_State *L) {
    runtime *rt = runtime_of(L);
    lua_pushboolean(L, !rt->compiled);
    if (!rt->compiled) {
        rt->compiled = calloc(1, sizeof *rt->compiled);
        if (!rt->compiled) {
            return luaL_error(L, "not enough memory");
        }
        rt->compiled->low = UINTPTR_MAX;
    }
    return 1;
}

static bool make_room(struct compiled *all, size_t index) {
    size_t size = all->size;
    if (index < size) {
        return true;
    }
    size_t more = 2 * index + 64;
    all->size = 0;
    code *grown = realloc(all->code, more * sizeof *grown);
    if (grown) {
        memset(grown + size, 0, (more - size) * sizeof *grown);
        all->code = grown;
        size = more;
    }
    all->size = size;
    return grown;
}

/* holder_compiled(trace, address, bytes, file, line): it is known until it's compiled anew */
static int note_compiled(lua_State *L) {
    struct compiled *all = runtime_of(L)->compiled;
    size_t index = (size_t)lua_tointeger(L, 1);
    if (!make_room(all, index)) {
        return 0;
    }
    code *c = &all->code[index];
    uintptr_t begin = (uintptr_t)(intptr_t)lua_tonumber(L, 2);
    c->begin = begin;
    copy_text(c->file, lua_tostring(L, 4));
    c->line = (int)lua_tointeger(L, 5);
    c->end = begin + (uintptr_t)lua_tonumber(L, 3);
    all->low = begin < all->low ? begin : all->low;
    all->high = c->end > all->high ? c->end : all->high;
    return 0;
}

/* holder_forget(): all compiled code is gone */
static int forget_compiled(lua_State *L) {
    struct compiled *all = runtime_of(L)->compiled;
    for (size_t i = 0; i < all->size; i++) {
        all->code[i].end = 0;
    }
    return 0;
}

static void close_holder(runtime *rt) {
    struct compiled *all = rt->compiled;
    rt->compiled = NULL;
    if (all) {
        free(all->code);
        free(all);
    }
}

static const function functions[] = {
    {"holder_watch", watch},
    {"holder_compiled", note_compiled},
    {"holder_forget", forget_compiled},
    {NULL, NULL},
};
const module holder_module = {.functions = functions, .close = close_holder};
