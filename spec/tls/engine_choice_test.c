/* SPDX-License-Identifier: MIT
 *
 * What a server chooses for a client: an answer of on_hello, which sees the handshake from its first byte; the protocol;
 * the certificate by name. And what lies in store for the next connection: keys of tickets, sessions. */
#include "engines.h"

#include <unistd.h>

static tls_problem problem;

static char second_pem[8192], *second_key;

static bool has(const char *facts, size_t size, const char *key, const char *value) {
    for (const char *at = facts; at < facts + size;) {
        const char *its = at + strlen(at) + 1;
        if (strcmp(at, key) == 0 && strcmp(its, value) == 0) return true;
        at = its + strlen(its) + 1;
    }
    return false;
}

static bool knows(const side *s, enum tls_facts about, const char *key, const char *value) {
    char facts[8192];
    size_t size = describe(s->engine, about, NULL, 0);
    CHECK(size <= sizeof facts && describe(s->engine, about, facts, sizeof facts) == size);
    return has(facts, size, key, value);
}

static void close_both(void) {
    close_side(&client);
    close_side(&server);
}

/* A server whose on_hello answers with another configuration, or with nothing; the ClientHello comes in two parts. */
static void asked(bool with_another, size_t part) {
    const tls_bytes protocols[] = {bytes_of("h2"), bytes_of("http/1.1")}, second[] = {bytes_of("http/1.1")};
    const tls_bytes pair[] = {bytes_of(""), bytes_of(pem), bytes_of(pem_key_text), bytes_of("")},
                    yes[] = {bytes_of("1")};
    const tls_option options[] = {{"pair", pair, 4}, {"alpn", second, 1}, {"on_hello", yes, 1}};
    tls_config *other = with_another ? config_new(true, options, 3, &problem) : NULL; /* it is not asked again */
    server.config = server_config(&options[2], &problem);
    client.config = client_config(&(tls_option){"alpn", protocols, 2}, &problem);
    CHECK(server.config && client.config && (other || !with_another));
    open_side(&client, "localhost");
    open_side(&server, NULL);
    shake(&client, &server, 0);
    while (server.status == TLS_INPUT) {
        CHECK(on_its_way(&client));
        shake(&server, &client, part);
    }
    CHECK(server.status == TLS_ANSWER && server.end == 0);
    CHECK(knows(&server, TLS_HELLO, "name", "localhost") && knows(&server, TLS_HELLO, "alpn", "h2"));
    CHECK(knows(&server, TLS_HELLO, "alpn", "http/1.1") && knows(&server, TLS_HELLO, "version", "1.3"));
    engine_answer(server.engine, other);
    if (other) config_release(other); /* the engine holds it */
    shake(&server, &client, 0);
    shake_hands(part);
    CHECK(client.status == TLS_OPEN && server.status == TLS_OPEN);
    CHECK(knows(&client, TLS_CONNECTION, "alpn", "http/1.1") == with_another);
    CHECK(knows(&client, TLS_CONNECTION, "verified", "1") && !knows(&server, TLS_CONNECTION, "verified", "1"));
    CHECK(describe(server.engine, TLS_HELLO, NULL, 0) == 0 && describe(server.engine, TLS_PEER, NULL, 0) == 0);
    CHECK(knows(&client, TLS_PEER, "ip", "::1") && knows(&client, TLS_PEER, "ip", "127.0.0.1"));
    CHECK(knows(&client, TLS_PEER, "name", "localhost"));
    config_release(server.config);
    config_release(client.config);
    close_both();
}

static void protocols(void) {
    const tls_bytes h2[] = {bytes_of("h2")}, both[] = {bytes_of("http/1.1"), bytes_of("h2")},
                    other[] = {bytes_of("imap")};
    server.config = server_config(&(tls_option){"alpn", both, 2}, &problem);
    client.config = client_config(&(tls_option){"alpn", h2, 1}, &problem);
    open_side(&client, "localhost");
    open_side(&server, NULL);
    shake_hands(WIRE);
    CHECK(client.status == TLS_OPEN && knows(&client, TLS_CONNECTION, "alpn", "h2"));
    close_both();
    config_release(client.config);
    client.config = client_config(&(tls_option){"alpn", other, 1}, &problem);
    open_side(&client, "localhost");
    open_side(&server, NULL);
    shake_hands(WIRE);
    CHECK(server.status == TLS_FAILED &&
          fails_with(&server, "no-alpn: the peer speaks imap and we speak http/1.1, h2"));
    CHECK(client.status == TLS_FAILED && fails_with(&client, "no-alpn: "));
    close_both();
    config_release(server.config);
    config_release(client.config);
}

/* Which certificate a client of this name is shown: 1 or 2; 0: the handshake has failed. */
static int shown(const char *name) {
    const tls_bytes no[] = {bytes_of("0")};
    client.config = config_new(false, &(tls_option){"verify", no, 1}, 1, &problem);
    open_side(&client, name);
    open_side(&server, NULL);
    shake_hands(WIRE);
    int which = client.status != TLS_OPEN ? 0 : knows(&client, TLS_PEER, "name", "second.example") ? 2 : 1;
    config_release(client.config);
    close_both();
    return which;
}

