/* SPDX-License-Identifier: MIT
 *
 * What a server chooses for a client: the certificates for its name, the protocol, the stapled answer about revocation.
 */
#include "tls/internal.h"

#include <string.h>
#include <strings.h>

host *hosts_get(const tls_config *config, const char *name) {
    for (list *at = config->hosts.next; at != &config->hosts; at = at->next) {
        host *h = list_entry(at, host, link);
        if (strcasecmp(h->name, name) == 0) {
            return h;
        }
    }
    return NULL;
}

/* Of this very name, or of "*." and what comes after its first label. */
static host *find(const tls_config *config, const char *name) {
    host *h = hosts_get(config, name);
    const char *dot = h ? NULL : strchr(name, '.');
    char wildcard[NAME_MAX_SIZE];
    if (dot && dot != name && (size_t)snprintf(wildcard, sizeof wildcard, "*%s", dot) < sizeof wildcard) {
        h = hosts_get(config, wildcard);
    }
    return h;
}

static void explain(engine *e, const char *name) {
    char shown[NAME_MAX_SIZE];
    if (!name[0]) {
        problem_set(engine_problem(e), TLS_FAILURE,
                    "wrong-host: the client has sent no name, and there is no certificate without one");
        return;
    }
    printable(shown, sizeof shown, name, strlen(name));
    problem_set(engine_problem(e), TLS_FAILURE,
                "wrong-host: the client asks for \"%s\", for which there is no certificate", shown);
}

static int choose_host(SSL *ssl, int *alert, void *unused) {
    (void)unused;
    engine *e = engine_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char bare[NAME_MAX_SIZE] = "";
    if (name) {
        snprintf(bare, sizeof bare, "%s", name);
        size_t size = strlen(bare);
        if (size && bare[size - 1] == '.') {
            bare[size - 1] = '\0';
        }
    }
    const host *h = name ? find(e->config, bare) : NULL;
    if (h) {
        return SSL_set_SSL_CTX(ssl, h->context) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (!e->config->has_pair) {
        explain(e, bare);
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Protocols as on the wire, as a text with commas. */
static void protocols_text(char *into, size_t room, const unsigned char *wire, unsigned size) {
    size_t n = 0;
    into[0] = '\0';
    for (unsigned at = 0; at < size && n + 2 < room; at += 1u + wire[at]) {
        n += (size_t)snprintf(into + n, room - n, "%s", n ? ", " : "");
        if (n < room) {
            printable(into + n, room - n, (const char *)wire + at + 1, wire[at]);
            n += strlen(into + n);
        }
    }
}

/* The server's order counts. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
                           unsigned size, void *unused) {
    (void)unused;
    engine *e = engine_of(ssl);
    const tls_config *c = e->config;
    if (!c->alpn) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (unsigned ours = 0; ours < c->alpn_size; ours += 1u + c->alpn[ours]) {
        for (unsigned theirs = 0; theirs < size; theirs += 1u + in[theirs]) {
            if (c->alpn[ours] == in[theirs] && memcmp(c->alpn + ours, in + theirs, 1u + in[theirs]) == 0) {
                *out = in + theirs + 1;
                *out_size = in[theirs];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    char offered[200], known[200];
    protocols_text(offered, sizeof offered, in, size);
    protocols_text(known, sizeof known, c->alpn, c->alpn_size);
    problem_set(engine_problem(e), TLS_FAILURE, "no-alpn: the peer speaks %s and we speak %s", offered, known);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int staple(SSL *ssl, void *unused) {
    (void)unused;
    const tls_config *c = engine_of(ssl)->config;
    if (!c->ocsp.data || SSL_get_SSL_CTX(ssl) != c->context) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    unsigned char *copy = OPENSSL_memdup(c->ocsp.data, c->ocsp.size);
    if (!copy) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, c->ocsp.size);
    return SSL_TLSEXT_ERR_OK;
}

void hosts_init(SSL_CTX *context) {
    SSL_CTX_set_tlsext_servername_callback(context, choose_host);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_tlsext_status_cb(context, staple);
}
