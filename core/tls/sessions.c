/* SPDX-License-Identifier: MIT
 *
 * The sessions that a client may resume, by peer. A server sends several tickets, and one of TLS 1.3 serves once, so there
 * are some for each peer: the newest is taken, and the oldest make room.
 */
#include "tls/internal.h"

#include <string.h>

typedef struct session {
    list link;
    SSL_SESSION *session;
    char key[];
} session;

static void drop(sessions *all, session *s) {
    list_remove(&s->link);
    all->count--;
    SSL_SESSION_free(s->session);
    OPENSSL_free(s);
}

void sessions_init(sessions *all) {
    list_init(&all->all);
}

void sessions_free(sessions *all) {
    while (!list_empty(&all->all)) {
        drop(all, list_entry(list_first(&all->all), session, link));
    }
}

/* Drops the oldest of a peer that has all that it may have. */
static void make_room(sessions *all, const char *key) {
    session *oldest = NULL;
    unsigned n = 0;
    for (list *at = all->all.next; at != &all->all; at = at->next) {
        session *s = list_entry(at, session, link);
        if (strcmp(s->key, key) == 0) {
            oldest = n++ ? oldest : s;
        }
    }
    if (n >= SESSIONS_A_KEY) {
        drop(all, oldest);
    } else if (all->count >= all->max) {
        drop(all, list_entry(list_first(&all->all), session, link));
    }
}

bool sessions_put(sessions *all, const char *key, SSL_SESSION *ssl_session) {
    size_t size = strlen(key) + 1;
    session *s = OPENSSL_malloc(sizeof *s + size);
    if (!s) {
        return false;
    }
    make_room(all, key);
    s->session = ssl_session;
    memcpy(s->key, key, size);
    list_push(&all->all, &s->link);
    all->count++;
    return true;
}

SSL_SESSION *sessions_take(sessions *all, const char *key, int64_t now) {
    for (list *at = all->all.prev, *before; at != &all->all; at = before) {
        session *s = list_entry(at, session, link);
        before = at->prev;
        if (strcmp(s->key, key) != 0) {
            continue;
        }
        SSL_SESSION *found = s->session;
        bool good = SSL_SESSION_is_resumable(found) &&
                    now <= (int64_t)SSL_SESSION_get_time(found) + (int64_t)SSL_SESSION_get_timeout(found);
        if (good) {
            SSL_SESSION_up_ref(found);
        }
        if (!good || SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION) {
            drop(all, s);
        }
        if (good) {
            return found;
        }
    }
    return NULL;
}
