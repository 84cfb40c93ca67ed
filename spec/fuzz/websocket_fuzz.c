/* SPDX-License-Identifier: MIT
 *
 * libFuzzer for base/websocket.h: heads of frames at every split, and back to the bytes they were read from; masks and texts
 * in one piece and in two.
 *
 * The first byte: bit 0 frames are masked, bit 1 a message is under way, bit 2 there is little room; the others where a payload
 * is split. */
#include "base/websocket.h"

#include <string.h>

#include "check.h"

static void check_mask(const char *bytes, size_t n, const uint8_t key[4], size_t split) {
    char *masked = malloc(n + 1);
    memcpy(masked, bytes, n);
    websocket_mask(masked, n, key, 0);
    for (size_t i = 0; i < n; i++) {
        CHECK((uint8_t)masked[i] == ((uint8_t)bytes[i] ^ key[i % 4]));
    }
    websocket_mask(masked, split, key, 0);
    websocket_mask(masked + split, n - split, key, split);
    CHECK(memcmp(masked, bytes, n) == 0);
    free(masked);
}

static void check_text(const char *bytes, size_t n, size_t split) {
    utf8_state whole = {0}, parts = {0};
    bool is_text = utf8_advance(&whole, bytes, n);
    CHECK((utf8_advance(&parts, bytes, split) && utf8_advance(&parts, bytes + split, n - split)) == is_text);
    CHECK(!is_text || (whole.left == parts.left && whole.left < 4));
}

/* Its size, or what ends the stream of frames. */
static int read_frame(websocket_frame *f, const char *bytes, size_t n, unsigned flags, bool in_message) {
    int verdict = 0;
    for (size_t i = 0; verdict == 0 && i <= n && i <= WEBSOCKET_HEAD_MAX; i++) {
        char *own = malloc(i + 1);
        memcpy(own, bytes, i);
        verdict = websocket_frame_read(f, own, i, flags & 1, in_message, flags & 4 ? 300 : UINT64_MAX / 2);
        CHECK(verdict <= 0 || (size_t)verdict == i);
        free(own);
    }
    return verdict;
}

static void check_frame(const websocket_frame *f, const char *bytes, unsigned flags) {
    char head[WEBSOCKET_HEAD_MAX];
    CHECK(websocket_frame_write(head, f->opcode, f->final, f->length, flags & 1 ? f->key : NULL) == f->size);
    CHECK(memcmp(head, bytes, f->size) == 0);
    CHECK(f->opcode < WEBSOCKET_CLOSE || (f->final && f->length <= WEBSOCKET_CONTROL_MAX));
    CHECK(f->opcode >= WEBSOCKET_CLOSE || !(flags & 4) || f->length <= 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0) {
        return 0;
    }
    unsigned flags = data[0];
    const char *p = (const char *)data + 1, *end = (const char *)data + n;
    bool in_message = flags & 2;
    websocket_frame f;
    while (read_frame(&f, p, (size_t)(end - p), flags, in_message) > 0) {
        check_frame(&f, p, flags);
        p += f.size;
        size_t payload = (size_t)(end - p) < f.length ? (size_t)(end - p) : (size_t)f.length;
        size_t split = payload ? (flags >> 3) % payload : 0;
        check_mask(p, payload, f.key, split);
        check_text(p, payload, split);
        p += payload;
        in_message = f.opcode >= WEBSOCKET_CLOSE ? in_message : !f.final;
    }
    return 0;
}
