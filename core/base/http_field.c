/* SPDX-License-Identifier: MIT
 *
 * Fields of HTTP/1: see http_field.h.
 */
#include "base/http_field.h"

#include <string.h>
#include <strings.h>

enum {
    T = HTTP_IN_TOKEN,
    U = HTTP_IN_PATH | HTTP_IN_TARGET,
    TU = T | U,
    UH = U | HTTP_IN_HOST,
    TUH = TU | HTTP_IN_HOST
};

const uint8_t http_classes[256] = {
    ['!'] = TUH,         ['"'] = U,
    ['#'] = T,           ['$'] = TUH,
    ['%'] = TU,          ['&'] = TUH,
    ['\''] = TUH,        ['('] = UH,
    [')'] = UH,          ['*'] = TUH,
    ['+'] = TUH,         [','] = UH,
    ['-'] = TUH,         ['.'] = TUH,
    ['/'] = U,           ['0' ... '9'] = TUH | HTTP_IN_HEX,
    [':'] = U,           [';'] = UH,
    ['<'] = U,           ['='] = UH,
    ['>'] = U,           ['?'] = HTTP_IN_TARGET,
    ['@'] = U,           ['A' ... 'F'] = TUH | HTTP_IN_HEX,
    ['G' ... 'Z'] = TUH, ['['] = U,
    ['\\'] = U,          [']'] = U,
    ['^'] = TU,          ['_'] = TUH,
    ['`'] = TU,          ['a' ... 'f'] = TUH | HTTP_IN_HEX,
    ['g' ... 'z'] = TUH, ['{'] = U,
    ['|'] = TU,          ['}'] = U,
    ['~'] = TUH,
};

static const struct {
    int status;
    const char *text;
} FAULTS[] = {{0, ""},
#define X(name, status, text) {status, text},
              HTTP_FAULTS(X)
#undef X
};

int http_fault_status(int fault) {
    return FAULTS[fault < 0 ? -fault : fault].status;
}

const char *http_fault_text(int fault) {
    return FAULTS[fault < 0 ? -fault : fault].text;
}

static int visit_nothing(void *context, const char *bytes, const http_field *field) {
    (void)context, (void)bytes, (void)field;
    return 1;
}

int http_fields_parse(const char *bytes, size_t n, const http_limits *limits) {
    uint32_t at = 0, count;
    const http_text text = {bytes, bytes + (n < limits->head ? n : limits->head)};
    int status = http_fields_read(text, &at, limits->fields, &count, visit_nothing, NULL);
    if (status > 0) {
        return (int)at;
    }
    return status == 0 && n >= limits->head ? -HTTP_HEAD_LARGE : status;
}

uint32_t http_fields_begin(const char *bytes, size_t n) {
    const char *line = bytes;
    while (*line == '\r') {
        line += 2;
    }
    return (uint32_t)((const char *)memchr(line, '\n', n - (size_t)(line - bytes)) + 1 - bytes);
}

bool http_field_next(const char *bytes, uint32_t end, uint32_t *at, http_field *field) {
    if (*at >= end) {
        return false;
    }
    const char *line = bytes + *at, *colon = memchr(line, ':', end - *at);
    const char *line_feed = memchr(colon, '\n', (size_t)(bytes + end - colon));
    *at = (uint32_t)(line_feed + 1 - bytes);
    *field = (http_field){http_span_of(bytes, line, colon), http_value_between(bytes, colon + 1, line_feed - 1)};
    return true;
}

uint32_t http_bare_size(const char *bytes, const http_field *field) {
    const char *value = bytes + field->value.at, *p = bytes + field->name.at + field->name.length + 1;
    while (p < value && *p == ' ') {
        p++;
    }
    if (p == value) {
        p += field->value.length;
        while (*p == ' ') {
            p++;
        }
    }
    return *p == '\t' ? 0 : field->value.length;
}

bool http_field_find(const char *bytes, uint32_t end, uint32_t *at, const char *name, size_t length,
                     http_field *field) {
    while (*at < end) {
        const char *line = bytes + *at, *line_feed = memchr(line, '\n', end - *at), *colon = line + length;
        *at = (uint32_t)(line_feed + 1 - bytes);
        if ((size_t)(line_feed - line) > length && *colon == ':' && strncasecmp(line, name, length) == 0) {
            *field =
                (http_field){http_span_of(bytes, line, colon), http_value_between(bytes, colon + 1, line_feed - 1)};
            return true;
        }
    }
    return false;
}

/* Most names are shorter than what is looked at together. */
bool http_is_token(const char *bytes, size_t n) {
    if (n < 16) {
        uint8_t common = n > 0 ? HTTP_IN_TOKEN : 0;
        for (size_t i = 0; i < n; i++) {
            common &= http_classes[(uint8_t)bytes[i]];
        }
        return common;
    }
    return http_skip((http_text){bytes, bytes + n}, bytes, HTTP_IN_TOKEN) == bytes + n;
}

bool http_is_value(const char *bytes, size_t n) {
    return http_value_end((http_text){bytes, bytes + n}, bytes) == bytes + n;
}

static bool is_port(const char *p, const char *end) {
    unsigned port = 0;
    for (; p < end && http_is_digit(*p) && port <= 65535; p++) {
        port = port * 10 + (unsigned)(*p - '0');
    }
    return p == end && port <= 65535;
}

static bool is_hex(char c) {
    return http_classes[(uint8_t)c] & HTTP_IN_HEX;
}

/* RFC 3986, 3.2.2. */
bool http_is_host(http_text text, const char *from, const char *to) {
    const char *p = from;
    if (p < to && *p == '[') {
        for (p++; p < to && (is_hex(*p) || *p == ':' || *p == '.');) {
            p++;
        }
        if (p == to || *p != ']' || p == from + 1) {
            return false;
        }
        p++;
    } else {
        for (; (p = http_skip(text, p, HTTP_IN_HOST)) < to && *p == '%'; p += 3) {
            if (to - p < 3 || !is_hex(p[1]) || !is_hex(p[2])) {
                return false;
            }
        }
    }
    return p > from && (p == to || (*p == ':' && is_port(p + 1, to)));
}

bool http_has_token(const char *list, size_t n, const char *token) {
    size_t length = strlen(token);
    for (const char *p = list, *end = list + n; p < end; p++) {
        while (p < end && http_is_blank(*p)) {
            p++;
        }
        const char *from = p;
        while (p < end && *p != ',') {
            p++;
        }
        const char *to = p;
        while (to > from && http_is_blank(to[-1])) {
            to--;
        }
        if ((size_t)(to - from) == length && strncasecmp(from, token, length) == 0) {
            return true;
        }
    }
    return false;
}
