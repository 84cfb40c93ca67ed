/* SPDX-License-Identifier: MIT
 *
 * Two engines talk through memory: handshakes cut at every byte, random data in both directions with KeyUpdates, against
 * queues that keep copies; ends; what is damaged on its way; and an error queue that others have filled. */
#include "engines.h"

enum { STEPS = 20000, PIECES = 6, CHUNK = 70000, KEPT = 8 << 20 };

/* What one side has written and the other has not read yet. */
typedef struct oracle {
    char *bytes;
    size_t start, end;
} oracle;

static oracle to_server, to_client;

static void open_both(void) {
    open_side(&client, "localhost");
    open_side(&server, NULL);
    CHECK(client.engine && server.engine);
}

static void close_both(void) {
    close_side(&client);
    close_side(&server);
}

static void connect_both(void) {
    open_both();
    shake_hands(WIRE);
    CHECK(client.status == TLS_OPEN && server.status == TLS_OPEN);
}

/* Gives `to` up to n bytes of what `from` has sent, in place or not, and compares what comes out. */
static tls_status deliver(side *to, side *from, oracle *expected, size_t n) {
    static char buffer[CHUNK + WIRE / 2];
    n = n < on_its_way(from) ? n : on_its_way(from);
    size_t held = to->engine->held, got;
    char *in = check_below(2) ? buffer + held : from->wire + from->start;
    if (in != from->wire + from->start) memcpy(in, from->wire + from->start, n);
    tls_status status = engine_unseal(to->engine, in, n, buffer, held + n, &got);
    from->start += n;
    if (from->start == from->end) from->start = from->end = 0;
    CHECK(got <= expected->end - expected->start);
    CHECK(memcmp(buffer, expected->bytes + expected->start, got) == 0);
    expected->start += got;
    flush(to);
    return status;
}

/* Writes a random amount in random pieces. */
static void write_some(side *from, oracle *expected) {
    struct iovec pieces[PIECES];
    int count = 1 + (int)check_below(PIECES);
    size_t total = 0;
    if (expected->start == expected->end) expected->start = expected->end = 0;
    char *bytes = expected->bytes + expected->end;
    for (int i = 0; i < count; i++) {
        size_t n = check_any_size(16);
        if (expected->end + total + n > KEPT) n = 0;
        for (size_t k = 0; k < n; k++) bytes[total + k] = (char)(k * 7 + total);
        pieces[i] = (struct iovec){bytes + total, n};
        total += n;
    }
    ssize_t n = engine_seal(from->engine, pieces, count);
    size_t most = TLS_RECORDS * TLS_RECORD;
    CHECK(n >= 0 && (size_t)n <= total && (size_t)n <= most && ((size_t)n > 0 || total == 0));
    expected->end += (size_t)n;
    flush(from);
}

static bool has_room(const side *s) {
    return s->end + 5 * (TLS_RECORD + 512) < WIRE;
}

