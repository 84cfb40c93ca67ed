/* SPDX-License-Identifier: MIT
 *
 * What heads and trailers of HTTP/1 are made of: bytes of certain classes, lines "name: value", and why a message is
 * refused.
 *
 * Parsers here are stateless: each is given all bytes that have come, and says whether they are whole, not yet, or never
 * will be. So what is said of a prefix does not depend on how that prefix arrived. Who has asked before need not ask
 * again until another LF has come, without which nothing gets whole.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Why a message is refused: X(name, status that a server answers, text). */
#define HTTP_FAULTS(X)                                                                   \
    X(EMPTY_LINES, 400, "more than two empty lines before the request")                  \
    X(METHOD, 400, "the method must be a token")                                         \
    X(METHOD_LONG, 501, "no method of more than 32 bytes is served")                     \
    X(TRACE, 405, "TRACE is not served")                                                 \
    X(CONNECT, 501, "CONNECT is not served")                                             \
    X(TARGET, 400, "the target must be a path, an http URL, or * for OPTIONS")           \
    X(TARGET_LONG, 414, "the target is too long")                                        \
    X(VERSION, 400, "the version must be HTTP/1.1 or HTTP/1.0")                          \
    X(VERSION_OTHER, 505, "the version must be HTTP/1.1 or HTTP/1.0")                    \
    X(STATUS, 400, "the status must be three digits from 100 to 599")                    \
    X(LINE_END, 400, "a line must end in CR LF and hold no other control byte but tabs") \
    X(FIELD_NAME, 400, "a field must begin with its name, a token, and a colon")         \
    X(FIELDS_MANY, 431, "too many fields")                                               \
    X(HEAD_LARGE, 431, "the head is too large")                                          \
    X(HOST_MISSING, 400, "HTTP/1.1 needs a Host")                                        \
    X(HOST_TWICE, 400, "there must be one Host")                                         \
    X(HOST, 400, "the host must be a name or an address, and maybe a port")              \
    X(LENGTH, 400, "Content-Length must be 1 to 18 digits")                              \
    X(LENGTH_TWICE, 400, "there must be one Content-Length")                             \
    X(LENGTH_AND_CODING, 400, "Content-Length and Transfer-Encoding exclude each other") \
    X(CODING, 501, "the only Transfer-Encoding is chunked")                              \
    X(CODING_TWICE, 400, "there must be one Transfer-Encoding")                          \
    X(CODING_OLD, 400, "HTTP/1.0 has no Transfer-Encoding")                              \
    X(EXPECT, 417, "the only expectation is 100-continue")                               \
    X(CHUNK_SIZE, 400, "the size of a chunk must be 1 to 15 hexadecimal digits")         \
    X(CHUNK_END, 400, "the data of a chunk must end in CR LF")                           \
    X(CHUNK_EXTRA, 400, "too many bytes of chunk extensions and trailers")

enum http_fault {
    HTTP_NO_FAULT,
#define X(name, status, text) HTTP_##name,
    HTTP_FAULTS(X)
#undef X
};

/* Of a fault, or of one negated. */
int http_fault_status(int fault);
const char *http_fault_text(int fault);

typedef struct http_limits {
    uint32_t head;   /* bytes of all, below 2^31 */
    uint32_t target; /* bytes */
    uint32_t fields;
} http_limits;

/* bytes[at .. at + length) */
typedef struct http_span {
    uint32_t at, length;
} http_span;

typedef struct http_field {
    http_span name, value; /* the value without the blanks around it */
} http_field;

/* Where a byte is looked for. The last bytes may be looked at together with those before them. */
typedef struct http_text {
    const char *begin, *end;
} http_text;

/* Fields alone, such as trailers: their size with the empty line, 0 or -enum http_fault. No byte behind limits->head is
 * looked at. */
int http_fields_parse(const char *bytes, size_t n, const http_limits *);

/* Where the fields of a good head of so many bytes begin: behind its first line, before which there may be empty ones. */
uint32_t http_fields_begin(const char *bytes, size_t n);

/* Walks fields that were read before, and so are known to be good; end: where their empty line is. False: there are no
 * more. */
bool http_field_next(const char *bytes, uint32_t end, uint32_t *at, http_field *);
/* The same, but only those of this name, in any case. */
bool http_field_find(const char *bytes, uint32_t end, uint32_t *at, const char *name, size_t length, http_field *);

/* The length of a value that says how a message is framed: 0 where a tab stands beside it, as that is a blank to some readers,
 * and a part of the value to others, who see another length or coding. The field ends in CR or LF. */
uint32_t http_bare_size(const char *bytes, const http_field *);

/* Whether these bytes may be a field's name; its value; a name or an address of a host, and maybe a port. */
bool http_is_token(const char *bytes, size_t n);
bool http_is_value(const char *bytes, size_t n);
/* The host is text[from, to); what stands behind it, if anything does, may not stand in one. */
bool http_is_host(http_text, const char *from, const char *to);
/* Whether a list "a, b" holds this token in any case. */
bool http_has_token(const char *list, size_t n, const char *token);

