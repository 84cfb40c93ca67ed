/* SPDX-License-Identifier: MIT
 *
 * The keys of a server's session tickets. Where none are set they are the process's: made by the first who needs one, a new
 * one each hour, and the one before opens for an hour more. So a ticket of one thread is good on every other.
 */
#include "tls/internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

static struct {
    ticket_key keys[2]; /* that which seals, and that before it */
    size_t count;
    int64_t made; /* when the first was */
} own;
static CRYPTO_RWLOCK *lock;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_lock(void) {
    lock = CRYPTO_THREAD_lock_new();
}

/* A clock that was set back makes no key last longer. */
static bool is_old(int64_t now) {
    return own.count == 0 || now < own.made || now >= own.made + ROTATION_SECONDS;
}

size_t tickets_of_process(int64_t now, ticket_key keys[2]) {
    size_t count = 0;
    if (!CRYPTO_THREAD_run_once(&once, make_lock) || !lock || !CRYPTO_THREAD_write_lock(lock)) {
        return 0;
    }
    ticket_key fresh;
    if (is_old(now) && RAND_priv_bytes((unsigned char *)&fresh, sizeof fresh) == 1) {
        bool serves = own.count && now >= own.made && now < own.made + 2 * ROTATION_SECONDS;
        own.keys[1] = own.keys[0];
        own.keys[0] = fresh;
        own.count = serves ? 2 : 1;
        own.made = now;
    }
    if (!is_old(now)) {
        count = own.count;
        memcpy(keys, own.keys, count * sizeof *keys);
    }
    CRYPTO_THREAD_unlock(lock);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return count;
}

static bool use_hmac(EVP_MAC_CTX *mac, ticket_key *key) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof key->hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static int seal(ticket_key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                   EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key->aes, iv, NULL) == 1 && use_hmac(mac, key)
               ? 1
               : -1;
}

/* 0: no key of ours; a full handshake. 2: a new ticket is due, as another key seals now, or the ticket can't serve again. */
static int open(bool once, ticket_key *keys, size_t count, const unsigned char *name, const unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    for (size_t i = 0; i < count; i++) {
        if (memcmp(keys[i].name, name, sizeof keys[i].name) == 0) {
            bool ready =
                EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), keys[i].aes, iv, NULL) == 1 && use_hmac(mac, &keys[i]);
            return !ready ? -1 : i || once ? 2 : 1;
        }
    }
    return 0;
}

static int find_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                    int sealing) {
    const ticket_keys *set = &engine_of(ssl)->config->tickets;
    ticket_key process[2], *keys = set->keys;
    size_t count = set->count;
    if (!keys) {
        keys = process;
        count = tickets_of_process(time(NULL), process);
    }
    int status = 0;
    if (!sealing) {
        status = open(SSL_version(ssl) >= TLS1_3_VERSION, keys, count, name, iv, cipher, mac);
    } else if (count) {
        status = seal(keys, name, iv, cipher, mac);
    }
    OPENSSL_cleanse(process, sizeof process);
    return status;
}

int tickets_init(SSL_CTX *context) {
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, find_key) == 1;
}

bool tickets_set(ticket_keys *set, const tls_bytes *keys, size_t count) {
    ticket_key *copies = OPENSSL_malloc(count * sizeof *copies);
    if (!copies) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(&copies[i], keys[i].data, sizeof *copies);
    }
    tickets_free(set);
    *set = (ticket_keys){copies, count};
    return true;
}

void tickets_free(ticket_keys *set) {
    OPENSSL_clear_free(set->keys, set->count * sizeof *set->keys);
    *set = (ticket_keys){0};
}
