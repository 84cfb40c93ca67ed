/* SPDX-License-Identifier: MIT
 *
 * What tls.so offers: one table of functions, `momo_tls`. The rest of Momo knows this header and not libssl, and opens the
 * object when TLS is used first.
 *
 * An engine is one side of one connection, and does no I/O: ciphertext is handed in, and what is to be sent is appended
 * to an output. Nothing here blocks, and no system call is made but to read certificates and to write SSLKEYLOGFILE.
 *
 *   ciphertext --handshake, unseal--> engine --> plaintext
 *                                       |
 *   plaintext ---------------seal-------'------> output: ciphertext, complete records
 *
 * OpenSSL is never told that the output is full, so it holds no half-written record, and a task may write while another
 * reads. A thread's engines belong to it, and so do its configurations.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
    TLS_ABI = 1,         /* of this table; a tls.so of another build is refused */
    TLS_RECORDS = 4,     /* records that one call of seal makes at most */
    TLS_RECORD = 16384,  /* bytes of plaintext in each */
    TLS_WORDS = 768,     /* bytes of a problem's words, with the final zero */
    TLS_TICKET_KEY = 80, /* bytes: a name of 16, then 32 for HMAC-SHA256, then 32 for AES-256-CBC */
    TLS_FAILURE = -5000, /* the code of a failure with words of its own (Lua: ETLS); other codes are negative errnos */
    TLS_MISTAKE = -5001, /* the code of an option that can't be: the programmer's */
    TLS_SESSION_KEY = 256, /* bytes of what the client's sessions are kept by, at most */
};

typedef struct tls_bytes {
    const char *data;
    size_t size;
} tls_bytes;

/* One setting: its name, and its values. Which there are stands in config.c. */
typedef struct tls_option {
    const char *name;
    const tls_bytes *values;
    size_t count;
} tls_option;

typedef struct tls_problem {
    int code;              /* 0: there is none */
    char words[TLS_WORDS]; /* "kind: what is wrong (OpenSSL's words)" */
} tls_problem;

/* What is to be sent: `size` bytes. Its owner sends and empties it after each call; all engines of a thread may share one. */
typedef struct tls_output {
    char *data;
    size_t size, capacity;
} tls_output;

typedef enum tls_status {
    TLS_OPEN,   /* handshake: it is made; unseal: more may come */
    TLS_INPUT,  /* it needs more ciphertext */
    TLS_ANSWER, /* the ClientHello is here, and on_hello is to be asked */
    TLS_ENDED,  /* the peer has said that it sends no more */
    TLS_FAILED, /* see problem */
} tls_status;

enum tls_facts {
    TLS_CONNECTION, /* version, cipher, alpn, name, resumed, verified */
    TLS_PEER,  /* the peer's certificate: subject, issuer, name, ip, email, uri, not_before, not_after, sha256, pem */
    TLS_HELLO, /* what the client asks for: name, alpn, version; while on_hello is to answer */
};

typedef struct tls_config
    tls_config; /* the settings of many connections; it does not change, but for its ticket keys */

typedef struct tls_engine {
    size_t
        held; /* bytes of a record that has come in part: a call of unseal needs room for these beside what it brings */
} tls_engine;

typedef struct tls_library {
    int abi; /* TLS_ABI */

    /* NULL: see the problem. The caller holds it once, and each engine again. */
    tls_config *(*config_new)(bool server, const tls_option *, size_t count, tls_problem *);
    void (*config_release)(tls_config *);
    /* TLS_TICKET_KEY bytes each: the first seals, all open. False: out of memory. */
    bool (*set_ticket_keys)(tls_config *, const tls_bytes *keys, size_t count);
    /* PEM of a certificate for these names and of its key, each ended by a zero, in `into`. False: see the problem. */
    bool (*self_signed)(const tls_bytes *names, size_t count, int days, char *into, size_t room, tls_problem *);

    /* Client: the peer's name, or NULL (it is not verified then), and what its sessions are kept by. NULL: out of memory. */
    tls_engine *(*open)(tls_config *, tls_output *, const char *name, const char *session_key);
    /* Takes of the n bytes what belongs to the handshake, and moves both on: the rest is for unseal. */
    tls_status (*handshake)(tls_engine *, const char **in, size_t *n);
    /* After TLS_ANSWER: the next call of handshake goes on with this configuration, or (NULL) with its own. */
    void (*answer)(tls_engine *, tls_config *);
    /* Takes all n bytes; their plaintext, *out bytes, counts also when the status is TLS_ENDED or TLS_FAILED. The room is
     * held + n or more; `in` may lie in the same buffer, `held` bytes behind `into` or further. */
    tls_status (*unseal)(tls_engine *, const char *in, size_t n, char *into, size_t room, size_t *out);
    /* Seals up to TLS_RECORDS records: bytes that were taken, or negative: TLS_FAILURE (see problem) or -ENOMEM. */
    ssize_t (*seal)(tls_engine *, const struct iovec *, int count);
    /* The input has ended: TLS_ENDED where that is no failure. */
    tls_status (*end)(tls_engine *);
    /* Says to the peer that we send no more. */
    void (*finish)(tls_engine *);
    /* Nothing will come for a while: gives its buffers back. */
    void (*rest)(tls_engine *);
    const tls_problem *(*problem)(const tls_engine *);
    /* "key\0value\0..." as snprintf does: writes what fits, returns the size of all. 0: there is nothing to tell. */
    size_t (*describe)(const tls_engine *, enum tls_facts, char *into, size_t room);
    void (*close)(tls_engine *);
    void (*output_free)(tls_output *);
} tls_library;
