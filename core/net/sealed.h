/* SPDX-License-Identifier: MIT
 *
 * TLS as a layer of a stream: an engine of tls.so, and the ciphertext that the layer below has not taken yet.
 *
 *   stream --io.layer--> sealed --below--> socket (or file, or another sealed: TLS in TLS)
 *                          '--engine: ciphertext in, plaintext out
 *
 * A read takes what has come in one call of the layer below, and deciphers all of it, in the very place that it landed in:
 * plaintext is shorter than what it comes from. A write seals, sends, and keeps what the descriptor does not take. What the
 * engine wants to say in a read (an answer to a KeyUpdate, an alert) is kept likewise and no read waits for it: so two tasks
 * read and write as fast as they can, and never wait for each other.
 *
 * The handshake is made before the stream goes through the layer: its task has the stream's turns of reading and writing, and
 * the unread bytes of the stream are ciphertext meanwhile.
 */
#pragma once
#include "net/stream.h"
#include "tls/tls.h"

enum {
    SEALED_LAYERS = 4, /* on one stream, at most */
    SEALED_DONE = 0,   /* of sealed_shake: the handshake is made */
    SEALED_ASKS,       /* on_hello is to answer */
    SEALED_TURN,       /* it waits until others have had theirs (heavy.h) */
};

/* What a thread's sealed streams share: who has a part of it holds it. */
typedef struct sealed_shared {
    const tls_library *library;
    tls_output output; /* empty between calls */
    unsigned holders;
} sealed_shared;

sealed_shared *sealed_shared_new(const tls_library *);
void sealed_shared_release(sealed_shared *);

typedef struct sealed {
    layer layer;
    sealed_shared *shared;
    tls_engine *engine;
    char *pending; /* ciphertext that the layer below has not taken: pending[pend_start..pend_end) */
    size_t pend_start, pend_end, pend_capacity;
    size_t answers; /* bytes of it that were put out in reads */
    char *aside;    /* plaintext that a reader had no room for: aside[aside_start..aside_end) */
    size_t aside_start, aside_end;
    size_t silent;    /* bytes of ciphertext without any of plaintext */
    int end;          /* what reads are told once all plaintext is taken; 0: more may come */
    bool flooded;     /* it ended since the peer has sent too much without data */
    bool warm;        /* the engine has buffers, which a read that has to wait gives back */
    bool ending;      /* once nothing is pending, the layer below is shut down */
    bool wants_input; /* the handshake needs more input */
    bool done;        /* it is made */
    bool granted;     /* its next step need not wait for its turn */
} sealed;

/* Begins a handshake, for which the task gets the turns of reading and writing. name: of a server, or NULL; key: what a client
 * keeps sessions by. UV_EBUSY: others have a turn; UV_ENOMEM. */
int sealed_begin(io *, task *, sealed_shared *, tls_config *, bool server, const char *name, const char *key,
                 sealed **);
/* Goes on with it: SEALED_DONE, SEALED_ASKS, SEALED_TURN; UV_EAGAIN: when io.read_waits says; or how it failed. */
int sealed_shake(sealed *, io *);
/* The stream goes through the layer from now on, which belongs to it. */
void sealed_commit(sealed *, io *);
/* Before the next step: on_hello has answered with this configuration, or (NULL) with nothing. */
void sealed_answer(sealed *, tls_config *);
/* Frees one that was not committed. */
void sealed_free(sealed *);
/* The layer that the stream goes through, if it is one of these, or NULL. */
const sealed *sealed_of(const io *);
unsigned sealed_count(const io *);

/* For the handshake, which calls the layer below by itself. */

/* Takes the engine over. NULL: out of memory; then it is closed. */
sealed *sealed_new(sealed_shared *, tls_engine *);
/* Sends what the engine has put out: 0; UV_EAGAIN: the rest is pending; or how it failed. */
int sealed_send(sealed *, io *, const layer *below);
/* Sends what is pending below and here: 0, nothing is left. */
int sealed_send_pending(sealed *, io *, const layer *below);
/* Notes the words of the engine's problem: its code. */
int sealed_fail(const sealed *, io *);
/* What unseal has answered, and what it has put out. */
void sealed_note(sealed *, io *, tls_status);
