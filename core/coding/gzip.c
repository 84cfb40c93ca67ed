/* SPDX-License-Identifier: MIT
 *
 * gzip, by zlib: RFC 1952. What is decoded may be several members, one behind the other.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "coding/coding.h"

enum {
    WINDOW_BITS = 15 + 16, /* + 16: gzip's head and checksum */
    MEMORY_LEVEL = 8,
};

typedef struct decoder {
    z_stream z;
    bool ended; /* the last member has; another one may begin */
} decoder;

static uInt limit(size_t n) {
    return n < 1U << 30 ? (uInt)n : 1U << 30;
}

static void lend(z_stream *z, const pieces *p) {
    z->next_in = (Bytef *)(uintptr_t)p->in;
    z->avail_in = limit(p->in_left);
    z->next_out = p->out;
    z->avail_out = limit(p->out_left);
}

static void take_back(const z_stream *z, pieces *p) {
    p->in_left -= (size_t)(z->next_in - p->in);
    p->in = z->next_in;
    p->out_left -= (size_t)(z->next_out - p->out);
    p->out = z->next_out;
}

static void *encoder_new(int level) {
    z_stream *z = calloc(1, sizeof *z);
    if (z && deflateInit2(z, level, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        return NULL;
    }
    return z;
}

static int encode(void *state, pieces *p, enum operation operation) {
    z_stream *z = state;
    lend(z, p);
    int flush = operation == OPERATION_FINISH ? Z_FINISH : operation == OPERATION_FLUSH ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    int status = deflate(z, z->avail_in < p->in_left ? Z_NO_FLUSH : flush);
    take_back(z, p);
    if (status == Z_STREAM_END) {
        return PROGRESS_DONE;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) { /* Z_BUF_ERROR: there was nothing left to do */
        return PROGRESS_FAILED;
    }
    return p->in_left || !p->out_left || operation == OPERATION_FINISH ? PROGRESS_MORE : PROGRESS_DONE;
}

static void encoder_free(void *state) {
    deflateEnd(state);
    free(state);
}

static void *decoder_new(void) {
    decoder *d = calloc(1, sizeof *d);
    if (d && inflateInit2(&d->z, WINDOW_BITS) != Z_OK) {
        free(d);
        return NULL;
    }
    return d;
}

static int decode(void *state, pieces *p) {
    decoder *d = state;
    if (d->ended && p->in_left) {
        inflateReset(&d->z);
        d->ended = false;
    }
    lend(&d->z, p);
    int status = d->ended ? Z_STREAM_END : inflate(&d->z, Z_NO_FLUSH);
    take_back(&d->z, p);
    d->ended = status == Z_STREAM_END;
    if (d->ended) {
        return p->in_left ? PROGRESS_MORE : PROGRESS_DONE;
    }
    return status == Z_OK || status == Z_BUF_ERROR ? PROGRESS_MORE : PROGRESS_FAILED;
}

static void decoder_free(void *state) {
    inflateEnd(&((decoder *)state)->z);
    free(state);
}

CODING_EXPORT int luaopen_momo_coding_gzip(lua_State *L) {
    static const coding gzip = {
        .encoder = "momo.coding.gzip.encoder",
        .decoder = "momo.coding.gzip.decoder",
        .encoder_new = encoder_new,
        .encode = encode,
        .encoder_free = encoder_free,
        .decoder_new = decoder_new,
        .decode = decode,
        .decoder_free = decoder_free,
        .level = 6,
    };
    return coding_open(L, &gzip);
}
