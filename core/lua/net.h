/* SPDX-License-Identifier: MIT
 *
 * What the files that open sockets have in common.
 */
#pragma once
#include "../address.h"
#include "suspend.h"

/* Pushes an object of this metatable, whose token names nothing yet. */
momo_token *push_token(lua_State *, int metatable);
/* The path of a socket at index 1, which was checked before. */
void check_path(lua_State *, address *);
/* Pushes nil, "CODE: text: ADDRESS" with the address at index 1 and the hint, "CODE": returns 3. */
int push_address_failure(lua_State *, int code, const char *hint);
