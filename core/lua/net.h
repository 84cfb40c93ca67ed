/* SPDX-License-Identifier: MIT
 *
 * What the operations of sockets have in common. A socket of any kind is a userdata that holds a token.
 */
#pragma once
#include "../address.h"
#include "../io.h"
#include "suspend.h"

/* Pushes a userdata that names nothing yet. */
momo_token *push_token(lua_State *, int metatable);
/* Whether the value at an index is a literal address. */
bool get_literal(lua_State *, int index, address *);
/* The address at index 1, a literal: names are looked up before. */
void check_literal(lua_State *, address *);
/* push_failure with the address at index 1, and a hint behind it. */
int push_address_failure(lua_State *, int code, const char *hint);
