/* SPDX-License-Identifier: MIT
 *
 * Chunked bodies at every split of their bytes, and random ones beside a decoder of whole bodies. */
#include "base/http_chunk.h"

#include <string.h>

#include "check.h"

enum { EXTRA = 20, BODY_MAX = 4000 };

struct result {
    int status;  /* HTTP_CHUNK_LAST, 0 or a fault */
    size_t used; /* bytes of the input */
    size_t size; /* bytes of the body */
    char body[BODY_MAX];
};

/* Decodes pieces of random sizes below `most`. */
static void decode(struct result *r, const char *bytes, size_t n, size_t most) {
    http_chunk c;
    http_chunk_init(&c, EXTRA);
    *r = (struct result){0};
    size_t come = 0;
    for (;;) {
        size_t used;
        CHECK_INVARIANTS(http_chunk_check(&c));
        r->status = http_chunk_read(&c, bytes + r->used, come - r->used, &used);
        CHECK(used <= come - r->used);
        r->used += r->status < 0 ? 0 : used;
        if (r->status < 0 || r->status == HTTP_CHUNK_LAST || (come == n && (r->status == 0 || r->used == come))) return;
        if (r->status == HTTP_CHUNK_DATA && r->used < come) {
            size_t piece = come - r->used < c.left ? come - r->used : (size_t)c.left;
            if (piece > 1) piece = 1 + check_below(piece);
            memcpy(r->body + r->size, bytes + r->used, piece);
            r->size += piece;
            r->used += piece;
            http_chunk_take(&c, piece);
        } else {
            CHECK(r->used == come);
            come += 1 + check_below(most < n - come ? most : n - come);
        }
    }
}

static void expect(const char *text, int status, const char *body) {
    for (size_t most = 1; most <= strlen(text); most++) {
        struct result r;
        decode(&r, text, strlen(text), most);
        if (r.status != status)
            fprintf(stderr, "%s -> %d %s\n", text, r.status, r.status < 0 ? http_fault_text(r.status) : "");
        CHECK(r.status == status);
        CHECK(r.size == strlen(body) && memcmp(r.body, body, r.size) == 0);
    }
}

static void check_rows(void) {
    expect("5\r\nhello\r\n0\r\n", HTTP_CHUNK_LAST, "hello");
    expect("5\r\nhello\r\n000\r\n", HTTP_CHUNK_LAST, "hello");
    expect("00000000000000a\r\n0123456789\r\n0\r\n", HTTP_CHUNK_LAST, "0123456789");
    expect("a\r\n0123456789\r\nA\r\n0123456789\r\n0;end\r\n", HTTP_CHUNK_LAST, "01234567890123456789");
    expect("1;a=b\r\nx\r\n1; c = \"d\" \r\ny\r\n0\r\n", HTTP_CHUNK_LAST, "xy");
    expect("1;0123456789\r\nx\r\n1;0123456789\r\ny\r\n0\r\n", HTTP_CHUNK_LAST, "xy");
    expect("1;0123456789\r\nx\r\n1;0123456789x\r\ny\r\n0\r\n", -HTTP_CHUNK_EXTRA, "x");
    expect("5\r\nhel", HTTP_CHUNK_DATA, "hel");
    expect("5\r\nhello", 0, "hello");
    expect("5\r\nhello\r", 0, "hello");
    expect("5\r", 0, "");
    expect("\r\n", -HTTP_CHUNK_SIZE, "");
    expect("g\r\n", -HTTP_CHUNK_SIZE, "");
    expect(";a\r\n", -HTTP_CHUNK_SIZE, "");
    expect("0x5\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("+5\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("-1\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect(" 5\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("5 \r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("5 ;a\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("0000000000000005\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("fffffffffffffff0\r\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("5\nhello\r\n", -HTTP_CHUNK_SIZE, "");
    expect("5\rhello\r\n", -HTTP_LINE_END, "");
    expect("5;a\nhello\r\n", -HTTP_LINE_END, "");
    expect("5;a\rb\r\nhello\r\n", -HTTP_LINE_END, "");
    expect("5;\x01\r\nhello\r\n", -HTTP_LINE_END, "");
    expect("5\r\nhello0\r\n", -HTTP_CHUNK_END, "hello");
    expect("5\r\nhello\n0\r\n", -HTTP_CHUNK_END, "hello");
    expect("5\r\nhello\rx", -HTTP_CHUNK_END, "hello");
}

/* The oracle: the body of a whole input, or false. */
static bool oracle(const char *text, char *body, size_t *size, size_t *used) {
    const char *p = text;
    int extra = EXTRA;
    for (*size = 0;;) {
        size_t digits = strspn(p, "0123456789abcdefABCDEF"), n = strtoull(p, NULL, 16);
        const char *end = strstr(p, "\r\n");
        if (!end || digits == 0 || digits > 15 || (p[digits] != '\r' && p[digits] != ';')) return false;
        for (const char *q = p + digits; q < end; q++) {
            if ((uint8_t)*q < ' ' || *q == 127) return false;
        }
        extra -= p[digits] == ';' ? (int)(end - p - (long)digits - 1) : 0;
        if (extra < 0) return false;
        p = end + 2;
        if (n == 0) {
            *used = (size_t)(p - text);
            return true;
        }
        if (n > strlen(p) || strncmp(p + n, "\r\n", 2) != 0) return false;
        memcpy(body + *size, p, n);
        *size += n;
        p += n + 2;
    }
}

static size_t make_body(char *text) {
    int n = 0;
    for (uint64_t chunks = check_below(5); chunks > 0; chunks--) {
        size_t size = 1 + check_below(check_below(4) ? 20 : 300);
        n += sprintf(text + n, check_below(2) ? "%zx" : "%03zX", size);
        if (check_below(3) == 0) n += sprintf(text + n, ";a=%.*s", (int)check_below(8), "xxxxxxxx");
        n += sprintf(text + n, "\r\n");
        for (; size > 0; size--) text[n++] = (char)('a' + check_below(26));
        n += sprintf(text + n, "\r\n");
    }
    n += sprintf(text + n, "0\r\n");
    if (check_below(3) == 0) text[check_below((uint64_t)n)] = "\r\n0 ;g"[check_below(6)];
    return (size_t)n;
}

static void check_random_bodies(void) {
    int good = 0, bad = 0;
    for (int i = 0; i < 20000; i++) {
        char text[BODY_MAX], body[BODY_MAX];
        size_t n = make_body(text), size, used;
        struct result r;
        decode(&r, text, n, 1 + check_below(n));
        if (oracle(text, body, &size, &used)) {
            CHECK(r.status == HTTP_CHUNK_LAST && r.used == used);
            CHECK(r.size == size && memcmp(r.body, body, size) == 0);
            good++;
        } else {
            CHECK(r.status != HTTP_CHUNK_LAST);
            bad++;
        }
    }
    CHECK(good > 5000 && bad > 1000);
}

int main(void) {
    check_begin();
    check_rows();
    check_random_bodies();
    return 0;
}
