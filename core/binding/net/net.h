/* SPDX-License-Identifier: MIT
 *
 * What the files that open sockets have in common. A socket of any kind is a userdata that holds a token.
 */
#pragma once
#include "base/address.h"
#include "loop/io.h"
#include "binding/op.h"

/* A new object's token names nothing yet. */
extern const metatable stream_metatable, listener_metatable, udp_metatable, unix_datagram_metatable;
/* Whether the value at an index is a literal address. */
bool get_literal(lua_State *, int index, address *);
/* The address at index 1, a literal: names are looked up before. */
void check_literal(lua_State *, address *);
/* Two objects of a metatable, which `open` makes: pushes them, or a failure. */
int push_two(lua_State *, const metatable *, int (*open)(executor *, io **, io **));
/* The path of a socket at index 1, which was checked before. */
void check_path(lua_State *, address *);
/* Pushes nil, "CODE: text: ADDRESS" with the address at index 1 and the hint, "CODE": returns 3. */
int push_address_failure(lua_State *, int code, const char *hint);
