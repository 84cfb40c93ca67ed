/* SPDX-License-Identifier: MIT
 *
 * One side of one connection: see tls.h.
 */
#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

/* OpenSSL takes from these bytes during the call that follows, and `take_back` says how many it took. */
static void lend(engine *e, const char *in, size_t n) {
    ERR_clear_error();
    e->in = in;
    e->in_size = n;
}

static size_t take_back(engine *e, size_t n) {
    size_t taken = n - e->in_size;
    e->in = NULL;
    e->in_size = 0;
    return taken;
}

/* No record is on its way: OpenSSL has taken whole ones. */
static void begin_record(engine *e) {
    e->header_size = 0;
    e->record_at = e->taken;
    e->head.held = 0;
}

/* A connection of the engine's configuration that has seen nothing yet. */
static SSL *ssl_new(engine *e) {
    SSL *ssl = SSL_new(e->config->context);
    BIO *bio = ssl ? bio_new(e) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    if (e->config->server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (e->name[0] && !is_address(e->name) && !SSL_set_tlsext_host_name(ssl, e->name)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_SESSION *session = e->session_key ? sessions_take(&e->config->sessions, e->session_key, time(NULL)) : NULL;
    if (session) {
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    return ssl;
}

static void ssl_free(engine *e) {
    if (!e->problem) { /* else the session would count as a bad one */
        SSL_set_shutdown(e->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(e->ssl);
}

/* What sessions are kept by: the name, and what the caller tells them apart by. */
static char *make_key(const char *name, const char *key) {
    size_t n = strlen(name), m = strlen(key);
    char *made = OPENSSL_malloc(n + m + 2);
    if (made) {
        memcpy(made, name, n);
        made[n] = '\n';
        memcpy(made + n + 1, key, m + 1);
    }
    return made;
}

tls_engine *engine_open(tls_config *config, tls_output *output, const char *name, const char *session_key) {
    size_t size = name ? strlen(name) : 0;
    engine *e = OPENSSL_zalloc(sizeof *e + size + 1);
    if (!e) {
        ERR_clear_error();
        return NULL;
    }
    memcpy(e->name, name ? name : "", size);
    e->config = config_hold(config);
    e->output = output;
    bool keeps = size && session_key && config->sessions.max;
    e->session_key = keeps ? make_key(name, session_key) : NULL;
    ERR_clear_error();
    e->ssl = keeps && !e->session_key ? NULL : ssl_new(e);
    ERR_clear_error();
    if (!e->ssl) {
        OPENSSL_free(e->session_key);
        config_release(config);
        OPENSSL_free(e);
        return NULL;
    }
    return &e->head;
}

void engine_close(tls_engine *head) {
    engine *e = (engine *)head;
    hello_free(e);
    output_free(&e->replay);
    ERR_clear_error();
    ssl_free(e);
    ERR_clear_error();
    config_release(e->config);
    OPENSSL_free(e->session_key);
    OPENSSL_free(e->problem == &problem_no_memory ? NULL : e->problem);
    OPENSSL_free(e);
}

tls_problem *engine_problem(engine *e) {
    if (!e->problem) {
        e->problem = OPENSSL_zalloc(sizeof *e->problem);
    }
    if (!e->problem) {
        ERR_clear_error();
        e->problem = &problem_no_memory;
    }
    return e->problem;
}

const tls_problem *engine_problem_of(const tls_engine *head) {
    return ((const engine *)head)->problem;
}

/* ---- the handshake ---- */

static tls_status failed(engine *e) {
    failure_explain(e);
    ERR_clear_error();
    return TLS_FAILED;
}

static tls_status step(engine *e) {
    int status = SSL_do_handshake(e->ssl);
    if (status == 1) {
        e->established = true;
        begin_record(e);
        hello_free(e);
        output_free(&e->replay);
        return TLS_OPEN;
    }
    switch (SSL_get_error(e->ssl, status)) {
    case SSL_ERROR_WANT_READ: return TLS_INPUT;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return TLS_ANSWER;
    default: return failed(e);
    }
}

/* What the input began with, also where OpenSSL takes no more than its first bytes. */
static void note_first(engine *e, const char *in, size_t n) {
    size_t part = (size_t)(FIRST_BYTES - e->first_size);
    part = n < part ? n : part;
    if (part) {
        memcpy(e->first + e->first_size, in, part);
        e->first_size = (uint8_t)(e->first_size + part);
    }
}

/* Another configuration gets to see what has come from the beginning on. */
static tls_status step_replay(engine *e) {
    tls_output replay = e->replay;
    e->replay = (tls_output){0};
    lend(e, replay.data, replay.size);
    tls_status status = step(e);
    take_back(e, replay.size);
    output_free(&replay);
    return status;
}

tls_status engine_handshake(tls_engine *head, const char **in, size_t *n) {
    engine *e = (engine *)head;
    if (e->problem) {
        return TLS_FAILED;
    }
    if (e->established) {
        return TLS_OPEN;
    }
    tls_status status = e->answered && e->replay.size ? step_replay(e) : TLS_INPUT;
    if (status != TLS_INPUT) {
        return status;
    }
    const char *bytes = *in;
    note_first(e, bytes, *n);
    lend(e, bytes, *n);
    status = step(e);
    size_t taken = take_back(e, *n);
    *in += taken;
    *n -= taken;
    if (e->config->asks && !e->answered && status != TLS_FAILED && !output_append(&e->replay, bytes, taken)) {
        e->no_memory = true;
        return failed(e);
    }
    return status;
}

void engine_answer(tls_engine *head, tls_config *config) {
    engine *e = (engine *)head;
    e->answered = true;
    if (!config || config == e->config) {
        output_free(&e->replay);
        return;
    }
    config_hold(config);
    config_release(e->config);
    e->config = config;
    hello_free(e);
    SSL *before = e->ssl;
    ERR_clear_error();
    SSL *ssl = ssl_new(e);
    if (!ssl) {
        e->no_memory = true;
        failed(e);
        return;
    }
    SSL_free(before);
    e->ssl = ssl;
    e->taken = 0;
    begin_record(e);
}

/* ---- after it ---- */

tls_status engine_unseal(tls_engine *head, const char *in, size_t n, char *into, size_t room, size_t *out) {
    engine *e = (engine *)head;
    size_t got = 0, part;
    *out = 0;
    if (e->problem || e->ended || n == 0) {
        return e->problem ? TLS_FAILED : e->ended ? TLS_ENDED : TLS_OPEN;
    }
    lend(e, in, n);
    while (got < room && SSL_read_ex(e->ssl, into + got, room - got, &part)) {
        got += part;
    }
    tls_status status = TLS_OPEN;
    int error = got < room ? SSL_get_error(e->ssl, 0) : SSL_ERROR_SSL; /* plaintext is shorter than its record */
    if (error == SSL_ERROR_ZERO_RETURN) {
        e->ended = true;
        status = TLS_ENDED;
    } else if (error != SSL_ERROR_WANT_READ) {
        status = failed(e);
    }
    take_back(e, n);
    *out = got;
    return status;
}

/* Up to a record of bytes that lie in several pieces; moves on to what comes after them. */
static size_t gather(char *into, const struct iovec **piece, const struct iovec *last, size_t *offset) {
    size_t n = 0;
    while (*piece < last && n < TLS_RECORD) {
        size_t left = (*piece)->iov_len - *offset, part = left < TLS_RECORD - n ? left : TLS_RECORD - n;
        memcpy(into + n, (const char *)(*piece)->iov_base + *offset, part);
        n += part;
        *offset += part;
        if (part == left) {
            ++*piece;
            *offset = 0;
        }
    }
    return n;
}

ssize_t engine_seal(tls_engine *head, const struct iovec *pieces, int count) {
    engine *e = (engine *)head;
    char gathered[TLS_RECORD];
    const struct iovec *piece = pieces, *last = pieces + count;
    size_t offset = 0, total = 0;
    ERR_clear_error();
    for (int records = 0; records < TLS_RECORDS && piece < last && !e->problem; records++) {
        const char *bytes = (const char *)piece->iov_base + offset;
        size_t n = piece->iov_len - offset, written;
        if (n >= TLS_RECORD) {
            n = TLS_RECORD;
            offset += n;
        } else if (piece + 1 == last) {
            piece = last;
        } else {
            bytes = gathered;
            n = gather(gathered, &piece, last, &offset);
        }
        if (e->finished) {
            return -EPIPE;
        }
        if (n && !SSL_write_ex(e->ssl, bytes, n, &written)) {
            failed(e);
        }
        total += n;
    }
    return e->problem ? e->problem->code : (ssize_t)total;
}

void engine_finish(tls_engine *head) {
    engine *e = (engine *)head;
    if (e->established && !e->finished && !e->problem) {
        e->finished = true;
        ERR_clear_error();
        SSL_shutdown(e->ssl);
        ERR_clear_error();
    }
}

tls_status engine_end(tls_engine *head) {
    engine *e = (engine *)head;
    if (e->problem) {
        return TLS_FAILED;
    }
    bool silent = e->config->server && e->taken == 0; /* one who looks whether somebody is there */
    if (e->ended || (e->established ? e->config->ends_bare : silent)) {
        e->ended = true;
        return TLS_ENDED;
    }
    if (e->established) {
        problem_set(engine_problem(e), TLS_FAILURE, "truncated: the stream ended without close_notify%s",
                    e->head.held ? ", within a record" : "");
    } else if (e->config->server) {
        problem_set(engine_problem(e), TLS_FAILURE, "closed: the peer closed in the handshake, %s the ClientHello",
                    e->hello ? "after" : "within");
    } else {
        problem_set(engine_problem(e), TLS_FAILURE, "closed: the peer closed in the handshake, after %s",
                    e->taken ? "a part of its answer" : "the ClientHello");
    }
    return TLS_FAILED;
}

/* OpenSSL before 3.0.14 frees a buffer in which the header of a record lies, and uses it later. */
void engine_rest(tls_engine *head) {
    if (!head->held) {
        SSL_free_buffers(((engine *)head)->ssl);
    }
}
