/* SPDX-License-Identifier: MIT
 *
 * Chunked bodies: see http_chunk.h.
 */
#include "base/http_chunk.h"

#include <assert.h>

#include "base/invariant.h"

enum { DIGITS_MAX = 15 }; /* so many are less than 2^63 */

enum state { SIZE, EXTENSION, SIZE_END, DATA, DATA_END, DATA_END_LF, LAST };

void http_chunk_init(http_chunk *c, uint32_t extra) {
    *c = (http_chunk){.extra = extra, .state = SIZE};
}

/* A digit, or what ends them. */
static int read_size(http_chunk *c, char byte) {
    if (http_classes[(uint8_t)byte] & HTTP_IN_HEX) {
        if (c->digits == DIGITS_MAX) {
            return -HTTP_CHUNK_SIZE;
        }
        c->digits++;
        c->left = c->left << 4 | (uint64_t)(http_is_digit(byte) ? byte - '0' : (byte | 0x20) - 'a' + 10);
        return 1;
    }
    if (c->digits == 0 || (byte != '\r' && byte != ';')) {
        return -HTTP_CHUNK_SIZE;
    }
    c->state = byte == '\r' ? SIZE_END : EXTENSION;
    return 1;
}

static int read_extension(http_chunk *c, char byte) {
    if (byte == '\r') {
        c->state = SIZE_END;
        return 1;
    }
    if (!http_is_value(&byte, 1)) {
        return -HTTP_LINE_END;
    }
    if (c->extra == 0) {
        return -HTTP_CHUNK_EXTRA;
    }
    c->extra--;
    return 1;
}

static int read_size_end(http_chunk *c, char byte) {
    if (byte != '\n') {
        return -HTTP_LINE_END;
    }
    c->state = c->left ? DATA : LAST;
    c->digits = 0;
    return 1;
}

static int read_data_end(http_chunk *c, char byte) {
    if (byte != (c->state == DATA_END ? '\r' : '\n')) {
        return -HTTP_CHUNK_END;
    }
    c->state = c->state == DATA_END ? DATA_END_LF : SIZE;
    return 1;
}

int http_chunk_read(http_chunk *c, const char *bytes, size_t n, size_t *used) {
    int status = 1;
    for (*used = 0; status > 0; ++*used) {
        if (c->state == DATA || c->state == LAST) {
            return c->state == DATA ? HTTP_CHUNK_DATA : HTTP_CHUNK_LAST;
        }
        if (*used == n) {
            return 0;
        }
        char byte = bytes[*used];
        switch (c->state) {
        case SIZE: status = read_size(c, byte); break;
        case EXTENSION: status = read_extension(c, byte); break;
        case SIZE_END: status = read_size_end(c, byte); break;
        default: status = read_data_end(c, byte);
        }
    }
    return status;
}

void http_chunk_take(http_chunk *c, size_t n) {
    assert(c->state == DATA && n <= c->left);
    c->left -= n;
    c->state = c->left ? DATA : DATA_END;
}

int http_chunk_check(const http_chunk *c) {
    INVARIANT(c->state <= LAST && c->digits <= DIGITS_MAX);
    INVARIANT(c->left < UINT64_C(1) << 4 * DIGITS_MAX);
    INVARIANT((c->state == SIZE || c->state == EXTENSION || c->state == SIZE_END) ? c->left >> 4 * c->digits == 0
                                                                                  : c->digits == 0);
    INVARIANT(c->state != DATA || c->left > 0);
    INVARIANT((c->state != DATA_END && c->state != DATA_END_LF && c->state != LAST) || c->left == 0);
    return 0;
}
