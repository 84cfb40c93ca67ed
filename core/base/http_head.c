/* SPDX-License-Identifier: MIT
 *
 * Heads of HTTP/1: see http_head.h.
 */
#include "base/http_memo.h"

#include <string.h>
#include <strings.h>

enum {
    EMPTY_LINES_MAX = 2, /* before a request: there are clients that end a body with one */
    LENGTH_DIGITS = 18,  /* so many are less than 2^63 */
};

/* A parse under way. `seen` is what the fields have said, which is judged when they are complete. */
typedef struct parse {
    http_head *head;
    const char *bytes;
    http_text text; /* as much of the bytes as there may be in a head */
    int status;     /* why it has stopped: 0, there is more to come; or -enum http_fault */
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
    if (n > 0 && !http_is_host(parse->text, value, value + n)) {
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
    const char *end = value + n;
    for (const char *p = value, *comma; p < end; p = comma + 1) {
        comma = memchr(p, ',', (size_t)(end - p));
        comma = comma ? comma : end;
        const http_span option = http_value_between(parse->bytes, p, comma);
        const char *bytes = parse->bytes + option.at;
        parse->seen.close |= IS(bytes, option.length, "close");
        parse->seen.persist |= IS(bytes, option.length, "keep-alive");
        parse->seen.upgrade_option |= IS(bytes, option.length, "upgrade");
    }
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

/* The lines that heads begin with. Each of these functions returns what stands behind what it has read from p on, or NULL. */

static const char *stop(parse *parse, int status) {
    parse->status = status;
    return NULL;
}

static const char *read_line_end(parse *parse, const char *p) {
    int status = http_line_end(p, parse->text.end);
    return status > 0 ? p + 2 : stop(parse, status);
}

static const char *read_empty_lines(parse *parse, const char *p) {
    for (int lines = 0; p && p < parse->text.end && *p == '\r'; lines++) {
        p = read_line_end(parse, p);
        if (p && lines == EMPTY_LINES_MAX) {
            return stop(parse, -HTTP_EMPTY_LINES);
        }
    }
    return p;
}

static const char *read_method(parse *parse, const char *p) {
    const char *space = http_skip(parse->text, p, HTTP_IN_TOKEN);
    size_t n = (size_t)(space - p);
    if (n > HTTP_METHOD_MAX) {
        return stop(parse, -HTTP_METHOD_LONG);
    }
    if (space == parse->text.end) {
        return stop(parse, 0);
    }
    if (n == 0 || *space != ' ') {
        return stop(parse, -HTTP_METHOD);
    }
    if (n == 5 && memcmp(p, "TRACE", n) == 0) {
        return stop(parse, -HTTP_TRACE);
    }
    if (n == 7 && memcmp(p, "CONNECT", n) == 0) {
        return stop(parse, -HTTP_CONNECT);
    }
    parse->head->method = http_span_of(parse->bytes, p, space);
    return space + 1;
}

/* Up to the query it is in a class of its own, which finds where that begins. */
static const char *read_target(parse *parse, const char *p, uint32_t max) {
    http_head *h = parse->head;
    const char *space = http_skip(parse->text, p, HTTP_IN_PATH), *path_end = space;
    if (space < parse->text.end && *space == '?') {
        space = http_skip(parse->text, space + 1, HTTP_IN_TARGET);
        h->query = http_span_of(parse->bytes, path_end + 1, space);
    }
    if ((size_t)(space - p) > max) {
        return stop(parse, -HTTP_TARGET_LONG);
    }
    if (space == parse->text.end) {
        return stop(parse, 0);
    }
    if (space == p || *space != ' ') {
        return stop(parse, -HTTP_TARGET);
    }
    h->target = http_span_of(parse->bytes, p, space);
    h->path = http_span_of(parse->bytes, p, path_end);
    return space + 1;
}

static inline const char *read_version(parse *parse, const char *p) {
    static const char PATTERN[] = "HTTP/9.9"; /* 9: any digit */
    if (parse->text.end - p >= 8 && memcmp(p, "HTTP/1.1", 8) == 0) {
        parse->head->minor = 1;
        return p + 8;
    }
    for (size_t i = 0; i < sizeof PATTERN - 1; i++) {
        if (p + i == parse->text.end) {
            return stop(parse, 0);
        }
        if (PATTERN[i] == '9' ? !http_is_digit(p[i]) : p[i] != PATTERN[i]) {
            return stop(parse, -HTTP_VERSION);
        }
    }
    if (p[5] != '1' || p[7] > '1') {
        return stop(parse, p[5] == '0' ? -HTTP_VERSION : -HTTP_VERSION_OTHER);
    }
    parse->head->minor = (uint8_t)(p[7] - '0');
    return p + sizeof PATTERN - 1;
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
    if (path < host || !http_is_host(parse->text, host, path)) {
        return -HTTP_HOST;
    }
    h->host = http_span_of(parse->bytes, host, path);
    h->path = http_span_of(parse->bytes, path, end);
    return 1;
}

static const char *read_request_line(parse *parse, const char *p, const http_limits *limits) {
    p = read_empty_lines(parse, p);
    p = p ? read_method(parse, p) : NULL;
    p = p ? read_target(parse, p, limits->target) : NULL;
    p = p ? read_version(parse, p) : NULL;
    p = p ? read_line_end(parse, p) : NULL;
    int status = p && parse->bytes[parse->head->target.at] != '/' ? see_target(parse) : 1;
    return status > 0 ? p : stop(parse, status);
}

/* " 200": 100 to 599 */
static const char *read_status(parse *parse, const char *p) {
    for (int i = 0; i < 4; i++) {
        if (p + i == parse->text.end) {
            return stop(parse, 0);
        }
        if (i == 0 ? p[i] != ' ' : !http_is_digit(p[i]) || (i == 1 && (p[i] < '1' || p[i] > '5'))) {
            return stop(parse, -HTTP_STATUS);
        }
    }
    parse->head->status = (uint16_t)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
    return p + 4;
}

/* " OK", or nothing */
static const char *read_reason(parse *parse, const char *p) {
    if (p == parse->text.end) {
        return stop(parse, 0);
    }
    if (*p != ' ' && *p != '\r') {
        return stop(parse, -HTTP_STATUS);
    }
    const char *reason = *p == ' ' ? p + 1 : p, *end = *p == ' ' ? http_value_end(parse->text, reason) : p;
    parse->head->reason = http_span_of(parse->bytes, reason, end);
    return end;
}

static const char *read_status_line(parse *parse, const char *p) {
    p = read_version(parse, p);
    p = p ? read_status(parse, p) : NULL;
    p = p ? read_reason(parse, p) : NULL;
    return p ? read_line_end(parse, p) : NULL;
}

/* The whole. */

static parse begin(http_head *head, const char *bytes, size_t n, const http_limits *limits) {
    *head = (http_head){.length = -1};
    return (parse){.head = head, .bytes = bytes, .text = {bytes, bytes + (n < limits->head ? n : limits->head)}};
}

/* What follows the first line, which ends before p; or it was not read. */
static int read_fields(parse *parse, const char *p, const http_limits *limits) {
    if (!p) {
        return parse->status;
    }
    http_head *h = parse->head;
    h->size = h->fields = (uint32_t)(p - parse->bytes);
    int status = http_fields_read(parse->text, &h->size, limits->fields, &h->field_count, see_field, parse);
    return status > 0 ? see_framing(parse) : status;
}

static int finish(const http_head *head, int status, size_t n, const http_limits *limits) {
    if (status > 0) {
        return (int)head->size;
    }
    return status == 0 && n >= limits->head ? -HTTP_HEAD_LARGE : status;
}

int http_request_parse(http_head *head, const char *bytes, size_t n, const http_limits *limits, http_memo *memo) {
    parse parse = begin(head, bytes, n, limits);
    const char *p = read_request_line(&parse, bytes, limits);
    if (memo && p && http_memo_recall(memo, head, bytes, (uint32_t)(p - bytes), parse.text.end, limits)) {
        return (int)head->size;
    }
    int status = read_fields(&parse, p, limits);
    if (status > 0 && head->minor > 0 && !parse.seen.host) {
        status = -HTTP_HOST_MISSING;
    }
    if (status > 0 && memo) {
        http_memo_store(memo, head, bytes);
    }
    return finish(head, status, n, limits);
}

int http_response_parse(http_head *head, const char *bytes, size_t n, const http_limits *limits, bool bodiless) {
    parse parse = begin(head, bytes, n, limits);
    int status = read_fields(&parse, read_status_line(&parse, bytes), limits);
    if (status > 0) {
        if (bodiless || head->status < 200 || head->status == 204 || head->status == 304) {
            head->body = HTTP_BODY_NONE;
        } else if (head->body == HTTP_BODY_NONE) {
            head->body = HTTP_BODY_UNTIL_CLOSE;
            head->keep_alive = false;
        }
    }
    return finish(head, status, n, limits);
}
