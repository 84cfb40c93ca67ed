/* SPDX-License-Identifier: MIT
 *
 * Heads of HTTP/1: see http_head.h.
 */
#include "base/http_head.h"

#include <string.h>
#include <strings.h>

enum {
    METHOD_MAX = 32,     /* bytes */
    EMPTY_LINES_MAX = 2, /* before a request: there are clients that end a body with one */
    LENGTH_DIGITS = 18,  /* so many are less than 2^63 */
};

/* A parse under way. `seen` is what the fields have said, which is judged when they are complete. */
typedef struct parse {
    http_head *head;
    const char *bytes, *p, *end;
    struct {
        bool host, length, coding, close, persist, upgrade, upgrade_option;
    } seen;
} parse;

/* Whether n bytes are this word in any case. */
#define IS(bytes, n, word) ((n) == sizeof(word) - 1 && strncasecmp(bytes, word, sizeof(word) - 1) == 0)
#define BEGINS(bytes, n, word) ((n) >= sizeof(word) - 1 && strncasecmp(bytes, word, sizeof(word) - 1) == 0)

/* What the fields say about the message itself. */

static int see_host(parse *parse, const char *value, size_t n) {
    if (parse->seen.host) {
        return -HTTP_HOST_TWICE;
    }
    if (n > 0 && !http_is_host(value, n)) {
        return -HTTP_HOST;
    }
    parse->seen.host = true;
    if (!parse->head->host.at) {
        parse->head->host = http_span_of(parse->bytes, value, value + n);
    }
    return 1;
}

static int see_expectation(parse *parse, const char *value, size_t n) {
    if (!IS(value, n, "100-continue")) {
        return -HTTP_EXPECT;
    }
    parse->head->expects = parse->head->minor > 0;
    return 1;
}

static int see_connection(parse *parse, const char *value, size_t n) {
    parse->seen.close |= http_has_token(value, n, "close");
    parse->seen.persist |= http_has_token(value, n, "keep-alive");
    parse->seen.upgrade_option |= http_has_token(value, n, "upgrade");
    return 1;
}

static int see_length(parse *parse, const char *value, size_t n) {
    if (parse->seen.length) {
        return -HTTP_LENGTH_TWICE;
    }
    if (n == 0 || n > LENGTH_DIGITS) {
        return -HTTP_LENGTH;
    }
    int64_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (!http_is_digit(value[i])) {
            return -HTTP_LENGTH;
        }
        length = length * 10 + (value[i] - '0');
    }
    parse->head->length = length;
    parse->seen.length = true;
    return 1;
}

static int see_coding(parse *parse, const char *value, size_t n) {
    if (parse->seen.coding) {
        return -HTTP_CODING_TWICE;
    }
    if (!parse->head->minor) {
        return -HTTP_CODING_OLD;
    }
    parse->seen.coding = true;
    return IS(value, n, "chunked") ? 1 : -HTTP_CODING;
}

/* Whether a field's name of n bytes is this word: a bit tells letters' cases apart, and no other byte of a token is a letter or
 * "-" with that bit. */
static inline bool is_name(const char *name, const char *word, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        uint64_t a = 0, b = 0;
        memcpy(&a, name + i, n - i < 8 ? n - i : 8);
        memcpy(&b, word + i, n - i < 8 ? n - i : 8);
        if ((a | 0x2020202020202020) != (b | 0x2020202020202020)) {
            return false;
        }
    }
    return true;
}

static inline __attribute__((always_inline)) int see_field(void *context, const char *bytes, const http_field *field) {
    parse *parse = context;
    const char *name = bytes + field->name.at, *value = bytes + field->value.at;
    const size_t n = field->value.length;
    const bool request = parse->head->status == 0;
    switch (field->name.length) {
    case 4: return request && is_name(name, "host", 4) ? see_host(parse, value, n) : 1;
    case 6: return request && is_name(name, "expect", 6) ? see_expectation(parse, value, n) : 1;
    case 7: parse->seen.upgrade |= is_name(name, "upgrade", 7); return 1;
    case 10: return is_name(name, "connection", 10) ? see_connection(parse, value, n) : 1;
    case 14: return is_name(name, "content-length", 14) ? see_length(parse, value, http_bare_size(bytes, field)) : 1;
    case 17: return is_name(name, "transfer-encoding", 17) ? see_coding(parse, value, http_bare_size(bytes, field)) : 1;
    }
    return 1;
}

