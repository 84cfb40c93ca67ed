/* SPDX-License-Identifier: MIT
 *
 * A certificate that vouches for itself, for development: P-256, for some names and addresses, for some days.
 */
#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { SERIAL_BYTES = 16, BACKDATED_SECONDS = 3600, DAY_SECONDS = 86400 };

static bool add_name(GENERAL_NAMES *names, const char *text) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    ASN1_STRING *host = address ? NULL : ASN1_IA5STRING_new();
    if (!name || !(address || host) || (host && !ASN1_STRING_set(host, text, -1))) {
        GENERAL_NAME_free(name);
        ASN1_OCTET_STRING_free(address);
        ASN1_STRING_free(host);
        return false;
    }
    GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, address ? (void *)address : (void *)host);
    if (!sk_GENERAL_NAME_push(names, name)) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool add_names(X509 *x, const tls_bytes *names, size_t count) {
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    bool good = all != NULL;
    for (size_t i = 0; good && i < count; i++) {
        good = add_name(all, names[i].data);
    }
    good = good && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return good;
}

static bool add_extension(X509 *x, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* It may serve as a client's certificate too, and is no CA's. */
static bool fill(X509 *x, EVP_PKEY *key, const tls_bytes *names, size_t count, int days) {
    unsigned char serial[SERIAL_BYTES];
    BIGNUM *number = RAND_bytes(serial, sizeof serial) == 1 ? BN_bin2bn(serial, sizeof serial, NULL) : NULL;
    X509_NAME *subject = X509_get_subject_name(x);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) &&
                X509_set_version(x, X509_VERSION_3) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATED_SECONDS) &&
                X509_gmtime_adj(X509_getm_notAfter(x), (long)days * DAY_SECONDS) && X509_set_pubkey(x, key) == 1 &&
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)"Momo self-signed", -1,
                                           -1, 0) == 1 &&
                X509_set_issuer_name(x, subject) == 1 && add_names(x, names, count) &&
                add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(x, NID_key_usage, "critical,digitalSignature") &&
                add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
                add_extension(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
    BN_free(number);
    return good;
}

/* What lies in the BIO, with a zero behind it: its size, or 0 if there is no room. */
static size_t copy_text(BIO *bio, char *into, size_t room) {
    char *text;
    long n = BIO_get_mem_data(bio, &text);
    if (n <= 0 || (size_t)n >= room) {
        return 0;
    }
    memcpy(into, text, (size_t)n);
    into[n] = '\0';
    return (size_t)n + 1;
}

bool self_signed(const tls_bytes *names, size_t count, int days, char *into, size_t room, tls_problem *problem) {
    *problem = (tls_problem){0};
    library_begin();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? X509_new() : NULL;
    BIO *certificate_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_secmem());
    bool made = x && certificate_text && key_text && fill(x, key, names, count, days) &&
                PEM_write_bio_X509(certificate_text, x) == 1 &&
                PEM_write_bio_PKCS8PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (!made) {
        problem_set_openssl(problem, "bad-certificate: can't make a certificate");
    } else {
        size_t size = copy_text(certificate_text, into, room);
        if (!size || !copy_text(key_text, into + size, room - size)) {
            problem_set(problem, TLS_MISTAKE, "there are too many names");
        }
    }
    BIO_free(certificate_text);
    BIO_free(key_text);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return problem->code == 0;
}
