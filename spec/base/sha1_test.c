/* SPDX-License-Identifier: MIT
 *
 * SHA-1 and base64, by the examples of their standards, and of others around the sizes where a block ends. */
#include "base/sha1.h"

#include <string.h>

#include "check.h"

static void expect_digest(const char *text, const char *wanted) {
    uint8_t digest[SHA1_SIZE];
    char hex[2 * SHA1_SIZE + 1];
    sha1(text, strlen(text), digest);
    for (int i = 0; i < SHA1_SIZE; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
    CHECK(strcmp(hex, wanted) == 0);
}

static void expect_text(const char *bytes, const char *wanted) {
    char text[64];
    size_t n = base64_encode((const uint8_t *)bytes, strlen(bytes), text);
    CHECK(n == strlen(wanted) && memcmp(text, wanted, n) == 0);
}

static void check_sizes(void) {
    static const struct {
        int n;
        const char *digest;
    } ROWS[] = {
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},  {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},  {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},
        {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},  {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"},
        {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"}, {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char text[200] = {0};
        memset(text, 'x', (size_t)ROWS[i].n);
        expect_digest(text, ROWS[i].digest);
    }
}

int main(void) {
    check_begin();
    expect_digest("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_digest("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    check_sizes();
    expect_text("", "");
    expect_text("f", "Zg==");
    expect_text("fo", "Zm8=");
    expect_text("foo", "Zm9v");
    expect_text("foob", "Zm9vYg==");
    expect_text("\xff\xfe\xfb\xef", "//777w==");
    uint8_t digest[SHA1_SIZE];
    char text[32];
    sha1("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 60, digest); /* RFC 6455, 1.3 */
    CHECK(base64_encode(digest, SHA1_SIZE, text) == 28 && memcmp(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == 0);
    return 0;
}