/* What they mean together: RFC 9112, 6.3 and 9.3. */
static int see_framing(parse *parse) {
    http_head *h = parse->head;
    if (parse->seen.coding && parse->seen.length) {
        return -HTTP_LENGTH_AND_CODING;
    }
    h->body = parse->seen.coding ? HTTP_BODY_CHUNKED : parse->seen.length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    h->keep_alive = !parse->seen.close && (h->minor > 0 || parse->seen.persist);
    h->upgrade = parse->seen.upgrade && parse->seen.upgrade_option && h->minor > 0;
    return 1;
}

/* The lines that heads begin with. Each of these functions moves p behind what it has read, if it returns 1. */

static int read_line_end(parse *parse) {
    int status = http_line_end(parse->p, parse->end);
    parse->p += status > 0 ? 2 : 0;
    return status;
}

static int read_empty_lines(parse *parse) {
    int status = 1;
    for (int lines = 0; status > 0 && parse->p < parse->end && *parse->p == '\r'; lines++) {
        status = read_line_end(parse);
        if (status > 0 && lines == EMPTY_LINES_MAX) {
            return -HTTP_EMPTY_LINES;
        }
    }
    return status;
}

static int read_method(parse *parse) {
    const char *method = parse->p, *end = parse->end;
    if (end - method > METHOD_MAX) {
        end = method + METHOD_MAX + 1;
    }
    const char *space = http_skip(method, end, HTTP_IN_TOKEN);
    size_t n = (size_t)(space - method);
    if (space == parse->end && n <= METHOD_MAX) {
        return 0;
    }
    if (n == 0 || n > METHOD_MAX || *space != ' ') {
        return -HTTP_METHOD;
    }
    if (n == 5 && memcmp(method, "TRACE", n) == 0) {
        return -HTTP_TRACE;
    }
    if (n == 7 && memcmp(method, "CONNECT", n) == 0) {
        return -HTTP_CONNECT;
    }
    parse->head->method = http_span_of(parse->bytes, method, space);
    parse->p = space + 1;
    return 1;
}

/* Up to the query it is in a class of its own, which finds where that begins. */
static int read_target(parse *parse, uint32_t max) {
    http_head *h = parse->head;
    const char *target = parse->p, *space = http_skip(target, parse->end, HTTP_IN_PATH), *query = NULL;
    if (space < parse->end && *space == '?') {
        query = space + 1;
        space = http_skip(query, parse->end, HTTP_IN_TARGET);
    }
    if ((size_t)(space - target) > max) {
        return -HTTP_TARGET_LONG;
    }
    if (space == parse->end) {
        return 0;
    }
    if (space == target || *space != ' ') {
        return -HTTP_TARGET;
    }
    h->target = http_span_of(parse->bytes, target, space);
    h->path = http_span_of(parse->bytes, target, query ? query - 1 : space);
    h->query = query ? http_span_of(parse->bytes, query, space) : (http_span){0, 0};
    parse->p = space + 1;
    return 1;
}

static int read_version(parse *parse) {
    static const char PATTERN[] = "HTTP/9.9"; /* 9: any digit */
    const char *version = parse->p;
    if (parse->end - version >= 8 && memcmp(version, "HTTP/1.1", 8) == 0) {
        parse->head->minor = 1;
        parse->p += 8;
        return 1;
    }
    for (size_t i = 0; i < sizeof PATTERN - 1; i++) {
        if (version + i == parse->end) {
            return 0;
        }
        if (PATTERN[i] == '9' ? !http_is_digit(version[i]) : version[i] != PATTERN[i]) {
            return -HTTP_VERSION;
        }
    }
    if (version[5] != '1' || version[7] > '1') {
        return version[5] == '0' ? -HTTP_VERSION : -HTTP_VERSION_OTHER;
    }
    parse->head->minor = (uint8_t)(version[7] - '0');
    parse->p += sizeof PATTERN - 1;
    return 1;
}

