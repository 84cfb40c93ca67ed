/* SPDX-License-Identifier: MIT
 *
 * What failed, in words: which side, what came and what was wanted. The kind before the colon is stable; OpenSSL's own
 * words stand at the end, in parentheses.
 */
#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALERT_PROTOCOL_VERSION = 70, ALERT_NO_APPLICATION_PROTOCOL = 120, NAMED_CIPHERS = 4 };

tls_problem problem_no_memory = {-ENOMEM, "out of memory"};

void problem_set(tls_problem *problem, int code, const char *format, ...) {
    if (problem->code) {
        return;
    }
    problem->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->words, TLS_WORDS, format, arguments);
    va_end(arguments);
}

/* Whether the queue holds a failed allocation, after which nothing else in it tells more. */
static bool lacked_memory(void) {
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

void problem_set_openssl(tls_problem *problem, const char *format, ...) {
    if (problem->code) {
        ERR_clear_error();
        return;
    }
    if (lacked_memory()) {
        ERR_clear_error();
        *problem = problem_no_memory;
        return;
    }
    problem->code = TLS_FAILURE;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->words, TLS_WORDS, format, arguments);
    va_end(arguments);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    size_t size = strlen(problem->words);
    if (reason) {
        snprintf(problem->words + size, TLS_WORDS - size, " (%s)", reason);
    }
    ERR_clear_error();
}

void printable(char *into, size_t room, const char *bytes, size_t n) {
    size_t size = 0;
    for (; size < n && size + 1 < room && bytes[size] != '\n' && bytes[size] != '\r'; size++) {
        unsigned char byte = (unsigned char)bytes[size];
        into[size] = byte < ' ' || byte == 0x7f ? '.' : (char)byte;
    }
    into[size] = '\0';
}

const char *version_name(unsigned version) {
    switch (version) {
    case SSL3_VERSION: return "SSL 3";
    case TLS1_VERSION: return "TLS 1.0";
    case TLS1_1_VERSION: return "TLS 1.1";
    case TLS1_2_VERSION: return "TLS 1.2";
    case TLS1_3_VERSION: return "TLS 1.3";
    default: return NULL;
    }
}

/* "TLS 1.2 or later", as the configuration has it. */
static void wanted_versions(const tls_config *config, char *into, size_t room) {
    const char *least = version_name(config->min_version), *most = version_name(config->max_version);
    if (most && strcmp(least, most) != 0) {
        snprintf(into, room, "%s to %s", least, most + sizeof "TLS");
    } else {
        snprintf(into, room, "%s%s", least, most ? "" : " or later");
    }
}

static void explain_version(engine *e, tls_problem *problem) {
    unsigned best = 0;
    char wanted[32];
    wanted_versions(e->config, wanted, sizeof wanted);
    for (unsigned i = 0; e->hello && i < e->hello->version_count; i++) {
        if (version_name(e->hello->versions[i]) && e->hello->versions[i] > best) {
            best = e->hello->versions[i];
        }
    }
    if (!e->hello) {
        best = (unsigned)SSL_version(e->ssl);
        bool refused = !version_name(best) ||
                       (best >= e->config->min_version && (best <= e->config->max_version || !e->config->max_version));
        if (refused) { /* the peer has not said what it speaks */
            problem_set_openssl(problem, "protocol-version: we want %s, which the peer does not speak", wanted);
            return;
        }
    }
    const char *name = version_name(best);
    problem_set_openssl(problem, "protocol-version: the peer offers %s and we want %s", name ? name : "nothing known",
                        wanted);
}

/* The names of the first ciphers, and how many more there are. */
static void list_ciphers(char *into, size_t room, const char *const *names, size_t count, size_t in_all) {
    size_t size = 0;
    into[0] = '\0';
    for (size_t i = 0; i < count && size < room; i++) {
        size += (size_t)snprintf(into + size, room - size, "%s%s", i ? ", " : "", names[i]);
    }
    if (in_all > count && size < room) {
        snprintf(into + size, room - size, "%s%zu more", count ? " and " : "", in_all - count);
    }
}

static void explain_cipher(engine *e, tls_problem *problem) {
    const char *names[NAMED_CIPHERS];
    char theirs[220] = "nothing", ours[220];
    size_t n = 0;
    for (unsigned i = 0; e->hello && i < e->hello->cipher_count && n < NAMED_CIPHERS; i++) {
        unsigned char wire[2] = {(unsigned char)(e->hello->ciphers[i] >> 8), (unsigned char)e->hello->ciphers[i]};
        const SSL_CIPHER *cipher = SSL_CIPHER_find(e->ssl, wire);
        if (cipher) {
            names[n++] = SSL_CIPHER_get_name(cipher);
        }
    }
    if (e->hello) {
        list_ciphers(theirs, sizeof theirs, names, n, e->hello->ciphers_in_all);
    }
    STACK_OF(SSL_CIPHER) *mine = SSL_get1_supported_ciphers(e->ssl);
    size_t in_all = mine ? (size_t)sk_SSL_CIPHER_num(mine) : 0;
    for (n = 0; n < in_all && n < NAMED_CIPHERS; n++) {
        names[n] = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(mine, (int)n));
    }
    list_ciphers(ours, sizeof ours, names, n, in_all);
    sk_SSL_CIPHER_free(mine);
    problem_set_openssl(problem, "no-cipher: the peer offers %s; we have %s, and what our certificate's key can do",
                        theirs, ours);
}

/* Addresses are no names to be sent. */
bool sends_no_name(const engine *e) {
    return !e->config->server && (!e->name[0] || is_address(e->name));
}

