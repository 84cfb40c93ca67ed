/* SPDX-License-Identifier: MIT
 *
 * WebSocket frames at every split of their heads, masks beside the rule taken literally, and UTF-8 beside a decoder of
 * whole texts. */
#include "base/websocket.h"

#include <string.h>

#include "check.h"

enum { ROOM = 100000 };

static const uint8_t KEY[4] = {0x37, 0xfa, 0x21, 0x3d};

static int read_frame(websocket_frame *f, const char *bytes, size_t n, bool masked, bool in_message) {
    int last = 0;
    for (size_t i = 0; i <= n; i++) {
        char *own = malloc(i + 1);
        memcpy(own, bytes, i);
        int status = websocket_frame_read(f, own, i, masked, in_message, ROOM);
        free(own);
        CHECK(last == 0 || status == last);
        CHECK(status <= 0 || status == last || (size_t)status == i);
        last = status;
    }
    return last;
}

static void check_round_trip(void) {
    static const uint8_t OPCODES[] = {WEBSOCKET_CONTINUATION, WEBSOCKET_TEXT, WEBSOCKET_BINARY,
                                      WEBSOCKET_CLOSE,        WEBSOCKET_PING, WEBSOCKET_PONG};
    static const uint64_t LENGTHS[] = {0, 1, 125, 126, 127, 65535, 65536, ROOM};
    for (int i = 0; i < 6 * 8 * 4; i++) {
        uint8_t opcode = OPCODES[i % 6];
        uint64_t length = LENGTHS[i / 6 % 8];
        bool masked = i / 48 % 2, final = i / 96 % 2 || opcode >= WEBSOCKET_CLOSE;
        if (opcode >= WEBSOCKET_CLOSE && length > WEBSOCKET_CONTROL_MAX) continue;
        char head[WEBSOCKET_HEAD_MAX];
        size_t n = websocket_frame_write(head, opcode, final, length, masked ? KEY : NULL);
        CHECK(n == 2u + (length < 126 ? 0 : length < 65536 ? 2 : 8) + (masked ? 4 : 0));
        websocket_frame f;
        bool in_message = opcode == WEBSOCKET_CONTINUATION;
        CHECK(read_frame(&f, head, n, masked, in_message) == (int)n);
        CHECK(f.size == n && f.length == length && f.opcode == opcode && f.final == final);
        CHECK(!masked || memcmp(f.key, KEY, 4) == 0);
        CHECK(read_frame(&f, head, n, !masked, in_message) == -WEBSOCKET_PROTOCOL_ERROR);
        if (opcode < WEBSOCKET_CLOSE) {
            CHECK(read_frame(&f, head, n, masked, !in_message) == -WEBSOCKET_PROTOCOL_ERROR);
        }
    }
}