static void update_key(side *s) {
    int kind = check_below(2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
    SSL *ssl = ((engine *)s->engine)->ssl;
    if (SSL_version(ssl) == TLS1_3_VERSION && has_room(s)) {
        CHECK(SSL_key_update(ssl, kind) == 1 && SSL_do_handshake(ssl) == 1);
        flush(s);
    }
}

static void data_in_both_directions(void) {
    connect_both();
    for (int i = 0; i < STEPS; i++) {
        switch (check_below(8)) {
        case 0:
            if (has_room(&client)) write_some(&client, &to_server);
            break;
        case 1:
            if (has_room(&server)) write_some(&server, &to_client);
            break;
        case 2:
            if (check_below(8) == 0) update_key(&client);
            break;
        case 3:
            if (check_below(8) == 0) update_key(&server);
            break;
        case 4: engine_rest(check_below(2) ? client.engine : server.engine); break;
        case 5: CHECK(deliver(&client, &server, &to_client, check_any_size(16)) == TLS_OPEN); break;
        default: CHECK(deliver(&server, &client, &to_server, check_any_size(16)) == TLS_OPEN);
        }
    }
    while (on_its_way(&client) || on_its_way(&server)) {
        CHECK(deliver(&server, &client, &to_server, CHUNK) == TLS_OPEN);
        CHECK(deliver(&client, &server, &to_client, CHUNK) == TLS_OPEN);
    }
    CHECK(to_server.start == to_server.end && to_client.start == to_client.end);
    CHECK(client.engine->held == 0 && server.engine->held == 0);

    engine_finish(client.engine); /* one direction ends, the other goes on */
    flush(&client);
    CHECK(deliver(&server, &client, &to_server, CHUNK) == TLS_ENDED);
    CHECK(engine_seal(client.engine, &(struct iovec){pem, 1}, 1) == -EPIPE);
    write_some(&server, &to_client);
    CHECK(deliver(&client, &server, &to_client, CHUNK + 5000) == TLS_OPEN);
    CHECK(to_client.start == to_client.end);
    CHECK(engine_end(server.engine) == TLS_ENDED);
    CHECK(engine_end(client.engine) == TLS_FAILED && fails_with(&client, "truncated: "));
    close_both();
}

/* How many bytes both sides send until the handshake is made. */
static void handshake_cut_at_every_byte(void) {
    size_t limit = 1;
    for (size_t part = 1; part < limit + 1; part += part < 80 ? 1 : 37) {
        if (part % 2) sessions_free(&client.config->sessions); /* whole handshakes, and resumed ones */
        open_both();
        shake_hands(part);
        CHECK(client.status == TLS_OPEN && server.status == TLS_OPEN);
        limit = client.end > server.end ? client.end : server.end;
        CHECK(deliver(&client, &server, &to_client, WIRE / 4) == TLS_OPEN); /* the tickets */
        close_both();
    }
    CHECK(limit > 400);
}

/* Data that comes with the end of the handshake is left for unseal. */
static void data_behind_the_handshake(void) {
    open_both();
    shake(&client, &server, 0);
    shake(&server, &client, WIRE);
    shake(&client, &server, WIRE);
    CHECK(client.status == TLS_OPEN);
    write_some(&client, &to_server);
    shake(&server, &client, WIRE);
    CHECK(server.status == TLS_OPEN);
    CHECK(deliver(&server, &client, &to_server, CHUNK + 5000) == TLS_OPEN);
    CHECK(to_server.start == to_server.end);
    close_both();
}

static void damage(void) {
    for (int i = 0; i < 400; i++) {
        connect_both();
        engine_handshake(client.engine, &(const char *){""}, &(size_t){0});
        deliver(&client, &server, &to_client, WIRE / 4);
        do write_some(&client, &to_server);
        while (client.end == client.start);
        size_t at = client.start + check_below(on_its_way(&client));
        client.wire[at] = (char)(client.wire[at] ^ 1 << check_below(8));
        if (at == client.start + 1 || at == client.start + 2) { /* the version of a record may be another */
            client.wire[at] = (char)(at == client.start + 1 ? 9 : client.wire[at]);
        }
        tls_status status = TLS_OPEN;
        while (status == TLS_OPEN && on_its_way(&client)) {
            status = deliver(&server, &client, &to_server, 1 + check_any_size(16));
        }
        if (status == TLS_FAILED) {
            CHECK(fails_with(&server, "broken: "));
            CHECK(engine_seal(server.engine, &(struct iovec){pem, 1}, 1) == TLS_FAILURE);
            CHECK(engine_end(server.engine) == TLS_FAILED);
        }
        to_server.start = to_server.end = 0;
        close_both();
    }
}

static void other_protocols(void) {
    static const struct {
        const char *sent, *words;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "not-tls: a plain HTTP request came to a TLS port: \"GET / HTTP/1.1\""},
        {"EHLO client.example\r\n", "not-tls: the peer does not speak TLS, it sent \"EHLO client.example\""},
        {"\x16\x03\x01\x00\x05\x00\x00\x00\x00\x00", "broken: "},
    };
    static const size_t sizes[] = {26, 21, 10};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_both();
        const char *in = cases[i].sent;
        size_t n = sizes[i];
        CHECK(engine_handshake(server.engine, &in, &n) == TLS_FAILED);
        CHECK(fails_with(&server, cases[i].words));
        CHECK(ERR_peek_error() == 0);
        close_both();
    }
}