/* As explain_cipher, for the exchange of keys. */
static void explain_groups(engine *e, tls_problem *problem) {
    const char *names[NAMED_CIPHERS];
    char theirs[220] = "no group";
    int in_all = SSL_get1_groups(e->ssl, NULL), n = 0;
    int *all = in_all > 0 ? OPENSSL_malloc((size_t)in_all * sizeof *all) : NULL;
    if (all && SSL_get1_groups(e->ssl, all) == in_all) {
        for (; n < in_all && n < NAMED_CIPHERS; n++) {
            const char *name = SSL_group_to_name(e->ssl, all[n]);
            names[n] = name ? name : "an unknown one";
        }
        list_ciphers(theirs, sizeof theirs, names, (size_t)n, (size_t)in_all);
    }
    OPENSSL_free(all);
    problem_set_openssl(problem, "no-cipher: for the exchange of keys the peer offers %s, and we have none of these",
                        theirs);
}

/* What to do when the peer can do nothing with what it got. */
static const char *failure_hint(const engine *e) {
    if (e->config->server) {
        return ": nothing that both sides can do";
    }
    if (SSL_get0_peer_CA_list(e->ssl) && !e->config->has_pair) { /* it has asked for one */
        return ": it asks for a certificate; pass {cert = ..., key = ...}";
    }
    return sends_no_name(e) ? ": we sent no name; did you pass it?" : ": nothing that both sides can do";
}

static void explain_alert(engine *e, tls_problem *problem, int alert) {
    /* OpenSSL 3.0 has no words for that one */
    const char *words =
        alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required" : SSL_alert_desc_string_long(alert);
    if (!e->established && alert == ALERT_PROTOCOL_VERSION) {
        explain_version(e, problem);
    } else if (!e->established && alert == ALERT_NO_APPLICATION_PROTOCOL) {
        problem_set(problem, TLS_FAILURE, "no-alpn: the peer has none of the protocols that we offer (alert %d, %s)",
                    alert, words);
    } else {
        const char *hint = "";
        switch (alert) {
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_UNKNOWN: hint = ": it does not trust our certificate"; break;
        case SSL_AD_CERTIFICATE_EXPIRED: hint = ": our certificate has expired for it"; break;
        case SSL_AD_CERTIFICATE_REVOKED: hint = ": it holds our certificate for revoked"; break;
        case SSL_AD_CERTIFICATE_REQUIRED: hint = ": it wants a certificate; pass {cert = ..., key = ...}"; break;
        case SSL_AD_HANDSHAKE_FAILURE: hint = failure_hint(e); break;
        case SSL_AD_UNRECOGNIZED_NAME:
            hint = sends_no_name(e) ? ": we sent no name; did you pass it?" : ": it has no certificate for this name";
            break;
        default: break;
        }
        problem_set(problem, TLS_FAILURE, "refused: the peer ended the %s: alert %d, %s%s",
                    e->established ? "connection" : "handshake", alert, words, hint);
    }
}

/* Whether what came is no TLS: its first byte begins neither a record nor a ClientHello in SSL 2's clothes. */
static bool is_other_protocol(const engine *e) {
    unsigned char first = (unsigned char)e->first[0];
    return !e->established && e->first_size > 0 && first != 0x80 &&
           (first < SSL3_RT_CHANGE_CIPHER_SPEC || first > SSL3_RT_APPLICATION_DATA);
}

static void explain_other_protocol(engine *e, tls_problem *problem) {
    char line[FIRST_BYTES + 1];
    printable(line, sizeof line, e->first, e->first_size);
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (e->config->server && (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST)) {
        problem_set(problem, TLS_FAILURE, "not-tls: a plain HTTP request came to a TLS port: \"%s\"", line);
    } else {
        problem_set(problem, TLS_FAILURE, "not-tls: the peer does not speak TLS, it sent \"%s\"", line);
    }
}

static void explain_broken(engine *e, tls_problem *problem) {
    char header[3 * HEADER + 1] = "";
    for (int i = 0; i < e->header_size; i++) {
        snprintf(header + 3 * i, 4, " %02x", e->header[i]);
    }
    problem_set_openssl(problem, "broken: what came is no good, from byte %llu of the stream on%s%s",
                        (unsigned long long)e->record_at, header[0] ? ":" : "", header);
}

void failure_explain(engine *e) {
    tls_problem *problem = engine_problem(e);
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    if (problem->code) { /* who found it has said so */
        return;
    }
    if (e->no_memory || lacked_memory()) {
        *problem = problem_no_memory;
    } else if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
        explain_broken(e, problem);
    } else if (is_other_protocol(e)) {
        explain_other_protocol(e, problem);
    } else if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        explain_alert(e, problem, reason - SSL_AD_REASON_OFFSET);
    } else {
        switch (reason) {
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_VERSION_TOO_LOW:
        case SSL_R_VERSION_TOO_HIGH: explain_version(e, problem); break;
        case SSL_R_NO_SHARED_CIPHER:
        case SSL_R_NO_CIPHERS_AVAILABLE:
        case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: explain_cipher(e, problem); break;
        case SSL_R_NO_SHARED_GROUPS:
        case SSL_R_NO_SUITABLE_GROUPS:
        case SSL_R_NO_SUITABLE_KEY_SHARE: explain_groups(e, problem); break;
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            problem_set(problem, TLS_FAILURE, "no-client-certificate: the client sent none, and one is required");
            break;
        default: explain_broken(e, problem);
        }
    }
}
