/* SPDX-License-Identifier: MIT
 *
 * What others need to know of the messages of channels between threads.
 */
#pragma once
#include "binding/runtime.h"
#include "thread/channel.h"

/* The ends of channels (channel_end.c). */
extern const metatable sender_metatable, receiver_metatable;
/* What its messages are, for channel_new. */
channel_drop drop_message;

/* ---- for select ---- */

/* Where a task waits for the receiver at `index`; NULL: it is closed. And once the task is parked there: */
list *receiver_waiters(lua_State *, int index);
void receiver_parked(list *waiters);
