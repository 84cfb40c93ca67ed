/* SPDX-License-Identifier: MIT
 *
 * Log lines from Lua.
 */
#include "loop/inside/log.h"

#include "binding/runtime.h"

/* log_push(line, json) */
static int push_line(lua_State *L) {
    size_t size;
    const char *line = luaL_checklstring(L, 1, &size);
    log_push(line, size, lua_toboolean(L, 2));
    return 0;
}

/* log_dropped() -> lines that this process has dropped */
static int count_dropped(lua_State *L) {
    lua_pushnumber(L, (lua_Number)log_dropped());
    return 1;
}

static void flush(runtime *rt) {
    (void)rt;
    log_flush();
}

static const function functions[] = {{"log_push", push_line}, {"log_dropped", count_dropped}, {NULL, NULL}};
const module log_module = {.functions = functions, .close = flush};