static void check_refused(void) {
    static const struct {
        int fault;
        size_t n;
        const char *bytes;
    } ROWS[] = {
        {1002, 2, "\xc1\x01"}, /* RSV1 */
        {1002, 2, "\xa1\x01"}, /* RSV2 */
        {1002, 2, "\x91\x01"}, /* RSV3 */
        {1002, 2, "\x83\x01"}, /* reserved opcodes */
        {1002, 2, "\x87\x01"},
        {1002, 2, "\x8b\x01"},
        {1002, 2, "\x8f\x01"},
        {1002, 2, "\x09\x01"},         /* a fragment of a ping */
        {1002, 4, "\x89\x7e\x00\x7e"}, /* a long ping */
        {1002, 4, "\x82\x7e\x00\x7d"}, /* lengths that are not minimal */
        {1002, 4, "\x82\x7e\x00\x00"},
        {1002, 10, "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"},
        {1002, 10, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"}, /* beyond 63 bits */
        {1009, 10, "\x82\x7f\x00\x00\x00\x00\x00\x01\x86\xa1"}, /* ROOM + 1 */
        {1009, 10, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        websocket_frame f;
        CHECK(read_frame(&f, ROWS[i].bytes, ROWS[i].n, false, false) == -ROWS[i].fault);
    }
}

static void check_masks(void) {
    for (int i = 0; i < 2000; i++) {
        char bytes[200], plain[200];
        uint8_t key[4];
        size_t n = check_below(sizeof bytes), at = check_below(n + 1);
        for (size_t k = 0; k < n; k++) plain[k] = (char)check_random();
        for (size_t k = 0; k < 4; k++) key[k] = (uint8_t)check_random();
        uint64_t offset = check_any_size(40);
        memcpy(bytes, plain, n);
        websocket_mask(bytes, at, key, offset); /* in two parts */
        websocket_mask(bytes + at, n - at, key, offset + at);
        for (size_t k = 0; k < n; k++) CHECK((uint8_t)bytes[k] == ((uint8_t)plain[k] ^ key[(offset + k) % 4]));
    }
}

/* The oracle: decodes characters and encodes them again. */
static bool is_utf8(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t more = p[i] < 0x80 ? 0 : p[i] >> 5 == 6 ? 1 : p[i] >> 4 == 14 ? 2 : p[i] >> 3 == 30 ? 3 : 9;
        if (more == 9 || i + more >= n) return false;
        uint32_t c = more == 0 ? p[i] : p[i] & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if (p[i + k] >> 6 != 2) return false;
            c = c << 6 | (p[i + k] & 0x3f);
        }
        static const uint32_t LEAST[] = {0, 0x80, 0x800, 0x10000};
        if (c < LEAST[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
        i += more + 1;
    }
    return true;
}

static size_t put_character(uint8_t *p, uint32_t c) {
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, c >>= 6) p[i] = (uint8_t)(0x80 | (c & 0x3f));
    p[0] = (uint8_t)((0xff00 >> (more + 1)) | c);
    return more + 1;
}

static void check_text(const uint8_t *text, size_t n) {
    utf8_state s = {0};
    bool good = true;
    for (size_t at = 0; at < n && good;) {
        size_t piece = 1 + check_below(n - at);
        good = utf8_advance(&s, (const char *)text + at, piece);
        at += piece;
    }
    CHECK((good && s.left == 0) == is_utf8(text, n));
    utf8_state whole = {0};
    CHECK((utf8_advance(&whole, (const char *)text, n) && whole.left == 0) == is_utf8(text, n));
}

static void check_utf8(void) {
    for (uint32_t c = 0; c < 0x120000; c += c < 0x11000 ? 1 : 97) { /* surrogates and too large ones among them */
        uint8_t text[5];
        size_t n = put_character(text, c);
        check_text(text, n);
        CHECK(is_utf8(text, n) == (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)));
    }
    for (uint32_t two = 0; two < 65536; two++) {
        check_text((const uint8_t[]){(uint8_t)(two >> 8), (uint8_t)two, 0x80, 0x80}, 2 + check_below(3));
    }
    for (int i = 0; i < 20000; i++) {
        uint8_t text[100];
        size_t n = 0;
        while (n < 80 && check_below(20)) {
            n += put_character(text + n, check_below(3) ? (uint32_t)check_below(128) : (uint32_t)check_any_size(20));
        }
        if (n > 0 && check_below(2)) text[check_below(n)] = (uint8_t)check_random();
        check_text(text, n);
    }
}

static void check_codes(void) {
    for (unsigned code = 0; code < 70000; code++) {
        bool wire =
            code < 1015 && code != 1004 && code != 1005 && code != 1006; /* 1015 is for a failed TLS handshake */
        CHECK(websocket_is_close_code(code) == (code >= 1000 && code < 5000 && (wire || code >= 3000)));
    }
}

int main(void) {
    check_begin();
    check_round_trip();
    check_refused();
    check_masks();
    check_utf8();
    check_codes();
    return 0;
}
