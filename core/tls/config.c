/* SPDX-License-Identifier: MIT
 *
 * Settings become an SSL_CTX: one for whatever name is asked for, and one for each host that has certificates of its own.
 * All are made by the same list of settings, so they differ in nothing but their certificates.
 */
#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <string.h>

/* A context while it is made. */
typedef struct setup {
    tls_config *config;
    SSL_CTX *context;
    const char *host; /* whose certificates it has; "": for any name */
    const tls_option *option;
    tls_problem *problem;
} setup;

static bool is(const tls_bytes *value, const char *text) {
    return value->size == strlen(text) && memcmp(value->data, text, value->size) == 0;
}

static bool mistake(const setup *s, const char *what) {
    ERR_clear_error();
    problem_set(s->problem, TLS_MISTAKE, "%s: %.400s", s->option->name, what);
    return false;
}

static bool no_memory(const setup *s) {
    ERR_clear_error();
    *s->problem = problem_no_memory;
    return false;
}

/* ---- certificates ---- */

static bool use_pair(setup *s, STACK_OF(X509) * chain, EVP_PKEY *key) {
    const tls_bytes *values = s->option->values;
    char certificate_name[200], key_name[200], subject[128];
    X509 *leaf = sk_X509_shift(chain);
    if (EVP_PKEY_eq(X509_get0_pubkey(leaf), key) != 1) {
        name_text(X509_get_subject_name(leaf), subject, sizeof subject);
        ERR_clear_error();
        problem_set(s->problem, TLS_FAILURE,
                    "bad-certificate: the key in %s is not that of the certificate of \"%s\" in %s",
                    pem_name(&values[2], key_name, sizeof key_name), subject,
                    pem_name(&values[1], certificate_name, sizeof certificate_name));
    } else if (SSL_CTX_use_cert_and_key(s->context, leaf, key, chain, 1) != 1) {
        problem_set_openssl(s->problem, "bad-certificate: the certificate in %s can't be used",
                            pem_name(&values[1], certificate_name, sizeof certificate_name));
    }
    X509_free(leaf);
    return s->problem->code == 0;
}

/* host, certificates from the leaf up, key, password */
static bool set_pair(setup *s) {
    const tls_bytes *values = s->option->values;
    if (!is(&values[0], s->host)) {
        return true;
    }
    STACK_OF(X509) *chain = pem_certificates(&values[1], s->problem);
    EVP_PKEY *key = chain ? pem_key(&values[2], &values[3], s->problem) : NULL;
    bool used = key && use_pair(s, chain, key);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    s->config->has_pair |= used && !s->host[0];
    return used;
}

static bool set_ca(setup *s) {
    X509_STORE *store = store_new(s->option->values, s->option->count, s->problem);
    if (!store) {
        return false;
    }
    SSL_CTX_set_cert_store(s->context, store);
    return true;
}

/* The names of these CAs are told to clients; and another list of CAs makes tickets of the first worthless. */
static bool name_cas(setup *s, EVP_MD_CTX *digest) {
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    bool good = names && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < s->option->count; i++) {
        STACK_OF(X509) *all = pem_certificates(&s->option->values[i], s->problem);
        good = all != NULL;
        for (int k = 0; good && k < sk_X509_num(all); k++) {
            X509 *one = sk_X509_value(all, k);
            unsigned char hash[EVP_MAX_MD_SIZE];
            unsigned size;
            X509_NAME *name = X509_NAME_dup(X509_get_subject_name(one));
            good = X509_digest(one, EVP_sha256(), hash, &size) == 1 && EVP_DigestUpdate(digest, hash, size) == 1 &&
                   name && sk_X509_NAME_push(names, name);
            if (!good) {
                X509_NAME_free(name);
            }
        }
        sk_X509_pop_free(all, X509_free);
    }
    if (!good) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return s->problem->code ? false : no_memory(s);
    }
    SSL_CTX_set_client_CA_list(s->context, names);
    return true;
}

static bool set_client_ca(setup *s) {
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    bool good = digest && set_ca(s) && name_cas(s, digest) && EVP_DigestFinal_ex(digest, hash, &size) == 1 &&
                SSL_CTX_set_session_id_context(s->context, hash, size) == 1;
    EVP_MD_CTX_free(digest);
    return good || (s->problem->code ? false : no_memory(s));
}

