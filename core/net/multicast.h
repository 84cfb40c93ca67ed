/* SPDX-License-Identifier: MIT
 *
 * Multicast of both families, on UDP sockets. An interface is named, or NULL: the system chooses.
 */
#pragma once
#include "base/address.h"
#include "loop/io.h"

/* Joins a group, which is an address without a port, or leaves it. */
int multicast_set_member(const io *, const char *group, const char *interface, bool join);
int multicast_set_ttl(const io *, int hops);
int multicast_set_loop(const io *, bool on);
int multicast_set_interface(const io *, const char *interface);
