/* SPDX-License-Identifier: MIT
 *
 * Allocations fail, one or all from one on, anywhere between the first setting and the last byte: what is asked for is
 * done or fails, nothing is left behind, and afterwards all is as before. */
#include "engines.h"

enum { ROUNDS = 300 };

static uint64_t allocations, fail_from = UINT64_MAX, fail_count;
static int64_t blocks; /* that are not freed */

static bool fails(void) {
    allocations++;
    return allocations >= fail_from && allocations - fail_from < fail_count;
}

static void *allocate(size_t n, const char *file, int line) {
    (void)file, (void)line;
    void *block = fails() ? NULL : malloc(n);
    blocks += block != NULL;
    return block;
}

static void *reallocate(void *block, size_t n, const char *file, int line) {
    (void)file, (void)line;
    void *moved = fails() ? NULL : realloc(block, n);
    blocks += !block && moved;
    return moved;
}

static void release(void *block, const char *file, int line) {
    (void)file, (void)line;
    blocks -= block != NULL;
    free(block);
}

static void check_problem(const tls_problem *problem) {
    CHECK(problem->code < 0 && strlen(problem->words) > 5);
}

static tls_status unseal(side *to, side *from, size_t *got) {
    static char buffer[WIRE];
    size_t n = on_its_way(from);
    tls_status status = engine_unseal(to->engine, from->wire + from->start, n, buffer, sizeof buffer, got);
    from->start = from->end = 0;
    flush(to);
    return status;
}

/* Configurations, a handshake, data, facts, ends: whatever fails ends it. True: nothing has. */
static bool talk(void) {
    tls_problem problem;
    char made[8192], facts[4096];
    const tls_bytes name[] = {bytes_of("localhost")}, keys[] = {{pem, TLS_TICKET_KEY}};
    size_t got = 0;
    bool good = self_signed(name, 1, 7, made, sizeof made, &problem);
    if (!good) check_problem(&problem);
    server.config = server_config(NULL, &problem);
    if (!server.config) check_problem(&problem);
    client.config = server.config ? client_config(NULL, &problem) : NULL;
    if (client.config) {
        good = set_ticket_keys(server.config, keys, 1) && good;
        open_side(&client, "localhost");
        open_side(&server, NULL);
        if (client.engine && server.engine) {
            shake_hands(WIRE);
            if (client.status == TLS_OPEN && server.status == TLS_OPEN) {
                ssize_t n = engine_seal(client.engine, &(struct iovec){pem, sizeof pem}, 1);
                flush(&client);
                good = unseal(&server, &client, &got) == TLS_OPEN && n == sizeof pem && got == sizeof pem && good;
                good = unseal(&client, &server, &got) == TLS_OPEN && good;
                good = describe(client.engine, TLS_PEER, facts, sizeof facts) > 500 && good;
                engine_rest(client.engine);
                engine_finish(client.engine);
                flush(&client);
                good = unseal(&server, &client, &got) == TLS_ENDED && good;
            } else {
                good = false;
                CHECK(client.status == TLS_FAILED || server.status == TLS_FAILED);
            }
            if (client.status == TLS_FAILED) check_problem(engine_problem_of(client.engine));
            if (server.status == TLS_FAILED) check_problem(engine_problem_of(server.engine));
        }
    }
    good = good && client.engine && server.engine;
    close_side(&client);
    close_side(&server);
    if (client.config) config_release(client.config);
    if (server.config) config_release(server.config);
    client.config = server.config = NULL;
    CHECK(ERR_peek_error() == 0);
    return good;
}

int main(void) {
    CHECK(CRYPTO_set_mem_functions(allocate, reallocate, release));
    check_begin();
    make_certificate();
    CHECK(talk() && talk()); /* what OpenSSL keeps for ever is made by now */
    int64_t before = blocks;
    allocations = 0;
    CHECK(talk());
    uint64_t all = allocations;
    CHECK(all > 1000 && blocks == before);
    for (int i = 0; i < ROUNDS; i++) {
        allocations = 0;
        fail_from = 1 + check_below(all);
        fail_count = check_below(2) ? 1 : 1 + check_any_size(12);
        bool good = talk();
        CHECK(!good || allocations >= fail_from);
        fail_from = UINT64_MAX;
        CHECK(talk());
    }
    CHECK(blocks <= before + 64); /* its caches may have grown, but not with every failure */
    output_free(&client.output);
    output_free(&server.output);
    free(client.wire), free(server.wire);
    return 0;
}
