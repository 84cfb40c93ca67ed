/* SPDX-License-Identifier: MIT
 *
 * What a client asks for, noted while its ClientHello is at hand: for on_hello, and for words when it can't be given.
 */
#include "tls/internal.h"

#include <string.h>

enum { RENEGOTIATION_SIGNAL = 0x00ff, FALLBACK_SIGNAL = 0x5600 }; /* among the ciphers, but none */

typedef struct cursor {
    const unsigned char *bytes;
    size_t n;
} cursor;

/* The next so many bytes, or NULL: there are fewer. */
static const unsigned char *next(cursor *c, size_t n) {
    if (n > c->n) {
        return NULL;
    }
    const unsigned char *bytes = c->bytes;
    c->bytes += n;
    c->n -= n;
    return bytes;
}

/* The part behind a length of so many bytes, which is empty where there is none. */
static cursor next_part(cursor *c, int length_bytes) {
    const unsigned char *length = next(c, (size_t)length_bytes);
    size_t n = 0;
    for (int i = 0; length && i < length_bytes; i++) {
        n = n << 8 | length[i];
    }
    const unsigned char *bytes = length ? next(c, n) : NULL;
    return (cursor){bytes, bytes ? n : 0};
}

static cursor extension(SSL *ssl, unsigned type) {
    cursor c = {0};
    if (!SSL_client_hello_get0_ext(ssl, type, &c.bytes, &c.n)) {
        return (cursor){0};
    }
    return c;
}

static uint16_t number(const unsigned char *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void note_versions(hello *h, SSL *ssl) {
    cursor all = extension(ssl, TLSEXT_TYPE_supported_versions), list = next_part(&all, 1);
    const unsigned char *version;
    while (h->version_count < HELLO_VERSIONS && (version = next(&list, 2))) {
        if (version_name(number(version))) { /* others are grease, or of times to come */
            h->versions[h->version_count++] = number(version);
        }
    }
    if (!all.bytes) {
        h->versions[h->version_count++] = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
    }
}

static void note_ciphers(hello *h, SSL *ssl) {
    cursor list = {0};
    const unsigned char *cipher;
    list.n = SSL_client_hello_get0_ciphers(ssl, &list.bytes);
    while ((cipher = next(&list, 2))) {
        bool is_signal = number(cipher) == RENEGOTIATION_SIGNAL || number(cipher) == FALLBACK_SIGNAL;
        if (!is_signal && h->ciphers_in_all++ < HELLO_CIPHERS) {
            h->ciphers[h->cipher_count++] = number(cipher);
        }
    }
}

static void note_alpn(hello *h, SSL *ssl) {
    cursor all = extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation), list = next_part(&all, 2);
    for (cursor one = next_part(&list, 1); one.n; one = next_part(&list, 1)) {
        if (h->alpn_size + 1 + one.n > HELLO_ALPN) {
            break;
        }
        memcpy(h->alpn + h->alpn_size, one.bytes - 1, one.n + 1);
        h->alpn_size += (unsigned)one.n + 1;
    }
}

static void note_name(hello *h, SSL *ssl) {
    cursor all = extension(ssl, TLSEXT_TYPE_server_name), list = next_part(&all, 2);
    const unsigned char *type = next(&list, 1);
    cursor name = next_part(&list, 2);
    if (type && *type == TLSEXT_NAMETYPE_host_name && name.n > 0 && name.n < NAME_MAX_SIZE &&
        !memchr(name.bytes, 0, name.n)) {
        memcpy(h->name, name.bytes, name.n);
    }
}

int hello_arrived(SSL *ssl, int *alert, void *unused) {
    (void)unused;
    engine *e = engine_of(ssl);
    hello_free(e);
    hello *h = e->hello = OPENSSL_zalloc(sizeof *h);
    if (!h) {
        e->no_memory = true;
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    note_versions(h, ssl);
    note_ciphers(h, ssl);
    note_alpn(h, ssl);
    note_name(h, ssl);
    return e->config->asks && !e->answered ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

void hello_free(engine *e) {
    OPENSSL_free(e->hello);
    e->hello = NULL;
}