static bool set_ocsp(setup *s) {
    const tls_bytes *value = &s->option->values[0];
    if (s->host[0]) {
        return true;
    }
    bool is_response = value->size > 2 && value->data[0] == 0x30 && (value->data[1] & 0x80);
    BIO *bio =
        is_response ? BIO_new_mem_buf(value->data, (int)value->size) : pem_open(value, "OCSP response", s->problem);
    OCSP_RESPONSE *response = bio ? d2i_OCSP_RESPONSE_bio(bio, NULL) : NULL;
    unsigned char *der = NULL;
    int size = response ? i2d_OCSP_RESPONSE(response, &der) : 0;
    if (size > 0) {
        s->config->ocsp = (tls_bytes){(char *)der, (size_t)size};
    } else if (!s->problem->code) {
        char name[200];
        problem_set_openssl(s->problem, "bad-certificate: there is no OCSP response in %s",
                            is_response ? "the value of ocsp" : pem_name(value, name, sizeof name));
    }
    OCSP_RESPONSE_free(response);
    BIO_free(bio);
    return s->problem->code == 0;
}

/* ---- what is spoken ---- */

static bool set_alpn(setup *s) {
    tls_config *c = s->config;
    unsigned size = 0;
    for (size_t i = 0; i < s->option->count; i++) {
        size += 1 + (unsigned)s->option->values[i].size;
    }
    unsigned char *wire = c->alpn ? c->alpn : OPENSSL_malloc(size); /* the same again for the next host */
    if (!wire) {
        return no_memory(s);
    }
    c->alpn = wire;
    c->alpn_size = size;
    for (size_t i = 0; i < s->option->count; i++) {
        *wire++ = (unsigned char)s->option->values[i].size;
        memcpy(wire, s->option->values[i].data, s->option->values[i].size);
        wire += s->option->values[i].size;
    }
    return c->server || SSL_CTX_set_alpn_protos(s->context, c->alpn, size) == 0 || no_memory(s);
}

static bool set_min_version(setup *s) {
    s->config->min_version = is(&s->option->values[0], "1.3") ? TLS1_3_VERSION : TLS1_2_VERSION;
    return SSL_CTX_set_min_proto_version(s->context, (int)s->config->min_version) == 1;
}

static bool set_max_version(setup *s) {
    s->config->max_version = is(&s->option->values[0], "1.3") ? TLS1_3_VERSION : TLS1_2_VERSION;
    return SSL_CTX_set_max_proto_version(s->context, (int)s->config->max_version) == 1;
}

static bool set_ciphers(setup *s) {
    return SSL_CTX_set_cipher_list(s->context, s->option->values[0].data) == 1 || mistake(s, s->option->values[0].data);
}

static bool set_ciphersuites(setup *s) {
    return SSL_CTX_set_ciphersuites(s->context, s->option->values[0].data) == 1 ||
           mistake(s, s->option->values[0].data);
}

static bool set_groups(setup *s) {
    return SSL_CTX_set1_groups_list(s->context, s->option->values[0].data) == 1 ||
           mistake(s, s->option->values[0].data);
}

/* ---- the rest ---- */

static bool set_verify(setup *s) {
    s->config->verifies = is(&s->option->values[0], "1");
    SSL_CTX_set_verify(s->context, s->config->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return true;
}

static bool set_client_auth(setup *s) {
    bool requires = is(&s->option->values[0], "require");
    s->config->verifies = true;
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER | (requires ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return true;
}

static bool set_sessions(setup *s) {
    s->config->sessions.max = (unsigned)strtoul(s->option->values[0].data, NULL, 10);
    return true;
}

static bool set_tickets(setup *s) {
    size_t n = strtoul(s->option->values[0].data, NULL, 10);
    if (n == 0) {
        SSL_CTX_set_options(s->context, SSL_OP_NO_TICKET);
    }
    return SSL_CTX_set_num_tickets(s->context, n) == 1;
}

static bool set_truncation(setup *s) {
    s->config->ends_bare = is(&s->option->values[0], "eof");
    return true;
}

static bool set_on_hello(setup *s) {
    s->config->asks = true;
    return true;
}

static const struct {
    const char *name;
    bool (*apply)(setup *);
} OPTIONS[] = {
    {"pair", set_pair},                 /* host ("": any), certificates, key, password ("": none) */
    {"ca", set_ca},                     /* sources, or "system" */
    {"client_ca", set_client_ca},       /* sources */
    {"client_auth", set_client_auth},   /* "request", "require" */
    {"verify", set_verify},             /* "1", "0" */
    {"alpn", set_alpn},                 /* protocols of 1 to 255 bytes */
    {"min_version", set_min_version},   /* "1.2", "1.3" */
    {"max_version", set_max_version},   /* the same */
    {"ciphers", set_ciphers},           /* of TLS 1.2, as OpenSSL has them */
    {"ciphersuites", set_ciphersuites}, /* of TLS 1.3 */
    {"groups", set_groups},             /* the same */
    {"sessions", set_sessions},         /* a number */
    {"tickets", set_tickets},           /* a number */
    {"ocsp", set_ocsp},                 /* DER, or a path */
    {"truncation", set_truncation},     /* "eof", "error" */
    {"on_hello", set_on_hello},         /* anything */
};

static bool apply(setup *s) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        if (strcmp(OPTIONS[i].name, s->option->name) == 0) {
            return OPTIONS[i].apply(s) || (s->problem->code ? false : no_memory(s));
        }
    }
    return mistake(s, "there is no such option");
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    engine *e = engine_of(ssl);
    return e->session_key && sessions_put(&e->config->sessions, e->session_key, session);
}

