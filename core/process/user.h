/* SPDX-License-Identifier: MIT
 *
 * Users and groups by their names, or their numbers as text.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* A user's id, main group and all groups (owned by the caller: free). UV_ENOENT: there is none. A number that no user has
 * is its own group, and in no other. */
int user_find(const char *name, uid_t *, gid_t *, gid_t **groups, size_t *count);
int group_find(const char *name, gid_t *);
