/* SPDX-License-Identifier: MIT
 *
 * What the files of tls.so share.
 *
 *   library.c    the table                       config.c     settings -> SSL_CTX
 *   engine.c     one side of one connection      pem.c        certificates and keys out of files and texts
 *   bio.c        its ciphertext, in and out      store.c      CAs that are trusted
 *   verify.c     whether the peer may be it      hosts.c      which certificate for which name; ALPN
 *   hello.c      what a client asks for          tickets.c    keys of the server's tickets
 *   problem.c    failures in words               sessions.c   what a client resumes
 *   describe.c   what is told of a peer          keylog.c     SSLKEYLOGFILE
 *
 * Whatever has called OpenSSL leaves its error queue empty, which is the thread's, and not ours alone.
 */
#pragma once
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "base/list.h"
#include "tls/tls.h"

enum {
    HEADER = 5,             /* bytes before each record */
    NAME_MAX_SIZE = 256,    /* a host's name, with the final zero */
    FIRST_BYTES = 64,       /* kept of the input, to say what it was when it is no TLS */
    HELLO_CIPHERS = 32,     /* kept of what a client offers, for words */
    HELLO_VERSIONS = 8,     /* the same */
    HELLO_ALPN = 256,       /* bytes of protocols, as on the wire; of longer lists the beginning */
    SESSIONS_A_KEY = 4,     /* sessions that a client keeps for one peer */
    TICKET_SECONDS = 7200,  /* how long a session can be resumed */
    ROTATION_SECONDS = 3600 /* how long a key of the process seals; it opens for as long again */
};

/* ---- library.c ---- */

/* Before the first use of OpenSSL: it must not end itself at exit, as threads of ours may still be running then. */
void library_begin(void);

/* ---- problem.c ---- */