static void answers_of_other_protocols(void) {
    static const struct {
        const char *sent, *words;
        size_t size;
    } cases[] = {
        {"220 mail.example ESMTP\r\n", "not-tls: the peer does not speak TLS, it sent \"220 mail.example ESMTP\"", 24},
        {"\x15\x03\x03\x00\x02\x02\x28", "refused: the peer ended the handshake: alert 40, handshake failure", 7},
        {"\x15\x03\x03\x00\x02\x02\x30", "refused: the peer ended the handshake: alert 48, unknown CA: it does not", 7},
        {"\x15\x03\x03\x00\x02\x02\x46", "protocol-version: we want TLS 1.2", 7},
        {"\x15\x03\x03\x00\x02\x02\x78", "no-alpn: the peer has none of the protocols that we offer", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_both();
        const char *in = cases[i].sent;
        size_t n = cases[i].size;
        shake(&client, &server, 0);
        CHECK(engine_handshake(client.engine, &in, &n) == TLS_FAILED);
        CHECK(fails_with(&client, cases[i].words));
        close_both();
    }
}

static void ends_in_the_handshake(void) {
    open_both();
    CHECK(engine_end(server.engine) == TLS_ENDED); /* it has said nothing at all */
    close_both();
    open_both();
    shake(&client, &server, 0);
    shake(&server, &client, 20);
    CHECK(engine_end(server.engine) == TLS_FAILED);
    CHECK(fails_with(&server, "closed: the peer closed in the handshake, within the ClientHello"));
    CHECK(engine_end(client.engine) == TLS_FAILED);
    CHECK(fails_with(&client, "closed: the peer closed in the handshake, after the ClientHello"));
    close_both();
}

/* Others use OpenSSL on this thread too, and leave errors behind. */
static void others_errors(void) {
    connect_both();
    for (int i = 0; i < 50; i++) {
        ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
        do write_some(&client, &to_server);
        while (on_its_way(&client) == 0);
        CHECK(ERR_peek_error() == 0);
        ERR_raise(ERR_LIB_X509, X509_R_UNSUPPORTED_ALGORITHM);
        CHECK(deliver(&server, &client, &to_server, WIRE / 4) == TLS_OPEN);
        CHECK(ERR_peek_error() == 0);
        side good_client = client, good_server = server;
        client.wire = server.wire = NULL;
        client.output = server.output = (tls_output){0};
        other_protocols();
        free(client.wire), free(server.wire);
        output_free(&client.output), output_free(&server.output);
        client = good_client, server = good_server;
    }
    close_both();
}

static void tickets_are_resumed(void) {
    for (int i = 0; i < 8; i++) {
        connect_both();
        CHECK(i == 0 || SSL_session_reused(((engine *)client.engine)->ssl));
        CHECK(deliver(&client, &server, &to_client, WIRE / 4) == TLS_OPEN);
        CHECK(client.config->sessions.count >= 1 && client.config->sessions.count <= SESSIONS_A_KEY);
        close_both();
    }
}

static void run_with(const tls_option *more) {
    tls_problem problem;
    server.config = server_config(NULL, &problem);
    client.config = client_config(more, &problem);
    CHECK(server.config && client.config);
    data_in_both_directions();
    handshake_cut_at_every_byte();
    data_behind_the_handshake();
    damage();
    other_protocols();
    answers_of_other_protocols();
    ends_in_the_handshake();
    others_errors();
    tickets_are_resumed();
    config_release(server.config);
    config_release(client.config);
}

int main(void) {
    check_begin();
    make_certificate();
    to_server.bytes = malloc(KEPT);
    to_client.bytes = malloc(KEPT);
    CHECK(to_server.bytes && to_client.bytes);
    run_with(NULL);
    run_with(&(tls_option){"max_version", (const tls_bytes[]){{"1.2", 3}}, 1});
    output_free(&client.output);
    output_free(&server.output);
    free(client.wire), free(server.wire);
    free(to_server.bytes), free(to_client.bytes);
    return 0;
}