static bool is_asterisk(const parse *parse) {
    const http_head *h = parse->head;
    return h->target.length == 1 && parse->bytes[h->target.at] == '*' && h->method.length == 7 &&
           memcmp(parse->bytes + h->method.at, "OPTIONS", 7) == 0;
}

/* What a target that is no path is: RFC 9112, 3.2. */
static int see_target(parse *parse) {
    http_head *h = parse->head;
    const char *target = parse->bytes + h->target.at, *end = parse->bytes + h->path.at + h->path.length;
    size_t n = h->target.length, scheme = BEGINS(target, n, "http://") ? 7 : BEGINS(target, n, "https://") ? 8 : 0;
    if (!scheme) {
        return is_asterisk(parse) ? 1 : -HTTP_TARGET;
    }
    const char *host = target + scheme, *path = host;
    while (path < end && *path != '/') {
        path++;
    }
    if (path < host || !http_is_host(host, (size_t)(path - host))) {
        return -HTTP_HOST;
    }
    h->host = http_span_of(parse->bytes, host, path);
    h->path = http_span_of(parse->bytes, path, end);
    return 1;
}

static int read_request_line(parse *parse, const http_limits *limits) {
    int status = read_empty_lines(parse);
    status = status > 0 ? read_method(parse) : status;
    status = status > 0 ? read_target(parse, limits->target) : status;
    status = status > 0 ? read_version(parse) : status;
    status = status > 0 ? read_line_end(parse) : status;
    return status > 0 && parse->bytes[parse->head->target.at] != '/' ? see_target(parse) : status;
}

