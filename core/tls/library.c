/* SPDX-License-Identifier: MIT
 *
 * The table that the rest of Momo finds in tls.so, and the one symbol that is seen of it.
 */
#include "tls/internal.h"

#include <openssl/err.h>

void library_begin(void) {
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
    ERR_clear_error();
}

__attribute__((visibility("default"))) extern const tls_library momo_tls;

const tls_library momo_tls = {
    .abi = TLS_ABI,
    .config_new = config_new,
    .config_release = config_release,
    .set_ticket_keys = set_ticket_keys,
    .self_signed = self_signed,
    .open = engine_open,
    .handshake = engine_handshake,
    .answer = engine_answer,
    .unseal = engine_unseal,
    .seal = engine_seal,
    .end = engine_end,
    .finish = engine_finish,
    .rest = engine_rest,
    .problem = engine_problem_of,
    .describe = describe,
    .close = engine_close,
    .output_free = output_free,
};