/* What holds for every context. */
static void prepare(const tls_config *config, SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context, 0);
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE); /* see engine_rest */
    SSL_CTX_set_read_ahead(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_timeout(context, TICKET_SECONDS);
    SSL_CTX_set_cert_verify_callback(context, verify_chain, NULL);
    keylog_init(context);
    if (config->server) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"momo", 4);
        SSL_CTX_set_client_hello_cb(context, hello_arrived, NULL);
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
}

/* A context with the certificates of this host. NULL: see the problem. */
static SSL_CTX *context_new(tls_config *config, const char *name, const tls_option *options, size_t count,
                            tls_problem *problem) {
    SSL_CTX *context = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
    if (!context) {
        problem_set_openssl(problem, "broken: OpenSSL can't begin");
        return NULL;
    }
    prepare(config, context);
    bool good = !config->server || tickets_init(context);
    for (size_t i = 0; good && i < count; i++) {
        good = apply(&(setup){config, context, name, &options[i], problem});
    }
    if (!good) {
        problem_set_openssl(problem, "broken: OpenSSL can't begin");
        SSL_CTX_free(context);
        return NULL;
    }
    if (config->server) {
        hosts_init(context);
    }
    return context;
}

static bool add_host(tls_config *config, const tls_bytes *name, const tls_option *options, size_t count,
                     tls_problem *problem) {
    if (name->size == 0 || hosts_get(config, name->data)) {
        return true;
    }
    host *h = OPENSSL_zalloc(sizeof *h);
    if (!h) {
        *problem = problem_no_memory;
        return false;
    }
    snprintf(h->name, sizeof h->name, "%s", name->data);
    h->context = context_new(config, h->name, options, count, problem);
    if (!h->context) {
        OPENSSL_free(h);
        return false;
    }
    list_push(&config->hosts, &h->link);
    return true;
}

tls_config *config_new(bool server, const tls_option *options, size_t count, tls_problem *problem) {
    *problem = (tls_problem){0};
    library_begin();
    tls_config *config = OPENSSL_zalloc(sizeof *config);
    if (!config) {
        *problem = problem_no_memory;
        ERR_clear_error();
        return NULL;
    }
    config->holders = 1;
    config->server = server;
    config->min_version = TLS1_2_VERSION;
    list_init(&config->hosts);
    sessions_init(&config->sessions);
    config->context = context_new(config, "", options, count, problem);
    bool good = config->context != NULL;
    for (size_t i = 0; good && i < count; i++) {
        if (strcmp(options[i].name, "pair") == 0) {
            good = add_host(config, &options[i].values[0], options, count, problem);
        }
    }
    ERR_clear_error();
    if (!good) {
        config_release(config);
        return NULL;
    }
    return config;
}

tls_config *config_hold(tls_config *config) {
    config->holders++;
    return config;
}

void config_release(tls_config *config) {
    if (--config->holders) {
        return;
    }
    sessions_free(&config->sessions);
    while (!list_empty(&config->hosts)) {
        host *h = list_entry(list_pop_front(&config->hosts), host, link);
        SSL_CTX_free(h->context);
        OPENSSL_free(h);
    }
    SSL_CTX_free(config->context);
    tickets_free(&config->tickets);
    OPENSSL_free(config->alpn);
    OPENSSL_free((void *)(uintptr_t)config->ocsp.data);
    OPENSSL_free(config);
    ERR_clear_error();
}

bool set_ticket_keys(tls_config *config, const tls_bytes *keys, size_t count) {
    bool set = tickets_set(&config->tickets, keys, count);
    ERR_clear_error();
    return set;
}
