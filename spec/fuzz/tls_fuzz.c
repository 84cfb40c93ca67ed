/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for core/tls: bytes arrive at an engine, in pieces, in both roles; and what a real peer has sent is damaged.
 *
 * The first byte says what is fuzzed: bit 0 the role; bit 1 whether the rest arrives as it is, or damages a handshake and
 * data that two engines exchange, as (where to, what with) in 3 bytes each; the other bits how long the pieces are. */
#include "engines.h"

static tls_output ignored;

/* In pieces of `part`, to the handshake, then to unseal. */
static void arrive(tls_engine *e, const char *bytes, size_t n, size_t part) {
    static char buffer[WIRE];
    tls_status status = TLS_INPUT;
    while (n && status == TLS_INPUT) {
        const char *in = bytes;
        size_t left = n < part ? n : part, given = left;
        status = engine_handshake(e, &in, &left);
        bytes += given - left;
        n -= given - left;
    }
    while (n && status == TLS_OPEN) {
        size_t given = n < part ? n : part, got;
        status = engine_unseal(e, bytes, given, buffer, e->held + given, &got);
        CHECK(got <= e->held + given);
        bytes += given;
        n -= given;
    }
    CHECK((status == TLS_FAILED) == (engine_problem_of(e) != NULL));
    engine_end(e);
    engine_finish(e);
}

/* Three bytes: at which place of all that is sent, and which bits of it change. */
static void damage(char *wire, size_t size, size_t sent_before, const uint8_t *data, size_t n) {
    for (size_t i = 0; i + 3 <= n; i += 3) {
        size_t at = (size_t)data[i] << 8 | data[i + 1];
        if (at >= sent_before && at - sent_before < size) wire[at - sent_before] ^= (char)data[i + 2];
    }
}

static void damaged_talk(bool of_client, const uint8_t *data, size_t n, size_t part) {
    static char buffer[WIRE];
    open_side(&client, "localhost");
    open_side(&server, NULL);
    side *from = of_client ? &client : &server, *to = of_client ? &server : &client;
    size_t sent = 0;
    shake(&client, &server, 0);
    for (int i = 0; i < 8; i++) {
        if (on_its_way(from)) {
            damage(from->wire + from->start, on_its_way(from), sent, data, n);
            sent += on_its_way(from);
        }
        while (to->status == TLS_INPUT && on_its_way(from)) shake(to, from, part);
        while (from->status == TLS_INPUT && on_its_way(to)) shake(from, to, WIRE);
        if (from->status == TLS_OPEN && i > 2) {
            engine_seal(from->engine, &(struct iovec){pem, 1 + (size_t)i * 300}, 1);
            flush(from);
        }
        while (to->status == TLS_OPEN && on_its_way(from)) {
            size_t given = on_its_way(from) < part ? on_its_way(from) : part, got;
            tls_status status =
                engine_unseal(to->engine, from->wire + from->start, given, buffer, to->engine->held + given, &got);
            from->start += given;
            flush(to);
            if (status != TLS_OPEN) break;
        }
    }
    close_side(&client);
    close_side(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static bool begun;
    tls_problem problem;
    if (!begun) {
        begun = true;
        make_certificate();
        server.config = server_config(NULL, &problem);
        client.config = client_config(NULL, &problem);
        CHECK(server.config && client.config);
    }
    if (n == 0) return 0;
    size_t part = 1 + (size_t)(data[0] >> 2) * 17;
    bool is_server = data[0] & 1;
    if (data[0] & 2) {
        damaged_talk(is_server, data + 1, n - 1, part);
        return 0;
    }
    tls_engine *e =
        engine_open(is_server ? server.config : client.config, &ignored, is_server ? NULL : "localhost", NULL);
    CHECK(e);
    arrive(e, (const char *)data + 1, n - 1, part);
    engine_close(e);
    ignored.size = 0;
    return 0;
}
