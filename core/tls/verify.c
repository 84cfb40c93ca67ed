/* SPDX-License-Identifier: MIT
 *
 * Whether the peer's certificate is good, and if it is not: which one of its chain, why, and what to do.
 *
 * The name is checked here and not by OpenSSL, whose rule still takes the common name of a certificate that has
 * addresses, but no names, among its alternative ones.
 */
#include "tls/internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

bool is_address(const char *name) {
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    return address != NULL;
}

void name_text(const X509_NAME *name, char *into, size_t room) {
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    unsigned char *text = NULL;
    if (at >= 0) {
        int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        printable(into, room, (char *)text, n > 0 ? (size_t)n : 0);
        OPENSSL_free(text);
        return;
    }
    char line[256] = "";
    X509_NAME_oneline(name, line, sizeof line);
    printable(into, room, line, strlen(line));
}

/* Appends to a list with commas, which ends in ", ..." when there is no room for more. */
static void list_add(char *into, size_t room, const char *text, size_t n) {
    size_t size = strlen(into);
    if (size + n + sizeof ", , ..." > room) {
        if (size >= 4 && strcmp(into + size - 3, "...") != 0) {
            strcpy(into + size, ", ...");
        }
        return;
    }
    strcpy(into + size, size ? ", " : "");
    size += strlen(into + size);
    printable(into + size, room - size, text, n);
}

void list_names(const X509 *certificate, char *into, size_t room) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    into[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            list_add(into, room, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            char address[64];
            address_text(name->d.iPAddress, address, sizeof address);
            list_add(into, room, address, strlen(address));
        }
    }
    if (!names) {
        char common[NAME_MAX_SIZE];
        name_text(X509_get_subject_name(certificate), common, sizeof common);
        list_add(into, room, common, strlen(common));
    }
    GENERAL_NAMES_free(names);
}

/* Whether the certificate is for this name. */
static bool is_for(X509 *certificate, const char *name) {
    if (is_address(name)) {
        return X509_check_ip_asc(certificate, name, 0) == 1;
    }
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0) {
        flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    }
    return X509_check_host(certificate, name, 0, flags, NULL) == 1;
}

static void day_text(const ASN1_TIME *time, char *into, size_t room) {
    struct tm tm = {0};
    if (!ASN1_TIME_to_tm(time, &tm) || !strftime(into, room, "%Y-%m-%d", &tm)) {
        snprintf(into, room, "?");
    }
}

static void today_text(char *into, size_t room) {
    time_t now = time(NULL);
    struct tm tm;
    strftime(into, room, "%Y-%m-%d", gmtime_r(&now, &tm));
}

/* What words call the certificate at a place of the chain. */
static void certificate_text(const engine *e, const X509 *certificate, int depth, char *into, size_t room) {
    char subject[128];
    name_text(X509_get_subject_name(certificate), subject, sizeof subject);
    if (depth > 0) {
        snprintf(into, room, "the certificate of the CA \"%s\", on which that of %s rests,", subject,
                 e->name[0] ? e->name : "the peer");
    } else if (e->name[0]) {
        snprintf(into, room, "the certificate of %s", e->name);
    } else {
        snprintf(into, room, "the peer's certificate \"%s\"", subject);
    }
}

static void explain(engine *e, X509_STORE_CTX *context) {
    tls_problem *problem = engine_problem(e);
    int error = X509_STORE_CTX_get_error(context);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(context);
    const char *words = X509_verify_cert_error_string(error);
    char which[420], issuer[128], day[16], today[16];
    if (!certificate) {
        problem_set(problem, TLS_FAILURE, "bad-certificate: %s", words);
        return;
    }
    certificate_text(e, certificate, X509_STORE_CTX_get_error_depth(context), which, sizeof which);
    name_text(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    today_text(today, sizeof today);
    const char *remedy = e->config->server ? "client_ca" : "ca";
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        day_text(X509_get0_notAfter(certificate), day, sizeof day);
        problem_set(problem, TLS_FAILURE, "expired: %s expired on %s (it is %s here)", which, day, today);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        day_text(X509_get0_notBefore(certificate), day, sizeof day);
        problem_set(problem, TLS_FAILURE, "not-yet-valid: %s is valid from %s on (it is %s here)", which, day, today);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        problem_set(problem, TLS_FAILURE, "self-signed: %s is self-signed; pass {%s = ...} to trust it (%s)", which,
                    remedy, words);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        problem_set(problem, TLS_FAILURE, "unknown-ca: nobody known has signed %s: issuer \"%s\"; pass {%s = ...} (%s)",
                    which, issuer, remedy, words);
        break;
    case X509_V_ERR_INVALID_CA:
        problem_set(problem, TLS_FAILURE, "bad-certificate: %s may sign no others: it is not a CA's (%s)", which,
                    words);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        problem_set(problem, TLS_FAILURE, "bad-certificate: %s is not for a %s (%s)", which,
                    e->config->server ? "client" : "server", words);
        break;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        problem_set(problem, TLS_FAILURE, "bad-certificate: %s has a weak key, of %d bits (%s)", which,
                    EVP_PKEY_get_bits(X509_get0_pubkey(certificate)), words);
        break;
    default: problem_set(problem, TLS_FAILURE, "bad-certificate: %s is refused (%s)", which, words);
    }
}

int verify_chain(X509_STORE_CTX *context, void *unused) {
    (void)unused;
    engine *e = engine_of(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (!e->config->verifies) {
        return 1;
    }
    if (X509_verify_cert(context) <= 0) {
        if (X509_STORE_CTX_get_error(context) == X509_V_OK) {
            X509_STORE_CTX_set_error(context, X509_V_ERR_UNSPECIFIED);
        }
        if (X509_STORE_CTX_get_error(context) == X509_V_ERR_OUT_OF_MEM) {
            e->no_memory = true;
        } else {
            explain(e, context);
        }
        return 0;
    }
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    if (!e->config->server && !is_for(leaf, e->name)) {
        char names[300];
        list_names(leaf, names, sizeof names);
        problem_set(engine_problem(e), TLS_FAILURE, "wrong-host: the certificate is for %s, and not for %s", names,
                    e->name);
        X509_STORE_CTX_set_error(context, X509_V_ERR_HOSTNAME_MISMATCH);
        return 0;
    }
    return 1;
}
