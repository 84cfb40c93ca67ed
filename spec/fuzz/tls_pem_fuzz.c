/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for the files of core/tls: certificates, keys, authorities and responses of OCSP, as programs hand them over.
 *
 * The first byte says which of them the rest is, behind "-----BEGIN": no path is opened. The others are good ones. */
#include "engines.h"

static const char BEGIN[] = "-----BEGIN";

enum { KEY = 1, ENCRYPTED_KEY, CLIENT_CA, CA, OCSP, KINDS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static bool begun;
    if (!begun) {
        begun = true;
        make_certificate();
    }
    if (n < 4) return 0;
    int kind = data[0] % KINDS;
    size_t head = kind == OCSP ? 0 : sizeof BEGIN - 1;
    if (kind == OCSP && !(data[1] == 0x30 && data[2] & 0x80)) return 0;
    char *text = malloc(head + n); /* its end is where a read beyond it is seen */
    CHECK(text);
    memcpy(text, BEGIN, head);
    memcpy(text + head, data + 1, n - 1);
    text[head + n - 1] = 0;
    const tls_bytes given = {text, head + n - 1}, good = bytes_of(pem), none = bytes_of("");
    const tls_bytes key = bytes_of(pem_key_text), password = bytes_of("password");
    tls_bytes pair[] = {none, good, key, none};
    tls_option more = {NULL, &given, 1};
    switch (kind) {
    case 0: pair[1] = given; break;
    case KEY: pair[2] = given; break;
    case ENCRYPTED_KEY:
        pair[2] = given;
        pair[3] = password;
        break;
    case CLIENT_CA: more.name = "client_ca"; break;
    case CA: more.name = "ca"; break;
    default: more.name = "ocsp";
    }
    const tls_option options[] = {{"pair", pair, 4}, more};
    tls_problem problem = {0};
    tls_config *config = config_new(kind != CA, options, more.name ? 2 : 1, &problem);
    CHECK(config ? problem.code == 0 : problem.code != 0 && strlen(problem.words) < TLS_WORDS);
    CHECK(ERR_peek_error() == 0);
    if (config) config_release(config);
    free(text);
    return 0;
}
