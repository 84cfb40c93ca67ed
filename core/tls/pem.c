/* SPDX-License-Identifier: MIT
 *
 * Certificates and keys, out of files or of texts.
 */
#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

static const char BEGIN[] = "-----BEGIN";

static bool is_text(const tls_bytes *source) {
    return source->size >= sizeof BEGIN - 1 && memcmp(source->data, BEGIN, sizeof BEGIN - 1) == 0;
}

const char *pem_name(const tls_bytes *source, char *into, size_t room) {
    if (is_text(source)) {
        return "the PEM text";
    }
    printable(into, room, source->data, source->size);
    return into;
}

BIO *pem_open(const tls_bytes *source, const char *what, tls_problem *problem) {
    char name[200];
    if (is_text(source)) {
        BIO *bio = BIO_new_mem_buf(source->data, (int)source->size);
        if (!bio) {
            problem_set_openssl(problem, "bad-certificate: can't read the %s", what);
        }
        return bio;
    }
    errno = 0;
    BIO *bio = BIO_new_file(source->data, "r");
    int error = errno;
    if (!bio && error) {
        ERR_clear_error();
        problem_set(problem, -error, "%s: %s (the %s)", strerror(error), pem_name(source, name, sizeof name), what);
    } else if (!bio) {
        problem_set_openssl(problem, "bad-certificate: can't open %s", pem_name(source, name, sizeof name));
    }
    return bio;
}

/* Whether reading has ended since nothing but what is no PEM is left. */
static bool is_at_end(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * pem_certificates(const tls_bytes *source, tls_problem *problem) {
    BIO *bio = pem_open(source, "certificate", problem);
    if (!bio) {
        return NULL;
    }
    char name[200];
    ERR_clear_error();
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *one;
    while (all && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (!sk_X509_push(all, one)) {
            X509_free(one);
            break;
        }
    }
    if (!all || sk_X509_num(all) == 0 || !is_at_end()) {
        problem_set_openssl(problem, "bad-certificate: there is no good certificate in %s",
                            pem_name(source, name, sizeof name));
        sk_X509_pop_free(all, X509_free);
        all = NULL;
    }
    ERR_clear_error();
    BIO_free(bio);
    return all;
}

typedef struct secret {
    const tls_bytes *password;
    bool asked;
} secret;

/* PEM asks here, and never the terminal. */
static int tell_password(char *into, int room, int writing, void *data) {
    (void)writing;
    secret *s = data;
    s->asked = true;
    if (!s->password || s->password->size > (size_t)room) {
        return -1;
    }
    memcpy(into, s->password->data, s->password->size);
    return (int)s->password->size;
}

EVP_PKEY *pem_key(const tls_bytes *source, const tls_bytes *password, tls_problem *problem) {
    BIO *bio = pem_open(source, "key", problem);
    if (!bio) {
        return NULL;
    }
    char name[200];
    secret s = {password && password->size ? password : NULL, false};
    ERR_clear_error();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, tell_password, &s);
    if (!key) {
        const char *why = !s.asked      ? "there is no good private key in"
                          : !s.password ? "a password is needed ({password = ...}) for the key in"
                                        : "the password is wrong for the key in";
        problem_set_openssl(problem, "bad-certificate: %s %s", why, pem_name(source, name, sizeof name));
    }
    ERR_clear_error();
    BIO_free(bio);
    return key;
}