/* " 200": 100 to 599 */
static int read_status(parse *parse) {
    const char *s = parse->p;
    for (int i = 0; i < 4; i++) {
        if (s + i == parse->end) {
            return 0;
        }
        if (i == 0 ? s[i] != ' ' : !http_is_digit(s[i]) || (i == 1 && (s[i] < '1' || s[i] > '5'))) {
            return -HTTP_STATUS;
        }
    }
    parse->head->status = (uint16_t)((s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0'));
    parse->p += 4;
    return 1;
}

/* " OK", or nothing */
static int read_reason(parse *parse) {
    const char *p = parse->p, *end = parse->end;
    if (p == end) {
        return 0;
    }
    if (*p != ' ' && *p != '\r') {
        return -HTTP_STATUS;
    }
    const char *reason = *p == ' ' ? p + 1 : p;
    parse->p = *p == ' ' ? http_value_end(reason, end) : p;
    parse->head->reason = http_span_of(parse->bytes, reason, parse->p);
    return 1;
}

static int read_status_line(parse *parse) {
    int status = read_version(parse);
    status = status > 0 ? read_status(parse) : status;
    status = status > 0 ? read_reason(parse) : status;
    return status > 0 ? read_line_end(parse) : status;
}

/* The whole. */

static void begin(parse *parse, http_head *head, const char *bytes, size_t n, const http_limits *limits) {
    *head = (http_head){.length = -1};
    *parse =
        (struct parse){.head = head, .bytes = bytes, .p = bytes, .end = bytes + (n < limits->head ? n : limits->head)};
}

static int read_fields(parse *parse, const http_limits *limits) {
    http_head *h = parse->head;
    h->size = h->fields = (uint32_t)(parse->p - parse->bytes);
    return http_fields_read(parse->bytes, (size_t)(parse->end - parse->bytes), &h->size, limits->fields,
                            &h->field_count, see_field, parse);
}

static int finish(const parse *parse, int status, size_t n, const http_limits *limits) {
    if (status > 0) {
        return (int)parse->head->size;
    }
    return status == 0 && n >= limits->head ? -HTTP_HEAD_LARGE : status;
}

int http_request_parse(http_head *head, const char *bytes, size_t n, const http_limits *limits) {
    parse parse;
    begin(&parse, head, bytes, n, limits);
    int status = read_request_line(&parse, limits);
    status = status > 0 ? read_fields(&parse, limits) : status;
    if (status > 0 && head->minor > 0 && !parse.seen.host) {
        status = -HTTP_HOST_MISSING;
    }
    status = status > 0 ? see_framing(&parse) : status;
    return finish(&parse, status, n, limits);
}

int http_response_parse(http_head *head, const char *bytes, size_t n, const http_limits *limits, bool bodiless) {
    parse parse;
    begin(&parse, head, bytes, n, limits);
    int status = read_status_line(&parse);
    status = status > 0 ? read_fields(&parse, limits) : status;
    status = status > 0 ? see_framing(&parse) : status;
    if (status > 0) {
        if (bodiless || head->status < 200 || head->status == 204 || head->status == 304) {
            head->body = HTTP_BODY_NONE;
        } else if (head->body == HTTP_BODY_NONE) {
            head->body = HTTP_BODY_UNTIL_CLOSE;
            head->keep_alive = false;
        }
    }
    return finish(&parse, status, n, limits);
}

/* What must hold. */

#define HOLDS(condition)     \
    do {                     \
        if (!(condition)) {  \
            return __LINE__; \
        }                    \
    } while (0)

static bool inside(http_span inner, http_span outer) {
    return inner.at >= outer.at && inner.at + inner.length <= outer.at + outer.length;
}

static int check_fields(const http_head *h, const char *bytes) {
    uint32_t at = h->fields, end = h->size - 2, count = 0;
    for (http_field field, same; http_field_next(bytes, end, &at, &field); count++) {
        HOLDS(http_is_token(bytes + field.name.at, field.name.length));
        HOLDS(http_is_value(bytes + field.value.at, field.value.length));
        HOLDS(field.value.at + field.value.length + 2 <= at);
        uint32_t again = field.name.at;
        HOLDS(http_field_find(bytes, end, &again, bytes + field.name.at, field.name.length, &same));
        HOLDS(again == at && memcmp(&field, &same, sizeof field) == 0);
    }
    HOLDS(at == end && count == h->field_count);
    return 0;
}

static int check_request(const http_head *h, const char *bytes, const http_limits *limits) {
    HOLDS(h->body != HTTP_BODY_UNTIL_CLOSE);
    HOLDS(h->method.length <= METHOD_MAX && http_is_token(bytes + h->method.at, h->method.length));
    HOLDS(h->target.at == h->method.at + h->method.length + 1);
    HOLDS(h->target.length > 0 && h->target.length <= limits->target && h->target.at + h->target.length < h->fields);
    HOLDS(inside(h->path, h->target));
    HOLDS(!h->query.at || (inside(h->query, h->target) && bytes[h->query.at - 1] == '?'));
    HOLDS(h->host.at ? h->host.at + h->host.length < h->size : h->minor == 0);
    return 0;
}

static int check_response(const http_head *h) {
    HOLDS(h->status >= 100 && h->status <= 599);
    HOLDS(h->reason.at + h->reason.length < h->fields);
    HOLDS(h->body != HTTP_BODY_UNTIL_CLOSE || !h->keep_alive);
    return 0;
}

int http_head_check(const http_head *h, const char *bytes, size_t n, const http_limits *limits) {
    HOLDS(h->size <= n && h->size <= limits->head && h->fields + 2 <= h->size);
    HOLDS(memcmp(bytes + h->size - 4, "\r\n\r\n", 4) == 0 && bytes[h->fields - 1] == '\n');
    HOLDS(h->field_count <= limits->fields && h->minor <= 1 && h->length >= -1);
    HOLDS(h->body != HTTP_BODY_LENGTH || h->length >= 0);
    HOLDS(h->body != HTTP_BODY_CHUNKED || (h->length == -1 && h->minor == 1));
    int line = check_fields(h, bytes);
    return line ? line : h->status ? check_response(h) : check_request(h, bytes, limits);
}