/* Only the first one counts. */
void problem_set(tls_problem *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, with what OpenSSL's queue says last in parentheses; empties the queue. */
void problem_set_openssl(tls_problem *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the peer has sent as text that can be shown: its first line, what is not printable as dots. */
void printable(char *into, size_t room, const char *bytes, size_t n);
const char *version_name(unsigned version);

/* ---- pem.c ---- */

/* A path, or text that begins with -----BEGIN. NULL: see the problem. */
BIO *pem_open(const tls_bytes *source, const char *what, tls_problem *);
/* How words call the source: the path, or "the PEM text". */
const char *pem_name(const tls_bytes *source, char *into, size_t room);
/* The certificates in it, one at least; the caller owns them. */
STACK_OF(X509) * pem_certificates(const tls_bytes *source, tls_problem *);
EVP_PKEY *pem_key(const tls_bytes *source, const tls_bytes *password, tls_problem *);

/* ---- store.c ---- */

/* A store of these sources, of which "system" is one. The caller holds it. */
X509_STORE *store_new(const tls_bytes *sources, size_t count, tls_problem *);

/* ---- tickets.c ---- */

typedef struct ticket_key {
    unsigned char name[16], hmac[32], aes[32];
} ticket_key;

typedef struct ticket_keys {
    ticket_key *keys; /* the first seals, all open; NULL: the process's own */
    size_t count;
} ticket_keys;

int tickets_init(SSL_CTX *);
bool set_ticket_keys(tls_config *, const tls_bytes *keys, size_t count);
bool tickets_set(ticket_keys *, const tls_bytes *keys, size_t count);
void tickets_free(ticket_keys *);
/* The process's keys at this time, in seconds: that which seals, then (if there is one) that which opens still. Their
 * number, or 0: there is no randomness. */
size_t tickets_of_process(int64_t now, ticket_key keys[2]);

/* ---- sessions.c ---- */

typedef struct sessions {
    list all; /* the oldest first */
    unsigned count, max;
} sessions;

void sessions_init(sessions *);
void sessions_free(sessions *);
/* Keeps the session, which it owns from now on; false: it does not, and the caller still does. */
bool sessions_put(sessions *, const char *key, SSL_SESSION *);
/* The newest that can be resumed, held for the caller; one of TLS 1.3 serves only once. NULL: none. */
SSL_SESSION *sessions_take(sessions *, const char *key, int64_t now);

/* ---- config.c, hosts.c ---- */

typedef struct host {
    list link;
    SSL_CTX *context;
    char name[NAME_MAX_SIZE]; /* in lower case; "*.b.example" for one label before .b.example */
} host;

struct tls_config {
    unsigned holders;
    bool server;
    bool asks;                         /* on_hello is to answer */
    bool verifies;                     /* the peer's certificate, if it is asked for one */
    bool ends_bare;                    /* an end without close_notify is an end */
    bool has_pair;                     /* a certificate for whatever name is asked for */
    unsigned min_version, max_version; /* 0: no limit */
    SSL_CTX *context;
    list hosts;
    unsigned char *alpn; /* as on the wire */
    unsigned alpn_size;
    tls_bytes ocsp; /* to be stapled to the certificate for any name */
    ticket_keys tickets;
    sessions sessions;
};

tls_config *config_new(bool server, const tls_option *, size_t count, tls_problem *);
tls_config *config_hold(tls_config *);
void config_release(tls_config *);
void hosts_init(SSL_CTX *);
host *hosts_get(const tls_config *, const char *name); /* of this name, or NULL */

/* ---- engine.c, bio.c ---- */

/* What the ClientHello said; kept while the handshake lasts. */
typedef struct hello {
    uint16_t versions[HELLO_VERSIONS], ciphers[HELLO_CIPHERS];
    unsigned version_count, cipher_count, ciphers_in_all;
    unsigned char alpn[HELLO_ALPN];
    unsigned alpn_size;
    char name[NAME_MAX_SIZE];
} hello;

typedef struct engine {
    tls_engine head;
    tls_config *config;
    SSL *ssl;
    tls_output *output;
    const char *in; /* ciphertext that was handed in and not taken yet; only during a call */
    size_t in_size;
    uint64_t taken, record_at;    /* bytes that were taken in all; where the record that is on its way begins */
    unsigned char header[HEADER]; /* of that record */
    uint8_t header_size;          /* bytes of it that have come */
    uint16_t body_left;           /* bytes that its body lacks */
    uint8_t first_size;
    bool established, ended, finished, answered, no_memory;
    char first[FIRST_BYTES]; /* with which the input began */
    tls_problem *problem;    /* NULL: there is none */
    hello *hello;            /* NULL but in a server's handshake */
    tls_output replay;       /* a server that asks on_hello: the input so far, for another SSL object */
    char *session_key;       /* NULL: no sessions */
    char name[];             /* of the peer, or "" */
} engine;

static inline engine *engine_of(const SSL *ssl) {
    return BIO_get_data(SSL_get_rbio(ssl));
}
extern tls_problem problem_no_memory; /* never written to: it is set */
/* The engine's problem, to be filled in; or problem_no_memory. */
tls_problem *engine_problem(engine *);

BIO *bio_new(engine *);
bool output_append(tls_output *, const char *bytes, size_t n);
void output_free(tls_output *);

tls_engine *engine_open(tls_config *, tls_output *, const char *name, const char *session_key);
tls_status engine_handshake(tls_engine *, const char **in, size_t *n);
void engine_answer(tls_engine *, tls_config *);
tls_status engine_unseal(tls_engine *, const char *in, size_t n, char *into, size_t room, size_t *out);
ssize_t engine_seal(tls_engine *, const struct iovec *, int count);
tls_status engine_end(tls_engine *);
void engine_finish(tls_engine *);
void engine_rest(tls_engine *);
const tls_problem *engine_problem_of(const tls_engine *);
void engine_close(tls_engine *);

/* ---- verify.c, hello.c, problem.c, describe.c, keylog.c, self_signed.c ---- */

/* SSL_CTX_set_cert_verify_callback's: the chain, then the name; its words go to the engine. */
int verify_chain(X509_STORE_CTX *, void *);
bool is_address(const char *name);
/* Whether it is a client that asks for no name (SNI): it has none, or an address. */
bool sends_no_name(const engine *);
/* The names and addresses of a certificate as a list with commas. */
void list_names(const X509 *, char *into, size_t room);
/* The common name of a subject or issuer, or all of it where there is none. */
void name_text(const X509_NAME *, char *into, size_t room);
/* SSL_CTX_set_client_hello_cb's: notes what the client asks for. */
int hello_arrived(SSL *, int *alert, void *);
void hello_free(engine *);
/* After a call of OpenSSL's that failed: why. */
void failure_explain(engine *);
/* "192.0.2.1", "2001:db8::1" */
void address_text(const ASN1_OCTET_STRING *, char *into, size_t room);
size_t describe(const tls_engine *, enum tls_facts, char *into, size_t room);
void keylog_init(SSL_CTX *);
bool self_signed(const tls_bytes *names, size_t count, int days, char *into, size_t room, tls_problem *);
