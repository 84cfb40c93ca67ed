/* SPDX-License-Identifier: MIT
 *
 * zstd, by libzstd: RFC 8878. What is decoded may be several frames, one behind the other.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "coding/coding.h"

enum {
    WINDOW_BITS = 19,     /* an encoder's memory: about 1 MiB */
    WINDOW_BITS_MAX = 23, /* what a decoder lets a peer ask for: RFC 9659 */
};

typedef struct decoder {
    ZSTD_DCtx *context;
    bool ended; /* the last frame has; another one may begin */
} decoder;

static void *encoder_new(int level) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (context) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_BITS);
    }
    return context;
}

static int encode(void *state, pieces *p, enum operation operation) {
    static const ZSTD_EndDirective directives[] = {
        [OPERATION_PROCESS] = ZSTD_e_continue,
        [OPERATION_FLUSH] = ZSTD_e_flush,
        [OPERATION_FINISH] = ZSTD_e_end,
    };
    ZSTD_inBuffer in = {p->in, p->in_left, 0};
    ZSTD_outBuffer out = {p->out, p->out_left, 0};
    size_t left = ZSTD_compressStream2(state, &out, &in, directives[operation]);
    p->in += in.pos;
    p->in_left -= in.pos;
    p->out += out.pos;
    p->out_left -= out.pos;
    if (ZSTD_isError(left)) {
        return PROGRESS_FAILED;
    }
    return p->in_left || (left && operation != OPERATION_PROCESS) ? PROGRESS_MORE : PROGRESS_DONE;
}

static void encoder_free(void *state) {
    ZSTD_freeCCtx(state);
}

static void *decoder_new(void) {
    decoder *d = calloc(1, sizeof *d);
    if (d && !(d->context = ZSTD_createDCtx())) {
        free(d);
        return NULL;
    }
    if (d) {
        ZSTD_DCtx_setParameter(d->context, ZSTD_d_windowLogMax, WINDOW_BITS_MAX);
    }
    return d;
}

static int decode(void *state, pieces *p) {
    decoder *d = state;
    if (d->ended && !p->in_left) {
        return PROGRESS_DONE;
    }
    ZSTD_inBuffer in = {p->in, p->in_left, 0};
    ZSTD_outBuffer out = {p->out, p->out_left, 0};
    size_t left = ZSTD_decompressStream(d->context, &out, &in);
    p->in += in.pos;
    p->in_left -= in.pos;
    p->out += out.pos;
    p->out_left -= out.pos;
    if (ZSTD_isError(left)) {
        return PROGRESS_FAILED;
    }
    d->ended = left == 0;
    return d->ended && !p->in_left ? PROGRESS_DONE : PROGRESS_MORE;
}

static void decoder_free(void *state) {
    ZSTD_freeDCtx(((decoder *)state)->context);
    free(state);
}

CODING_EXPORT int luaopen_momo_coding_zstd(lua_State *L) {
    static const coding zstd = {
        .encoder = "momo.coding.zstd.encoder",
        .decoder = "momo.coding.zstd.decoder",
        .encoder_new = encoder_new,
        .encode = encode,
        .encoder_free = encoder_free,
        .decoder_new = decoder_new,
        .decode = decode,
        .decoder_free = decoder_free,
        .level = 3,
    };
    return coding_open(L, &zstd);
}
