/* SPDX-License-Identifier: MIT
 *
 * SHA-1 and base64: see sha1.h.
 */
#include "base/sha1.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

static uint32_t rotate(uint32_t word, int bits) {
    return word << bits | word >> (32 - bits);
}

static uint32_t load_big(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_big(uint8_t *p, uint64_t word, int bytes) {
    for (int i = bytes; i-- > 0; word >>= 8) {
        p[i] = (uint8_t)word;
    }
}

static void mix(uint32_t h[5], const uint8_t *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        w[i] = i < 16 ? load_big(block + 4 * i) : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(const void *bytes, size_t n, uint8_t digest[SHA1_SIZE]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *p = bytes;
    size_t left = n;
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK) {
        mix(h, p);
    }
    uint8_t last[2 * BLOCK] = {0}; /* the rest, a bit, zeros, and the number of bits */
    size_t size = left < LENGTH_AT ? BLOCK : 2 * BLOCK;
    memcpy(last, p, left);
    last[left] = 0x80;
    store_big(last + size - 8, (uint64_t)n * 8, 8);
    for (size_t i = 0; i < size; i += BLOCK) {
        mix(h, last + i);
    }
    for (int i = 0; i < 5; i++) {
        store_big(digest + 4 * i, h[i], 4);
    }
}

size_t base64_encode(const uint8_t *bytes, size_t n, char *text) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = text;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i;
        uint32_t word =
            (uint32_t)bytes[i] << 16 | (have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (have > 2 ? bytes[i + 2] : 0);
        *p++ = DIGITS[word >> 18];
        *p++ = DIGITS[word >> 12 & 63];
        *p++ = have > 1 ? DIGITS[word >> 6 & 63] : '=';
        *p++ = have > 2 ? DIGITS[word & 63] : '=';
    }
    return (size_t)(p - text);
}
