/* SPDX-License-Identifier: MIT
 *
 * Pieces: see pieces.h.
 */
#include "binding/net/pieces.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "binding/runtime.h"

/* As Lua shows numbers: `nan` without a sign, and a point whatever the locale has. */
static size_t format_number(double value, char text[PIECE_NUMBER]) {
    if (isnan(value)) {
        return (size_t)snprintf(text, PIECE_NUMBER, "nan");
    }
    size_t n = (size_t)snprintf(text, PIECE_NUMBER, "%.14g", value);
    size_t mark = strspn(text, "-+0123456789einf"), rest = mark + strcspn(text + mark, "0123456789");
    if (mark < n) {
        text[mark] = '.';
        memmove(text + mark + 1, text + rest, n - rest + 1);
        n -= rest - mark - 1;
    }
    return n;
}

const char *piece_text(lua_State *L, int index, char number[PIECE_NUMBER], size_t *size) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING: return lua_tolstring(L, index, size);
    case LUA_TNUMBER: *size = format_number(lua_tonumber(L, index), number); return number;
    default: return NULL;
    }
}

const char *piece_at(lua_State *L, int index, unsigned i, char number[PIECE_NUMBER], size_t *size) {
    lua_rawgeti(L, index, (int)i);
    const char *text = piece_text(L, -1, number, size);
    lua_pop(L, 1);
    return text;
}

/* Whether the key beneath the top is that of a place from 1 to n, and the value on top a piece. */
static bool is_piece(lua_State *L, unsigned n) {
    double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    int type = lua_type(L, -1);
    return (type == LUA_TSTRING || type == LUA_TNUMBER) && key >= 1 && key <= n && key == floor(key);
}

int pieces_look(lua_State *L, int index, unsigned n, unsigned *seen, unsigned most) {
    unsigned begin = *seen;
    lua_pushnil(L);
    if (begin) { /* the keys up to here came in order; a key that there is no more, lua_next would raise */
        lua_pop(L, 1);
        lua_rawgeti(L, index, (int)begin);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            return UV_EINVAL;
        }
        lua_pop(L, 1);
        lua_pushnumber(L, begin);
    }
    while (lua_next(L, index)) {
        ++*seen;
        bool good = is_piece(L, n), in_order = lua_tonumber(L, -2) == *seen;
        lua_pop(L, 1);
        if (!good || (in_order && *seen - begin >= most && *seen < n)) {
            lua_pop(L, 1);
            return good ? UV_EAGAIN : UV_EINVAL;
        }
    }
    return *seen == n ? 0 : UV_EINVAL;
}

int pieces_throw(lua_State *L, int index, const char *function, const char *of) {
    char number[PIECE_NUMBER];
    size_t size;
    int i = 1;
    while (piece_at(L, index, (unsigned)i, number, &size)) {
        i++;
    }
    lua_rawgeti(L, index, i);
    if (!lua_isnil(L, -1)) {
        return throw(L, "%s: piece %d%s must be a string or a number, got %s", function, i, of, luaL_typename(L, -1));
    }
    while (lua_next(L, index)) { /* the first key of all that is no place before the hole */
        double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        if (key > i && key == floor(key)) {
            return throw(L, "%s: piece %d%s is nil, and there is a piece %.0f: an array has no holes", function, i, of,
                         key);
        }
        if (!(key >= 1 && key < i && key == floor(key))) {
            return throw(L, "%s: the pieces%s must be an array of strings, got a table with the key %s", function, of,
                         lua_type(L, -2) == LUA_TSTRING   ? lua_tostring(L, -2)
                         : lua_type(L, -2) == LUA_TNUMBER ? piece_text(L, -2, number, &size)
                                                          : luaL_typename(L, -2));
        }
        lua_pop(L, 1);
    }
    return throw(L, "%s: the pieces%s were changed meanwhile", function, of);
}

size_t pieces_measure(lua_State *L, int index, const char *function, const char *of, const char *what) {
    char number[PIECE_NUMBER];
    size_t total = 0, size;
    if (piece_text(L, index, number, &size)) {
        return size;
    }
    if (lua_type(L, index) != LUA_TTABLE) {
        throw(L, "%s: %s must be a string, a number or an array of these, got %s", function, what,
              luaL_typename(L, index));
    }
    unsigned n = (unsigned)lua_objlen(L, index), seen = 0;
    if (pieces_look(L, index, n, &seen, UINT_MAX) < 0) {
        pieces_throw(L, index, function, of);
    }
    for (unsigned i = 1; i <= n && piece_at(L, index, i, number, &size); i++) {
        total += size;
    }
    return total;
}
