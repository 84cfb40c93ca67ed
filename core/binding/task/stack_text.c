/* SPDX-License-Identifier: MIT
 *
 * The text of a stack: see stack_text.h.
 *
 * A task that is cancelled has its traceback taken, which most often nobody reads: luaL_traceback makes a Lua string of each
 * part of each line, and that takes ten times as long as this. The text is written in one piece; a stack that is too deep for
 * that, or has longer names, is luaL_traceback's.
 */
#include "binding/task/stack_text.h"

#include <string.h>

enum {
    LEVELS = 22, /* all of which luaL_traceback shows */
    LINE = 256,  /* bytes that a line takes without the function's name: two short sources, two numbers, and words */
    ROOM = 4096,
    DIGITS = 10,
};

static inline char *put_bytes(char *at, const char *bytes, size_t n) {
    memcpy(at, bytes, n);
    return at + n;
}

#define PUT(at, literal) put_bytes(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, int number) {
    char digits[DIGITS];
    int first = DIGITS;
    unsigned left = (unsigned)number;
    do {
        digits[--first] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    return put_bytes(at, digits + first, (size_t)(DIGITS - first));
}

/* NULL: it may not fit. */
static char *put_line(char *at, const char *end, const lua_Debug *where) {
    size_t source = strlen(where->short_src), name = *where->namewhat ? strlen(where->name) : 0;
    if (name + LINE > (size_t)(end - at)) {
        return NULL;
    }
    at = PUT(at, "\n\t");
    at = put_bytes(at, where->short_src, source);
    at = PUT(at, ":");
    if (where->currentline > 0) {
        at = put_number(at, where->currentline);
        at = PUT(at, ":");
    }
    if (*where->namewhat) {
        at = PUT(at, " in function '");
        at = put_bytes(at, where->name, name);
        return PUT(at, "'");
    }
    if (*where->what == 'm') {
        return PUT(at, " in main chunk");
    }
    if (*where->what == 'C') {
        return PUT(at, " ?");
    }
    at = PUT(at, " in function <");
    at = put_bytes(at, where->short_src, source);
    at = PUT(at, ":");
    at = put_number(at, where->linedefined);
    return PUT(at, ">");
}

void push_stack_text(lua_State *L, lua_State *co, int level) {
    char text[ROOM];
    char *at = PUT(text, "stack traceback:");
    lua_Debug where;
    for (int i = 0; at && lua_getstack(co, level + i, &where); i++) {
        lua_getinfo(co, "Snl", &where);
        at = i < LEVELS ? put_line(at, text + ROOM, &where) : NULL;
    }
    if (at) {
        lua_pushlstring(L, text, (size_t)(at - text));
    } else {
        luaL_traceback(L, co, NULL, level);
    }
}
