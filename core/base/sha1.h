/* SPDX-License-Identifier: MIT
 *
 * SHA-1 of short inputs (FIPS 180-4), which the handshake of WebSocket takes; and base64 (RFC 4648).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20 };

void sha1(const void *bytes, size_t n, uint8_t digest[SHA1_SIZE]);
/* Writes the text, of (n + 2) / 3 * 4 bytes, and no zero behind it: its length. */
size_t base64_encode(const uint8_t *bytes, size_t n, char *text);
