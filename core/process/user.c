/* SPDX-License-Identifier: MIT
 *
 * Users and groups: see user.h.
 */
#include "process/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

enum { TEXTS = 16 * 1024, GROUPS_MAX = 65536 };

static bool is_number(const char *name, unsigned long *number) {
    char *end;
    errno = 0;
    *number = strtoul(name, &end, 10);
    return *name >= '0' && *name <= '9' && *end == '\0' && errno == 0 && *number < UINT32_MAX;
}

static int find_groups(const char *name, gid_t group, gid_t **groups, size_t *count) {
    int n = 32;
    for (gid_t *all = NULL;; n = n > 0 ? 2 * n : 32) {
        gid_t *more = n <= GROUPS_MAX ? realloc(all, (size_t)n * sizeof *all) : NULL;
        if (!more) {
            free(all);
            return UV_ENOMEM;
        }
        all = more;
        int found = n;
        if (getgrouplist(name, group, all, &found) >= 0) {
            *groups = all;
            *count = (size_t)found;
            return 0;
        }
    }
}

int user_find(const char *name, uid_t *user, gid_t *group, gid_t **groups, size_t *count) {
    char texts[TEXTS];
    struct passwd entry, *found = NULL;
    unsigned long number = 0;
    bool numeric = is_number(name, &number);
    int error = numeric ? getpwuid_r((uid_t)number, &entry, texts, sizeof texts, &found)
                        : getpwnam_r(name, &entry, texts, sizeof texts, &found);
    *groups = NULL;
    *count = 0;
    if (found) {
        *user = found->pw_uid;
        *group = found->pw_gid;
        return find_groups(found->pw_name, found->pw_gid, groups, count);
    }
    if (!numeric) {
        return error ? uv_translate_sys_error(error) : UV_ENOENT;
    }
    *user = (uid_t)number;
    *group = (gid_t)number;
    return 0;
}

int group_find(const char *name, gid_t *group) {
    char texts[TEXTS];
    struct group entry, *found = NULL;
    unsigned long number = 0;
    if (is_number(name, &number)) {
        *group = (gid_t)number;
        return 0;
    }
    int error = getgrnam_r(name, &entry, texts, sizeof texts, &found);
    if (!found) {
        return error ? uv_translate_sys_error(error) : UV_ENOENT;
    }
    *group = found->gr_gid;
    return 0;
}
