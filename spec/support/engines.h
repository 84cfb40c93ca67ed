/* SPDX-License-Identifier: MIT
 *
 * Two engines and the bytes on their way between them, for tests of core/tls: no socket, no clock.
 *
 *   side.sent (output of an engine) --deliver--> side.wire (what the other has not been given yet) --> the other engine
 */
#pragma once
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "check.h"
#include "tls/internal.h"

enum { WIRE = 1 << 20 };

/* A certificate for localhost, 127.0.0.1 and ::1, and its key. */
static char pem[8192], *pem_key_text;

typedef struct side {
    tls_config *config;
    tls_engine *engine;
    tls_output output;
    char *wire; /* ciphertext that it has sent, of which [start, end) has not arrived */
    size_t start, end;
    tls_status status;
} side;

static side client, server;

static inline tls_bytes bytes_of(const char *text) {
    return (tls_bytes){text, strlen(text)};
}

static inline void make_certificate(void) {
    const tls_bytes names[] = {bytes_of("localhost"), bytes_of("127.0.0.1"), bytes_of("::1")};
    tls_problem problem;
    CHECK(self_signed(names, 3, 7, pem, sizeof pem, &problem));
    pem_key_text = pem + strlen(pem) + 1;
}

/* A configuration with one setting more than its side needs (NULL: none). */
static inline tls_config *server_config(const tls_option *more, tls_problem *problem) {
    const tls_bytes pair[] = {bytes_of(""), bytes_of(pem), bytes_of(pem_key_text), bytes_of("")};
    const tls_option options[] = {{"pair", pair, 4}, more ? *more : (tls_option){0}};
    return config_new(true, options, more ? 2 : 1, problem);
}

static inline tls_config *client_config(const tls_option *more, tls_problem *problem) {
    const tls_bytes ca[] = {bytes_of(pem)}, yes[] = {bytes_of("1")}, sessions[] = {bytes_of("16")};
    const tls_option options[] = {
        {"ca", ca, 1}, {"verify", yes, 1}, {"sessions", sessions, 1}, more ? *more : (tls_option){0}};
    return config_new(false, options, more ? 4 : 3, problem);
}

static inline void open_side(side *s, const char *name) {
    s->engine = engine_open(s->config, &s->output, name, name ? "443" : NULL);
    s->start = s->end = 0;
    s->status = TLS_INPUT;
    s->output.size = 0;
    if (!s->wire) {
        s->wire = malloc(WIRE);
        CHECK(s->wire);
    }
}

static inline void close_side(side *s) {
    if (s->engine) {
        engine_close(s->engine);
    }
    s->engine = NULL;
}

/* What the engine has put out is on its way. */
static inline void flush(side *s) {
    CHECK(s->end + s->output.size <= WIRE);
    if (s->output.size) {
        memcpy(s->wire + s->end, s->output.data, s->output.size);
    }
    s->end += s->output.size;
    s->output.size = 0;
}

static inline size_t on_its_way(const side *s) {
    return s->end - s->start;
}

/* Gives up to n bytes of what `from` has sent to the handshake of `to`; those that it leaves are for unseal. */
static inline void shake(side *to, side *from, size_t n) {
    const char *in = from->wire + from->start;
    n = n < on_its_way(from) ? n : on_its_way(from);
    size_t left = n;
    to->status = engine_handshake(to->engine, &in, &left);
    CHECK(left == 0 || to->status != TLS_INPUT);
    from->start += n - left;
    flush(to);
}

/* The handshake, each side given up to so many bytes at a time. */
static inline void shake_hands(size_t part) {
    shake(&client, &server, 0);
    for (int steps = 0; steps < 100000; steps++) {
        if (server.status == TLS_INPUT && on_its_way(&client)) shake(&server, &client, part);
        if (client.status == TLS_INPUT && on_its_way(&server)) shake(&client, &server, part);
        bool waits =
            (server.status == TLS_INPUT && on_its_way(&client)) || (client.status == TLS_INPUT && on_its_way(&server));
        if (!waits) return;
    }
    CHECK(!"the handshake comes to an end");
}

static inline const char *words_of(const side *s) {
    const tls_problem *problem = engine_problem_of(s->engine);
    return problem ? problem->words : "";
}

static inline bool fails_with(const side *s, const char *kind) {
    bool so = strncmp(words_of(s), kind, strlen(kind)) == 0;
    if (!so) fprintf(stderr, "expected %s: got '%s'\n", kind, words_of(s));
    return so;
}
