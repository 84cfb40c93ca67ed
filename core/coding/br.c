/* SPDX-License-Identifier: MIT
 *
 * br, by libbrotlienc and libbrotlidec: RFC 7932.
 */
#include <brotli/decode.h>
#include <brotli/encode.h>

#include "coding/coding.h"

enum { WINDOW_BITS = 18 }; /* an encoder's memory: about 1 MiB */

static void *encoder_new(int level) {
    BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    if (state) {
        BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)level);
        BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, WINDOW_BITS);
    }
    return state;
}

static int encode(void *state, pieces *p, enum operation operation) {
    static const BrotliEncoderOperation operations[] = {
        [OPERATION_PROCESS] = BROTLI_OPERATION_PROCESS,
        [OPERATION_FLUSH] = BROTLI_OPERATION_FLUSH,
        [OPERATION_FINISH] = BROTLI_OPERATION_FINISH,
    };
    if (!BrotliEncoderCompressStream(state, operations[operation], &p->in_left, &p->in, &p->out_left, &p->out, NULL)) {
        return PROGRESS_FAILED;
    }
    if (operation == OPERATION_FINISH) {
        return BrotliEncoderIsFinished(state) ? PROGRESS_DONE : PROGRESS_MORE;
    }
    return p->in_left || BrotliEncoderHasMoreOutput(state) ? PROGRESS_MORE : PROGRESS_DONE;
}

static void encoder_free(void *state) {
    BrotliEncoderDestroyInstance(state);
}

static void *decoder_new(void) {
    return BrotliDecoderCreateInstance(NULL, NULL, NULL);
}

static int decode(void *state, pieces *p) {
    BrotliDecoderResult result = BrotliDecoderDecompressStream(state, &p->in_left, &p->in, &p->out_left, &p->out, NULL);
    if (result == BROTLI_DECODER_RESULT_SUCCESS) {
        return p->in_left ? PROGRESS_FAILED : PROGRESS_DONE; /* nothing may follow */
    }
    return result == BROTLI_DECODER_RESULT_ERROR ? PROGRESS_FAILED : PROGRESS_MORE;
}

static void decoder_free(void *state) {
    BrotliDecoderDestroyInstance(state);
}

CODING_EXPORT int luaopen_momo_coding_br(lua_State *L) {
    static const coding br = {
        .encoder = "momo.coding.br.encoder",
        .decoder = "momo.coding.br.decoder",
        .encoder_new = encoder_new,
        .encode = encode,
        .encoder_free = encoder_free,
        .decoder_new = decoder_new,
        .decode = decode,
        .decoder_free = decoder_free,
        .level = 4,
    };
    return coding_open(L, &br);
}