enum http_class {
    HTTP_IN_TOKEN = 1,
    HTTP_IN_PATH = 2,
    HTTP_IN_TARGET = 16, /* the same and '?' */
    HTTP_IN_HOST = 4,    /* in a name; escapes are another matter */
    HTTP_IN_HEX = 8,
};

extern const uint8_t http_classes[256];

/* Of 16 bytes at p, those that are of a kind: a bit for each. Of neither kind is a letter, a digit, "-", "." or, in a path, "/". */
enum http_kind { HTTP_NO_NAME, HTTP_NO_PATH, HTTP_CONTROL };
#ifdef __SSE2__
static inline __m128i http_between(__m128i v, char low, char high) {
    const __m128i above = _mm_sub_epi8(v, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(high - low))), above);
}
static inline unsigned http_bits(const char *p, enum http_kind kind) {
    const __m128i v = _mm_loadu_si128((const __m128i *)p);
    if (kind == HTTP_CONTROL) {
        const __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), http_between(v, 0, ' ' - 1));
        return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
    }
    __m128i plain =
        _mm_or_si128(http_between(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z'), http_between(v, '-', '9'));
    if (kind == HTTP_NO_NAME) {
        plain = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('/')), plain);
    }
    return (unsigned)_mm_movemask_epi8(plain) ^ 0xffff;
}
#endif

/* The first byte from p on that is of this kind, or the end; or p itself, where nothing can be said. */
static inline __attribute__((always_inline)) const char *http_find(http_text text, const char *p, enum http_kind kind) {
#ifdef __SSE2__
    for (; text.end - p >= 16; p += 16) {
        unsigned bits = http_bits(p, kind);
        if (bits) {
            return p + __builtin_ctz(bits);
        }
    }
    if (p < text.end && text.end - text.begin >= 16) {
        unsigned bits = http_bits(text.end - 16, kind) >> (16 - (text.end - p));
        return bits ? p + __builtin_ctz(bits) : text.end;
    }
#endif
    (void)text, (void)kind;
    return p;
}

/* The first byte from p on that is not in the class. */
static inline __attribute__((always_inline)) const char *http_skip(http_text text, const char *p,
                                                                   enum http_class class) {
    const enum http_kind kind = class & (HTTP_IN_PATH | HTTP_IN_TARGET) ? HTTP_NO_PATH : HTTP_NO_NAME;
    while ((p = http_find(text, p, kind)) < text.end && http_classes[(uint8_t)*p] & class) {
        p++;
    }
    return p;
}

static inline bool http_is_blank(char c) {
    return c == ' ' || c == '\t';
}

static inline bool http_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The first byte from p on that may not stand in a value: one below ' ' but HTAB, or DEL. */
static inline const char *http_value_end(http_text text, const char *p) {
    p = http_find(text, p, HTTP_CONTROL);
    while (p < text.end && (*p == '\t' || ((uint8_t)*p >= ' ' && *p != 0x7f))) {
        p++;
    }
    return p;
}

/* 1: a line ends at p; 0: it may, as soon as more has come; negative: -HTTP_LINE_END. */
static inline int http_line_end(const char *p, const char *end) {
    if (end - p < 2) {
        return p == end || *p == '\r' ? 0 : -HTTP_LINE_END;
    }
    return p[0] == '\r' && p[1] == '\n' ? 1 : -HTTP_LINE_END;
}

static inline http_span http_span_of(const char *bytes, const char *from, const char *to) {
    return (http_span){(uint32_t)(from - bytes), (uint32_t)(to - from)};
}

/* What stands between colon and end, without blanks. */
static inline http_span http_value_between(const char *bytes, const char *from, const char *to) {
    while (from < to && http_is_blank(*from)) {
        from++;
    }
    while (to > from && http_is_blank(to[-1])) {
        to--;
    }
    return http_span_of(bytes, from, to);
}

/* What a reader does with each field: positive, or -enum http_fault. */
typedef int http_field_visit(void *context, const char *bytes, const http_field *);

/* Reads fields from *at on and the empty line that ends them. Positive: *at is behind that line, and *count fields have
 * been visited; 0: there is more to come; negative: -enum http_fault. Inline for the sake of its visitor. */
static inline __attribute__((always_inline)) int
http_fields_read(http_text text, uint32_t *at, uint32_t max, uint32_t *count, http_field_visit *visit, void *context) {
    const char *bytes = text.begin, *p = bytes + *at, *end = text.end;
    uint32_t fields = 0;
    for (; p < end && *p != '\r'; fields++) {
        const char *colon = http_skip(text, p, HTTP_IN_TOKEN);
        if (colon == end) {
            return 0;
        }
        if (colon == p || *colon != ':') {
            return -HTTP_FIELD_NAME;
        }
        const char *value_end = http_value_end(text, colon + 1);
        int status = http_line_end(value_end, end);
        if (status <= 0) {
            return status;
        }
        if (fields == max) {
            return -HTTP_FIELDS_MANY;
        }
        const http_field field = {http_span_of(bytes, p, colon), http_value_between(bytes, colon + 1, value_end)};
        status = visit(context, bytes, &field);
        if (status <= 0) {
            return status;
        }
        p = value_end + 2;
    }
    *count = fields;
    *at = (uint32_t)(p + 2 - bytes);
    return http_line_end(p, end);
}
