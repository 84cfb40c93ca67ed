/* SPDX-License-Identifier: MIT
 *
 * WebSocket frames: see websocket.h.
 */
#include "base/websocket.h"

#include <string.h>

enum {
    FINAL = 0x80,
    RESERVED = 0x70, /* bits that an extension would give a meaning; there is none */
    OPCODE = 0x0f,
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126, /* in place of a length: 2 bytes follow */
    LENGTH_64 = 127, /* 8 bytes follow */
};

static bool may_begin(uint8_t first, bool in_message) {
    uint8_t opcode = first & OPCODE;
    if (first & RESERVED) {
        return false;
    }
    if (opcode >= WEBSOCKET_CLOSE) {
        return opcode <= WEBSOCKET_PONG && first & FINAL;
    }
    return in_message ? opcode == WEBSOCKET_CONTINUATION : opcode == WEBSOCKET_TEXT || opcode == WEBSOCKET_BINARY;
}

/* Each value is said in the shortest way only. */
static bool is_minimal(uint64_t length, size_t bytes) {
    return bytes == 0 || (bytes == 2 ? length >= LENGTH_16 : length > UINT16_MAX && length <= INT64_MAX);
}

int websocket_frame_read(websocket_frame *f, const char *bytes, size_t n, bool masked, bool in_message, uint64_t room) {
    const uint8_t *p = (const uint8_t *)bytes;
    if (n > 0 && !may_begin(p[0], in_message)) {
        return -WEBSOCKET_PROTOCOL_ERROR;
    }
    if (n < 2) {
        return 0;
    }
    bool control = (p[0] & OPCODE) >= WEBSOCKET_CLOSE;
    uint64_t length = p[1] & LENGTH;
    if (!(p[1] & MASKED) == masked || (control && length > WEBSOCKET_CONTROL_MAX)) {
        return -WEBSOCKET_PROTOCOL_ERROR;
    }
    size_t more = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0, size = 2 + more + (masked ? 4 : 0);
    if (n < 2 + more) {
        return 0;
    }
    if (more) {
        length = 0;
        for (size_t i = 2; i < 2 + more; i++) {
            length = length << 8 | p[i];
        }
    }
    if (!is_minimal(length, more)) {
        return -WEBSOCKET_PROTOCOL_ERROR;
    }
    if (!control && length > room) {
        return -WEBSOCKET_TOO_LARGE;
    }
    if (n < size) {
        return 0;
    }
    *f = (websocket_frame){.length = length, .size = (uint8_t)size, .opcode = p[0] & OPCODE, .final = p[0] & FINAL};
    if (masked) {
        memcpy(f->key, p + size - 4, 4);
    }
    return (int)size;
}

size_t websocket_frame_write(char *head, enum websocket_opcode opcode, bool final, uint64_t length,
                             const uint8_t key[4]) {
    uint8_t *p = (uint8_t *)head;
    int more = length < LENGTH_16 ? 0 : length <= UINT16_MAX ? 2 : 8;
    *p++ = (uint8_t)((final ? FINAL : 0) | opcode);
    *p++ = (uint8_t)((key ? MASKED : 0) | (more == 0 ? length : more == 2 ? LENGTH_16 : LENGTH_64));
    for (int shift = (more - 1) * 8; shift >= 0; shift -= 8) {
        *p++ = (uint8_t)(length >> shift);
    }
    if (key) {
        memcpy(p, key, 4);
        p += 4;
    }
    return (size_t)(p - (uint8_t *)head);
}

void websocket_mask(char *bytes, size_t n, const uint8_t key[4], uint64_t offset) {
    uint8_t turned[8]; /* the key as it meets the first byte, twice */
    for (size_t i = 0; i < sizeof turned; i++) {
        turned[i] = key[(offset + i) % 4];
    }
    uint64_t wide;
    memcpy(&wide, turned, sizeof wide);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        word ^= wide;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < n; i++) {
        bytes[i] = (char)(bytes[i] ^ turned[i % 4]);
    }
}

/* The first byte of a character: how many follow, and between which the next is (Unicode, table 3-7). */
static bool begin_character(utf8_state *s, uint8_t byte) {
    s->low = 0x80;
    s->high = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        s->left = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        s->left = 2;
        s->low = byte == 0xe0 ? 0xa0 : 0x80;  /* no longer than it must be */
        s->high = byte == 0xed ? 0x9f : 0xbf; /* no surrogate */
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        s->left = 3;
        s->low = byte == 0xf0 ? 0x90 : 0x80;
        s->high = byte == 0xf4 ? 0x8f : 0xbf; /* at most U+10FFFF */
    } else {
        return byte < 0x80;
    }
    return true;
}

bool utf8_advance(utf8_state *s, const char *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes, *end = p + n;
    while (p < end) {
        if (s->left) {
            if (*p < s->low || *p > s->high) {
                return false;
            }
            s->left--;
            s->low = 0x80;
            s->high = 0xbf;
            p++;
            continue;
        }
        for (uint64_t word; end - p >= 8; p += 8) { /* ASCII */
            memcpy(&word, p, 8);
            if (word & UINT64_C(0x8080808080808080)) {
                break;
            }
        }
        if (p < end && !begin_character(s, *p++)) {
            return false;
        }
    }
    return true;
}

/* RFC 6455, 7.4: those that are defined for the wire, and those for libraries and applications. */
bool websocket_is_close_code(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