static void hosts(void) {
    const tls_bytes names[] = {bytes_of("second.example")};
    CHECK(self_signed(names, 1, 7, second_pem, sizeof second_pem, &problem));
    second_key = second_pem + strlen(second_pem) + 1;
    const tls_bytes any[] = {bytes_of(""), bytes_of(pem), bytes_of(pem_key_text), bytes_of("")};
    const tls_bytes exact[] = {bytes_of("second.example"), bytes_of(second_pem), bytes_of(second_key), bytes_of("")};
    const tls_bytes below[] = {bytes_of("*.second.example"), bytes_of(second_pem), bytes_of(second_key), bytes_of("")};
    const tls_option options[] = {{"pair", exact, 4}, {"pair", below, 4}, {"pair", any, 4}};
    server.config = config_new(true, options, 3, &problem);
    CHECK(server.config);
    CHECK(shown("second.example") == 2 && shown("SECOND.example") == 2 && shown("a.second.example") == 2);
    CHECK(shown("a.b.second.example") == 1 && shown("localhost") == 1 && shown("127.0.0.1") == 1 && shown(NULL) == 1);
    config_release(server.config);
    server.config = config_new(true, options, 2, &problem);
    CHECK(shown("second.example") == 2 && shown("x.second.example") == 2 && shown("localhost") == 0 &&
          shown(NULL) == 0);
    config_release(server.config);
}

static void pairs_that_do_not_match(void) {
    const tls_bytes pair[] = {bytes_of(""), bytes_of(pem), bytes_of(second_key), bytes_of("")};
    CHECK(!config_new(true, &(tls_option){"pair", pair, 4}, 1, &problem));
    CHECK(problem.code == TLS_FAILURE &&
          strstr(problem.words, "bad-certificate: the key in the PEM text is not that of"));
    const tls_bytes absent[] = {bytes_of(""), bytes_of("/nonexistent/cert.pem"), bytes_of(pem_key_text), bytes_of("")};
    CHECK(!config_new(true, &(tls_option){"pair", absent, 4}, 1, &problem));
    CHECK(problem.code == -ENOENT && strstr(problem.words, "/nonexistent/cert.pem"));
    CHECK(!config_new(true, &(tls_option){"ciphers", (tls_bytes[]){bytes_of("nonsense")}, 1}, 1, &problem));
    CHECK(problem.code == TLS_MISTAKE && strcmp(problem.words, "ciphers: nonsense") == 0);
}

static void keys_of_the_process(void) {
    ticket_key first[2], keys[2];
    CHECK(tickets_of_process(1000, first) == 1);
    CHECK(tickets_of_process(1000 + ROTATION_SECONDS - 1, keys) == 1 && memcmp(&keys[0], &first[0], sizeof *keys) == 0);
    CHECK(tickets_of_process(1000 + ROTATION_SECONDS, keys) == 2);
    CHECK(memcmp(&keys[0], &first[0], sizeof *keys) != 0 && memcmp(&keys[1], &first[0], sizeof *keys) == 0);
    CHECK(tickets_of_process(1000 + 3 * ROTATION_SECONDS, keys) == 1); /* nobody came for two hours */
    CHECK(tickets_of_process(500, keys) == 1);                         /* the clock was set back */
}

static void keys_that_are_set(void) {
    char raw[2][TLS_TICKET_KEY];
    memset(raw[0], 'a', sizeof raw[0]);
    memset(raw[1], 'b', sizeof raw[1]);
    const tls_bytes keys[] = {{raw[0], sizeof raw[0]}, {raw[1], sizeof raw[1]}, {raw[0], sizeof raw[0]}};
    client.config = client_config(NULL, &problem);
    for (int i = 0; i < 3; i++) { /* a, then b and a, then b alone: each time another server, as after a restart */
        server.config = server_config(NULL, &problem);
        CHECK(set_ticket_keys(server.config, keys + (i > 0), i == 1 ? 2 : 1));
        open_side(&client, "localhost");
        open_side(&server, NULL);
        shake_hands(WIRE);
        CHECK(client.status == TLS_OPEN && knows(&client, TLS_CONNECTION, "resumed", i ? "1" : "0"));
        sessions_free(&client.config->sessions);
        size_t got;
        char buffer[WIRE / 16];
        CHECK(engine_unseal(client.engine, server.wire + server.start, on_its_way(&server), buffer, sizeof buffer,
                            &got) == TLS_OPEN);
        close_both();
        config_release(server.config);
    }
    config_release(client.config);
}

static void sessions_by_peer(void) {
    sessions all = {.max = 6};
    sessions_init(&all);
    for (int i = 0; i < 20; i++) {
        SSL_SESSION *session = SSL_SESSION_new();
        CHECK(SSL_SESSION_set1_id(session, (const unsigned char *)"id", 2) &&
              SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION));
        SSL_SESSION_set_time(session, 100 + i);
        SSL_SESSION_set_timeout(session, 50);
        CHECK(sessions_put(&all, i < 10 ? "a" : i < 12 ? "b" : "c", session));
    }
    CHECK(all.count == 6);
    SSL_SESSION *newest = sessions_take(&all, "c", 120);
    CHECK(newest && SSL_SESSION_get_time(newest) == 119 && all.count == 5);
    SSL_SESSION_free(newest);
    CHECK(!sessions_take(&all, "a", 120) && !sessions_take(&all, "d", 120));
    CHECK(!sessions_take(&all, "c", 1000) && all.count == 2); /* all of them too old */
    sessions_free(&all);
    CHECK(all.count == 0);
}

int main(void) {
    check_begin();
    make_certificate();
    for (size_t part = 1; part < 600; part += part < 20 ? 1 : 61) {
        asked(true, part);
        asked(false, part);
    }
    protocols();
    hosts();
    pairs_that_do_not_match();
    keys_of_the_process();
    keys_that_are_set();
    sessions_by_peer();
    output_free(&client.output);
    output_free(&server.output);
    free(client.wire), free(server.wire);
    return 0;
}
