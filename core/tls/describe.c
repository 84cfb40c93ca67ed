/* SPDX-License-Identifier: MIT
 *
 * What is told of a connection, of its peer's certificate, and of a client's wishes: keys and values, each ended by a
 * zero. Keys that may come several times name one of several: name, ip, email, uri, alpn, version.
 */
#include "tls/internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* Where the texts go; size counts also what there is no room for. */
typedef struct sink {
    char *into;
    size_t room, size;
} sink;

static void put(sink *s, const char *bytes, size_t n) {
    if (s->size + n <= s->room) {
        memcpy(s->into + s->size, bytes, n);
    }
    s->size += n;
}

/* A value with a zero in it would be another one: such names are of nobody honest. */
static void tell(sink *s, const char *key, const char *value, size_t n) {
    if (!memchr(value, '\0', n)) {
        put(s, key, strlen(key) + 1);
        put(s, value, n);
        put(s, "", 1);
    }
}

static void tell_text(sink *s, const char *key, const char *value) {
    tell(s, key, value, strlen(value));
}

static void tell_name(sink *s, const char *key, const X509_NAME *name) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long n = BIO_get_mem_data(bio, &text);
        tell(s, key, n > 0 ? text : "", n > 0 ? (size_t)n : 0);
    }
    BIO_free(bio);
}

static void tell_time(sink *s, const char *key, const ASN1_TIME *time) {
    struct tm tm = {0};
    char text[32];
    if (ASN1_TIME_to_tm(time, &tm)) {
        snprintf(text, sizeof text, "%lld", (long long)timegm(&tm));
        tell_text(s, key, text);
    }
}

void address_text(const ASN1_OCTET_STRING *address, char *into, size_t room) {
    const unsigned char *bytes = ASN1_STRING_get0_data(address);
    int n = ASN1_STRING_length(address);
    if (!(n == 4 || n == 16) || !inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, into, (socklen_t)room)) {
        snprintf(into, room, "?");
    }
}

static void tell_alternatives(sink *s, const X509 *x) {
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const char *key = name->type == GEN_DNS     ? "name"
                          : name->type == GEN_EMAIL ? "email"
                          : name->type == GEN_URI   ? "uri"
                                                    : NULL;
        if (key) {
            tell(s, key, (const char *)ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
        } else if (name->type == GEN_IPADD) {
            char text[64];
            address_text(name->d.iPAddress, text, sizeof text);
            tell_text(s, "ip", text);
        }
    }
    GENERAL_NAMES_free(names);
}

static void tell_peer(sink *s, X509 *x) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    tell_name(s, "subject", X509_get_subject_name(x));
    tell_name(s, "issuer", X509_get_issuer_name(x));
    tell_alternatives(s, x);
    tell_time(s, "not_before", X509_get0_notBefore(x));
    tell_time(s, "not_after", X509_get0_notAfter(x));
    if (X509_digest(x, EVP_sha256(), hash, &n) == 1) {
        for (unsigned i = 0; i < n; i++) {
            snprintf(hex + 2 * (size_t)i, 3, "%02x", hash[i]);
        }
        tell(s, "sha256", hex, 2 * (size_t)n);
    }
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (bio && PEM_write_bio_X509(bio, x) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        tell(s, "pem", text, (size_t)size);
    }
    BIO_free(bio);
}

static void tell_protocols(sink *s, const unsigned char *wire, unsigned size) {
    for (unsigned at = 0; at < size; at += 1u + wire[at]) {
        tell(s, "alpn", (const char *)wire + at + 1, wire[at]);
    }
}

static void tell_hello(sink *s, const hello *h) {
    if (h->name[0]) {
        tell_text(s, "name", h->name);
    }
    tell_protocols(s, h->alpn, h->alpn_size);
    for (unsigned i = 0; i < h->version_count; i++) {
        tell_text(s, "version", version_name(h->versions[i]) ? version_name(h->versions[i]) + sizeof "TLS" : "?");
    }
}

static void tell_connection(sink *s, const engine *e) {
    const unsigned char *alpn;
    unsigned size;
    const char *name = e->config->server  ? SSL_get_servername(e->ssl, TLSEXT_NAMETYPE_host_name)
                       : sends_no_name(e) ? NULL
                                          : e->name;
    tell_text(s, "version", SSL_get_version(e->ssl));
    tell_text(s, "cipher", SSL_get_cipher_name(e->ssl));
    SSL_get0_alpn_selected(e->ssl, &alpn, &size);
    if (size) {
        tell(s, "alpn", (const char *)alpn, size);
    }
    if (name && *name) {
        tell_text(s, "name", name);
    }
    bool verified =
        e->config->verifies && SSL_get0_peer_certificate(e->ssl) && SSL_get_verify_result(e->ssl) == X509_V_OK;
    tell_text(s, "resumed", SSL_session_reused(e->ssl) ? "1" : "0");
    tell_text(s, "verified", verified ? "1" : "0");
}

size_t describe(const tls_engine *head, enum tls_facts facts, char *into, size_t room) {
    const engine *e = (const engine *)head;
    sink s = {into, room, 0};
    ERR_clear_error();
    if (facts == TLS_HELLO && e->hello) {
        tell_hello(&s, e->hello);
    } else if (facts == TLS_CONNECTION && e->established) {
        tell_connection(&s, e);
    } else if (facts == TLS_PEER && SSL_get0_peer_certificate(e->ssl)) {
        tell_peer(&s, SSL_get0_peer_certificate(e->ssl));
    }
    ERR_clear_error();
    return s.size;
}
