/* SPDX-License-Identifier: MIT
 *
 * Succession: see succession.h.
 */
#include "net/succession.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"

enum { FIRST = 3, CHOSEN_MAX = 64 };

static struct {
    pthread_mutex_t lock;
    in_port_t chosen[CHOSEN_MAX]; /* by the system, of this process's or a predecessor's binds; 0: a free place */
    int first, count;             /* inherited descriptors, in a row */
    char marks[SUCCESSION_MAX];   /* of each: as succession_gather has them, and ' ' once it was claimed */
    atomic_bool handed_over;
} succession = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool listens(int fd) {
    const char *kind = socket_kind(fd);
    return kind && (strcmp(kind, SOCKET_TCP_LISTENER) == 0 || strcmp(kind, SOCKET_UNIX_LISTENER) == 0);
}

static address own_address(int fd) {
    address a = {.length = sizeof a.storage};
    if (getsockname(fd, (struct sockaddr *)&a.storage, &a.length) < 0) {
        a.length = 0;
    }
    return a;
}

/* Where an address has its port; NULL: it has none. */
static in_port_t *port_in(address *a) {
    switch (a->storage.ss_family) {
    case AF_INET: return &((struct sockaddr_in *)&a->storage)->sin_port;
    case AF_INET6: return &((struct sockaddr_in6 *)&a->storage)->sin6_port;
    default: return NULL;
    }
}

/* ---- in the predecessor ---- */

void succession_chose(int fd) {
    address a = own_address(fd);
    const in_port_t *port = a.length ? port_in(&a) : NULL;
    pthread_mutex_lock(&succession.lock);
    for (int i = 0; port && i < CHOSEN_MAX; i++) {
        if (!succession.chosen[i] || succession.chosen[i] == *port) {
            succession.chosen[i] = *port;
            break;
        }
    }
    pthread_mutex_unlock(&succession.lock);
}

static char mark_of(int fd) {
    address a = own_address(fd);
    const in_port_t *port = a.length ? port_in(&a) : NULL;
    char mark = '-';
    pthread_mutex_lock(&succession.lock);
    for (int i = 0; port && i < CHOSEN_MAX; i++) {
        mark = succession.chosen[i] == *port ? 'c' : mark;
    }
    pthread_mutex_unlock(&succession.lock);
    return mark;
}

/* How many listeners from FIRST on socket activation has given this process, all of which are still open. */
static int count_activated(void) {
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int n = pid && count && atoi(pid) == getpid() ? atoi(count) : 0;
    for (int i = 0; i < n; i++) {
        if (i == SUCCESSION_MAX || !listens(FIRST + i)) {
            return 0;
        }
    }
    return n;
}

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

int succession_gather(int fds[SUCCESSION_MAX], char marks[SUCCESSION_MAX + 1], int *activated) {
    int n = 0, kept = 0, of[SUCCESSION_MAX];
    *activated = count_activated();
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) {
        return io_last_error();
    }
    for (struct dirent *entry; n < SUCCESSION_MAX && (entry = readdir(folder));) {
        int fd = atoi(entry->d_name);
        if (listens(fd)) {
            of[n++] = fd;
        }
    }
    closedir(folder);
    qsort(of, (size_t)n, sizeof *of, compare); /* those of socket activation are the first */
    for (int i = 0; i < n; i++) {
        int copy = fcntl(of[i], F_DUPFD_CLOEXEC, FIRST);
        if (copy >= 0 && listens(copy)) { /* it may be closed meanwhile, or have become another one */
            marks[kept] = mark_of(copy);
            fds[kept++] = copy;
        } else if (copy >= 0) {
            close(copy);
        }
    }
    marks[kept] = '\0';
    return kept;
}

void succession_hand_over(void) {
    atomic_store(&succession.handed_over, true);
}

bool succession_handed_over(void) {
    return atomic_load(&succession.handed_over);
}

/* ---- in the successor ---- */

static void mark_as_activated(int n) {
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
}

bool succession_begin(int *ready, int *leader) {
    const char *said = getenv("MOMO_SUCCESSION"); /* "ACTIVATED READY LEADER MARKS" */
    int activated, at = 0;
    if (!said || sscanf(said, "%d %d %d %n", &activated, ready, leader, &at) < 3 || !at) {
        return false;
    }
    const char *marks = said + at;
    size_t count = strlen(marks);
    if (activated) {
        mark_as_activated(activated);
    }
    succession.first = FIRST + activated;
    succession.count = count < SUCCESSION_MAX ? (int)count : SUCCESSION_MAX;
    memcpy(succession.marks, marks, (size_t)succession.count);
    for (int i = 0; i < succession.count; i++) {
        fcntl(succession.first + i, F_SETFD, FD_CLOEXEC);
        if (marks[i] == 'c') {
            succession_chose(succession.first + i);
        }
    }
    fcntl(*ready, F_SETFD, FD_CLOEXEC);
    fcntl(*leader, F_SETFD, FD_CLOEXEC);
    unsetenv("MOMO_SUCCESSION");
    return true;
}

/* Port 0 is that of a socket whose port was chosen before. */
static bool answers(int fd, char mark, const address *wanted) {
    address own = own_address(fd), other = *wanted;
    in_port_t *port = port_in(&other);
    if (port && !*port && mark == 'c' && own.storage.ss_family == other.storage.ss_family) {
        *port = *port_in(&own);
    }
    return own.length == other.length && memcmp(&own.storage, &other.storage, own.length) == 0;
}

int succession_claim(const address *wanted) {
    int found = -1;
    pthread_mutex_lock(&succession.lock);
    for (int i = 0; found < 0 && i < succession.count; i++) {
        int fd = succession.first + i;
        if (succession.marks[i] != ' ' && answers(fd, succession.marks[i], wanted)) {
            succession.marks[i] = ' ';
            found = fd;
        }
    }
    pthread_mutex_unlock(&succession.lock);
    return found;
}

unsigned succession_unclaimed(void) {
    unsigned n = 0;
    pthread_mutex_lock(&succession.lock);
    for (int i = 0; i < succession.count; i++) {
        n += succession.marks[i] != ' ';
    }
    pthread_mutex_unlock(&succession.lock);
    return n;
}

void succession_close_rest(void) {
    pthread_mutex_lock(&succession.lock);
    for (int i = 0; i < succession.count; i++) {
        if (succession.marks[i] != ' ') {
            close(succession.first + i);
        }
    }
    succession.count = 0;
    pthread_mutex_unlock(&succession.lock);
}
