/* SPDX-License-Identifier: MIT
 *
 * Heads, at every split of their bytes: a table of what is taken and what is refused, and random ones beside an oracle that
 * reads a head line by line, with copies. */
#include "base/http_memo.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "check.h"

static const http_limits LIMITS = {.head = 600, .target = 80, .fields = 6};

static bool same_span(http_span a, http_span b) {
    return a.at == b.at && a.length == b.length;
}

static bool same(const http_head *a, const http_head *b) {
    return a->size == b->size && a->fields == b->fields && a->length == b->length && a->field_count == b->field_count &&
           a->status == b->status && a->minor == b->minor && a->body == b->body && a->keep_alive == b->keep_alive &&
           a->expects == b->expects && a->upgrade == b->upgrade && same_span(a->method, b->method) &&
           same_span(a->target, b->target) && same_span(a->path, b->path) && same_span(a->query, b->query) &&
           same_span(a->host, b->host);
}

/* Whatever was remembered, nothing else is said of a request. */
static void check_memo(const http_head *h, int status, const char *bytes, size_t n) {
    static http_memo memo;
    for (int again = 0; again < 2; again++) {
        http_head other;
        CHECK(http_request_parse(&other, bytes, n, &LIMITS, &memo) == status);
        CHECK(status <= 0 || same(h, &other));
    }
}

/* A parse of exactly n bytes, in memory of their own, so that a sanitizer sees who reads behind them. */
static int parse(http_head *h, const char *bytes, size_t n, bool response, bool bodiless) {
    char *own = malloc(n + 1);
    memcpy(own, bytes, n);
    int status =
        response ? http_response_parse(h, own, n, &LIMITS, bodiless) : http_request_parse(h, own, n, &LIMITS, NULL);
    if (!response) {
        check_memo(h, status, own, n);
    }
    if (status > 0) {
        CHECK_INVARIANTS(http_head_check(h, own, n, &LIMITS));
    }
    free(own);
    return status;
}

/* What is said of the whole; on the way there each prefix is "not yet", and after a verdict the same is said for ever. */
static int parse_split(http_head *h, const char *bytes, size_t n, bool response, bool bodiless) {
    int last = 0;
    for (size_t i = 0; i <= n; i++) {
        int status = parse(h, bytes, i, response, bodiless);
        CHECK(last == 0 || status == last);
        CHECK(status <= 0 || (size_t)status == i || status == last);
        last = status;
    }
    return last;
}

static void expect(const char *text, int wanted, bool response) {
    http_head h;
    int got = parse_split(&h, text, strlen(text), response, false);
    int status = got < 0 ? http_fault_status(got) : got > 0 ? 200 : 0;
    if (status != wanted) {
        fprintf(stderr, "%s\n-> %d %s\n", text, status, got < 0 ? http_fault_text(got) : "");
    }
    CHECK(status == wanted);
    CHECK(got <= 0 || got == (int)strlen(text));
}

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END "\r\n"
#define TEN "xxxxxxxxxx"

static void check_requests(void) {
    static const struct {
        int status; /* 200: taken; 0: not whole */
        const char *text;
    } ROWS[] = {
        {200, LINE HOST END},
        {200, LINE "hOsT:a:80\r\n" END},
        {200, LINE "Host: [::1]:8080\r\n" END},
        {200, LINE "Host:\r\n" END},
        {200, LINE "Host: a:\r\n" END},
        {200, LINE "Host: a%2fb\r\n" END},
        {200, LINE HOST "A:\r\nB: \t x \t \r\nC: caf\xe9 \"\x80\xff\"\tx\r\n" END},
        {200, "GET / HTTP/1.0\r\n" END},
        {200, "get / HTTP/1.1\r\n" HOST END},
        {200, "!#$%&'*+-.^_`|~09AZaz / HTTP/1.1\r\n" HOST END},
        {200, "GET /a|b\"<>\\^`{}[]%zz?x=?/:@ HTTP/1.1\r\n" HOST END},
        {200, "GET http://h:80/a?b HTTP/1.1\r\n" HOST END},
        {200, "GET HTTPS://h HTTP/1.1\r\n" HOST END},
        {200, "OPTIONS * HTTP/1.1\r\n" HOST END},
        {200, "\r\n\r\n" LINE HOST END},
        {200, LINE HOST "Content-Length: 000000000000000012\r\n" END},
        {200, LINE HOST "Transfer-Encoding: CHUNKED\r\n" END},
        {200, LINE HOST "Expect: 100-Continue\r\n" END},
        {200, LINE HOST "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n" END},
        {0, ""},
        {0, "\r\n\r"},
        {0, LINE HOST},
        {0, LINE HOST "\r"},
        {431, LINE HOST "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\n" END},
        {414, "GET /" TEN TEN TEN TEN TEN TEN TEN TEN " HTTP/1.1\r\n" HOST END},
        {400, "\r\n\r\n\r\n" LINE HOST END},
        {400, "\n" LINE HOST END},
        {400, "\rG"},
        {400, LINE "A: b\rc\r\n" HOST END},
        {400, LINE HOST "\rx"},
        {400, LINE HOST "A: b\n" END},
        {400, "GET / HTTP/1.1\n" HOST END},
        {400, LINE HOST "\n"},
        {400, LINE HOST "A: \x01\r\n" END},
        {400, LINE HOST "A: \x1f\r\n" END},
        {400, LINE HOST "A: xxxxxxxxxxxxxxxxxxxxxx\x7f\r\n" END},
        {400, LINE HOST "A\x80: b\r\n" END},
        {400, LINE HOST "X[]: b\r\n" END},
        {400, LINE HOST "no colon\r\n" END},
        {400, LINE HOST "nocolon\r\n" END},
        {400, LINE HOST "A: b\r\n c\r\n" END},
        {400, LINE HOST "A: b\r\n\tc\r\n" END},
        {400, LINE HOST ": b\r\n" END},
        {400, LINE HOST "A : b\r\n" END},
        {400, LINE " " HOST END},
        {400, LINE END},
        {400, LINE HOST HOST END},
        {400, "GET / HTTP/1.0\r\n" HOST HOST END},
        {400, "GET http://h/ HTTP/1.1\r\n" END},
        {400, LINE "Host: a/b\r\n" END},
        {400, LINE "Host: u@a\r\n" END},
        {400, LINE "Host: a b\r\n" END},
        {400, LINE "Host: a:b\r\n" END},
        {400, LINE "Host: a:65536\r\n" END},
        {400, LINE "Host: a:4294967296\r\n" END},
        {400, LINE "Host: :80\r\n" END},
        {400, LINE "Host: []\r\n" END},
        {400, LINE "Host: [::1\r\n" END},
        {400, LINE "Host: [::g]\r\n" END},
        {400, LINE "Host: [::1]x\r\n" END},
        {400, LINE "Host: a%2\r\n" END},
        {400, LINE "Host: a%zz\r\n" END},
        {400, LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" END},
        {400, LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n" END},
        {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END},
        {400, LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END},
        {501, LINE HOST "Transfer-Encoding: gzip, chunked\r\n" END},
        {501, LINE HOST "Transfer-Encoding: chunked, chunked\r\n" END},
        {501, LINE HOST "Transfer-Encoding: xchunked\r\n" END},
        {501, LINE HOST "Transfer-Encoding: chunked;q=1\r\n" END},
        {501, LINE HOST "Transfer-Encoding: identity\r\n" END},
        {501, LINE HOST "Transfer-Encoding:\r\n" END},
        {400, LINE HOST "Content-Length: 2\r\nContent-Length: 2\r\n" END},
        {400, LINE HOST "Content-Length: 2, 2\r\n" END},
        {400, LINE HOST "Content-Length: +2\r\n" END},
        {400, LINE HOST "Content-Length: -2\r\n" END},
        {400, LINE HOST "Content-Length: 0x2\r\n" END},
        {400, LINE HOST "Content-Length: 2 2\r\n" END},
        {400, LINE HOST "Content-Length:\r\n" END},
        {400, LINE HOST "Content-Length: 0000000000000000012\r\n" END},
        {505, "GET / HTTP/1.2\r\n" HOST END},
        {505, "GET / HTTP/2.0\r\n" HOST END},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {400, "GET / HTTP/0.9\r\n" HOST END},
        {400, "GET / http/1.1\r\n" HOST END},
        {400, "GET / HTTP/1.10\r\n" HOST END},
        {400, "GET / HTTP/1,1\r\n" HOST END},
        {400, "GET / HTTP/11\r\n" HOST END},
        {400, "GET / HTTP/1.1 \r\n" HOST END},
        {400, "GET /\r\n"},
        {400, "GET / \r\n"},
        {400, "GET\r\n"},
        {400, "GET  / HTTP/1.1\r\n" HOST END},
        {400, "GET /  HTTP/1.1\r\n" HOST END},
        {400, "GET\t/ HTTP/1.1\r\n" HOST END},
        {400, " GET / HTTP/1.1\r\n" HOST END},
        {400, "G(T / HTTP/1.1\r\n" HOST END},
        {200, TEN TEN TEN "xx / HTTP/1.1\r\n" HOST END},
        {501, TEN TEN TEN "xxx / HTTP/1.1\r\n" HOST END},
        {400, TEN TEN TEN "xx(x / HTTP/1.1\r\n" HOST END},
        {400, "\x16\x03\x01\x02"},
        {405, "TRACE / HTTP/1.1\r\n" HOST END},
        {501, "CONNECT a:443 HTTP/1.1\r\n" HOST END},
        {400, "GET x HTTP/1.1\r\n" HOST END},
        {400, "GET * HTTP/1.1\r\n" HOST END},
        {400, "OPTIONS ** HTTP/1.1\r\n" HOST END},
        {400, "GET ?/ HTTP/1.1\r\n" HOST END},
        {400, "GET /#a HTTP/1.1\r\n" HOST END},
        {400, "GET /a b HTTP/1.1\r\n" HOST END},
        {400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST END},
        {400, "GET /\x7f HTTP/1.1\r\n" HOST END},
        {400, "GET ftp://h/ HTTP/1.1\r\n" HOST END},
        {400, "GET http:/h HTTP/1.1\r\n" HOST END},
        {400, "GET http:// HTTP/1.1\r\n" HOST END},
        {400, "GET http:///a HTTP/1.1\r\n" HOST END},
        {400, "GET http://u@h/ HTTP/1.1\r\n" HOST END},
        {400, "GET http://?/ HTTP/1.1\r\n" HOST END},
        {417, LINE HOST "Expect: 100-continue, x\r\n" END},
        {417, LINE HOST "Expect:\r\n" END},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        expect(ROWS[i].text, ROWS[i].status, false);
    }
    http_head h; /* NUL does not fit into the table */
    CHECK(parse_split(&h, LINE "A: b\0c\r\n\r\n", 27, false, false) == -HTTP_LINE_END);
}

static void check_responses(void) {
    static const struct {
        int status;
        const char *text;
    } ROWS[] = {
        {200, "HTTP/1.1 200 OK\r\n" END},
        {200, "HTTP/1.0 599 \r\n" END},
        {200, "HTTP/1.1 100\r\n" END},
        {200, "HTTP/1.1 200 a \xe9\tb\r\nHost: a/b\r\nHost: c\r\nExpect: x\r\n" END},
        {0, "HTTP/1.1 200"},
        {400, "\r\nHTTP/1.1 200 OK\r\n" END},
        {400, "HTTP/2 200 OK\r\n" END},
        {505, "HTTP/1.2 200 OK\r\n" END},
        {400, "ICY 200 OK\r\n" END},
        {400, "HTTP/1.1 099 OK\r\n" END},
        {400, "HTTP/1.1 600 OK\r\n" END},
        {400, "HTTP/1.1 20 OK\r\n" END},
        {400, "HTTP/1.1 2000 OK\r\n" END},
        {400, "HTTP/1.1  200 OK\r\n" END},
        {400, "HTTP/1.1 200 O\x01K\r\n" END},
        {400, "HTTP/1.1 200 OK\n\n"},
        {400, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n" END},
        {400, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" END},
        {400, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" END},
        {501, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n" END},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        expect(ROWS[i].text, ROWS[i].status, true);
    }
}

static bool is(http_span s, const char *bytes, const char *text) {
    return s.length == strlen(text) && memcmp(bytes + s.at, text, s.length) == 0;
}

/* What a head that was taken says. */
static void check_meaning(void) {
    http_head h;
    const char *text = "\r\nPUT http://h:8/a?b=c?d HTTP/1.1\r\nHost: x\r\nCONNECTION: a , Upgrade\r\n"
                       "upgrade: b\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\nrest";
    CHECK(parse(&h, text, strlen(text), false, false) == (int)strlen(text) - 4);
    CHECK(is(h.method, text, "PUT") && is(h.target, text, "http://h:8/a?b=c?d") && is(h.host, text, "h:8"));
    CHECK(is(h.path, text, "/a") && is(h.query, text, "b=c?d"));
    CHECK(h.keep_alive && h.upgrade && h.expects && h.body == HTTP_BODY_LENGTH && h.length == 12);
    CHECK(h.field_count == 5 && h.minor == 1 && h.status == 0);
    uint32_t at = h.fields;
    http_field field;
    CHECK(http_field_find(text, h.size - 2, &at, "connection", 10, &field) && is(field.value, text, "a , Upgrade"));
    CHECK(!http_field_find(text, h.size - 2, &at, "connection", 10, &field));

    text = "GET http://h?a HTTP/1.1\r\nHost: x\r\n\r\n";
    CHECK(parse(&h, text, strlen(text), false, false) > 0 && h.path.length == 0 && is(h.query, text, "a"));
    text = "GET /? HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: b\r\n\r\n";
    CHECK(parse(&h, text, strlen(text), false, false) > 0 && is(h.host, text, "x"));
    CHECK(h.query.at && h.query.length == 0 && !h.keep_alive && !h.upgrade && h.body == HTTP_BODY_NONE);
    text = "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\nExpect: 100-continue\r\n\r\n";
    CHECK(parse(&h, text, strlen(text), false, false) > 0 && h.keep_alive && !h.expects && !h.query.at && !h.host.at);
    text = "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n";
    CHECK(parse(&h, text, strlen(text), false, false) > 0 && !h.keep_alive);
    text = "GET / HTTP/1.0\r\n\r\n";
    CHECK(parse(&h, text, strlen(text), false, false) > 0 && !h.keep_alive);
}

static void check_response_framing(void) {
    static const struct {
        const char *text;
        bool bodiless;
        enum http_body body;
        int length;
        bool keep_alive;
    } ROWS[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_LENGTH, 5, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, HTTP_BODY_NONE, 5, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, HTTP_BODY_CHUNKED, -1, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, HTTP_BODY_NONE, -1, true},
        {"HTTP/1.1 200 OK\r\n\r\n", false, HTTP_BODY_UNTIL_CLOSE, -1, false},
        {"HTTP/1.1 200 OK\r\n\r\n", true, HTTP_BODY_NONE, -1, true},
        {"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_NONE, 5, true},
        {"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_NONE, 5, true},
        {"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, HTTP_BODY_NONE, -1, true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_LENGTH, 5, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, HTTP_BODY_LENGTH, 5, true},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        http_head h;
        CHECK(parse_split(&h, ROWS[i].text, strlen(ROWS[i].text), true, ROWS[i].bodiless) > 0);
        CHECK(h.body == ROWS[i].body && h.length == ROWS[i].length && h.keep_alive == ROWS[i].keep_alive);
    }
}

/* The oracle: whether a whole request is good, one line after the other. */

static bool all_of(const char *s, const char *set) {
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr(set, *s)) return false;
    }
    return true;
}

static char *trimmed(char *s) {
    while (*s == ' ' || *s == '\t') s++;
    for (size_t n = strlen(s); n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'); n--) s[n - 1] = 0;
    return s;
}

struct oracle {
    int hosts, lengths, codings, fields;
    bool bad;
};

static void oracle_field(struct oracle *o, char *line, bool old) {
    char *colon = strchr(line, ':');
    if (!colon || colon == line) {
        o->bad = true;
        return;
    }
    *colon = 0;
    bool tabs = strchr(colon + 1, '\t');
    char *value = trimmed(colon + 1);
    o->fields++;
    o->bad |= !all_of(line, "!#$%&'*+-.^_`|~");
    for (const char *p = value; *p; p++) o->bad |= (*p > 0 && *p < 32 && *p != '\t') || *p == 127;
    if (!strcasecmp(line, "host")) {
        o->hosts++;
        char *port = strchr(value, ':');
        if (port) *port++ = 0;
        o->bad |= !all_of(value, "-._~!$&'()*+,;=") || (port && !*value);
        o->bad |= port && (strspn(port, "0123456789") != strlen(port) || atoll(port) > 65535);
    } else if (!strcasecmp(line, "content-length")) {
        o->lengths++;
        o->bad |= tabs || !*value || strlen(value) > 18 || strspn(value, "0123456789") != strlen(value);
    } else if (!strcasecmp(line, "transfer-encoding")) {
        o->codings++;
        o->bad |= tabs || old || strcasecmp(value, "chunked") != 0;
    } else if (!strcasecmp(line, "expect")) {
        o->bad |= strcasecmp(value, "100-continue") != 0;
    }
}

/* Takes text apart, which ends behind an empty line. */
static bool oracle(char *text, size_t n) {
    struct oracle o = {0};
    bool old = false;
    if (memchr(text, 0, n)) return false;
    while (!strncmp(text, "\r\n", 2)) text += 2;
    for (int i = 0;; i++) {
        char *end = strchr(text, '\n');
        if (!end || end == text || end[-1] != '\r') return false;
        end[-1] = 0;
        if (strchr(text, '\r')) return false;
        if (i > 0 && !*text) break;
        if (i == 0) {
            char *target = strchr(text, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
            if (!version) return false;
            *target++ = *version++ = 0;
            old = !strcmp(version, "HTTP/1.0");
            o.bad = !*text || !all_of(text, "!#$%&'*+-.^_`|~") || strlen(target) > LIMITS.target || strlen(text) > 32 ||
                    (!old && strcmp(version, "HTTP/1.1") != 0) || (*target != '/' && strcmp(target, "*") != 0) ||
                    (*target == '*' && strcmp(text, "OPTIONS") != 0) ||
                    !all_of(target, "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
        } else {
            oracle_field(&o, text, old);
        }
        text = end + 1;
    }
    return !o.bad && o.fields <= (int)LIMITS.fields && o.hosts <= 1 && (o.hosts == 1 || old) &&
           o.lengths + o.codings <= 1;
}

#define PICK(array) array[check_below(sizeof(array) / sizeof *(array))]

static size_t make_request(char *text) {
    static const char *const METHODS[] = {"GET", "POST", "OPTIONS", "x"},
                             *const TARGETS[] = {"/", "/a?b", "*", "/%7e/.."},
                             *const VERSIONS[] = {"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/3.0"},
                             *const FIELDS[] = {"Content-Length: 12",
                                                "Transfer-Encoding: chunked",
                                                "Expect: 100-continue",
                                                "A: b",
                                                "Host: b",
                                                "Empty:",
                                                "Content-Length: 1a",
                                                "Long: 0123456789abcdefghijk",
                                                "transfer-Encoding: gzip",
                                                "B:\t c , d \t"};
    int n = sprintf(text, "%s%s %s %s\r\n", check_below(8) ? "" : "\r\n", PICK(METHODS), PICK(TARGETS), PICK(VERSIONS));
    if (check_below(8)) n += sprintf(text + n, "Host: a:80\r\n");
    for (uint64_t fields = check_below(4); fields > 0; fields--) n += sprintf(text + n, "%s\r\n", PICK(FIELDS));
    n += sprintf(text + n, "\r\n");
    if (check_below(2)) { /* one byte is another, or missing, or doubled */
        static const char BYTES[] = "\r\n :\t\0a/@\x80\x7f\x01";
        size_t at = check_below((uint64_t)n), rest = (size_t)n - at;
        switch (check_below(3)) {
        case 0: text[at] = BYTES[check_below(sizeof BYTES)]; break;
        case 1:
            memmove(text + at, text + at + 1, rest);
            n--;
            break;
        default: memmove(text + at + 1, text + at, rest); n++;
        }
    }
    return (size_t)n;
}

static void check_random_requests(void) {
    int taken = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        char text[700];
        size_t n = make_request(text);
        http_head h;
        int status = parse_split(&h, text, n, false, false);
        if (status > 0) {
            CHECK(memmem(text + h.fields - 2, (size_t)status - h.fields + 2, "\r\n\r\n", 4) == text + status - 4);
        }
        /* Where a head that ends in an empty line is not taken, the oracle refuses it as well. */
        char *begin = text, *end;
        while (begin - text < 4 && !strncmp(begin, "\r\n", 2)) begin += 2;
        end = memmem(begin, n - (size_t)(begin - text), "\r\n\r\n", 4);
        if (!end) continue;
        size_t size = (size_t)(end + 4 - text);
        char copy[700] = {0};
        memcpy(copy, text, size);
        bool good = oracle(copy, size);
        if (good != (status == (int)size))
            fprintf(stderr, "%.*s\n-> %d, %s\n", (int)n, text, status, http_fault_text(status));
        CHECK(good == (status == (int)size));
        taken += good;
        refused += !good;
    }
    CHECK(taken > 4000 && refused > 4000);
}

/* No prefix of what is too large waits for more than its limit. */
static void check_limits(void) {
    char text[2000];
    int n = sprintf(text, "%sA: ", LINE HOST);
    memset(text + n, 'x', sizeof text - (size_t)n);
    http_head h;
    CHECK(parse(&h, text, LIMITS.head - 1, false, false) == 0);
    CHECK(parse(&h, text, LIMITS.head, false, false) == -HTTP_HEAD_LARGE);
    CHECK(parse(&h, text, sizeof text, false, false) == -HTTP_HEAD_LARGE);
    memcpy(text + LIMITS.head - 4, "\r\n\r\n", 4);
    CHECK(parse(&h, text, sizeof text, false, false) == (int)LIMITS.head);
    memcpy(text + LIMITS.head - 4, "x\r\n\r\n", 5);
    CHECK(parse(&h, text, sizeof text, false, false) == -HTTP_HEAD_LARGE);
    CHECK(http_fields_parse("A: b\r\n\r\nrest", 12, &LIMITS) == 8);
    CHECK(http_fields_parse("\r\n", 2, &LIMITS) == 2);
    CHECK(http_fields_parse("A: b\r\n\r", 7, &LIMITS) == 0);
    CHECK(http_fields_parse("A: b\n", 5, &LIMITS) == -HTTP_LINE_END);
    CHECK(http_fields_parse(text + n, LIMITS.head, &LIMITS) < 0);
}

/* What is remembered is taken only where it means the same. */
static void check_remembered(void) {
    static const char NEW[] = "GET /a HTTP/1.1\r\n", OLD[] = "GET /b HTTP/1.0\r\n",
                      URL[] = "GET http://x/ HTTP/1.1\r\n",
                      FIELDS[] = "Connection: keep-alive\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    static const char *const LINES[] = {NEW, NEW, OLD, OLD, URL, NEW, URL};
    static http_memo memo;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        char text[200];
        int n = sprintf(text, "%s%s", LINES[i], FIELDS);
        http_head h;
        CHECK(http_request_parse(&h, text, (size_t)n, &LIMITS, &memo) == n);
        CHECK_INVARIANTS(http_head_check(&h, text, (size_t)n, &LIMITS));
        CHECK(memo.size == strlen(FIELDS) && h.expects == (LINES[i] != OLD) && h.keep_alive);
        CHECK(is(h.host, text, LINES[i] == URL ? "x" : "a") && (LINES[i] != URL || h.host.at < h.fields));
    }
    const http_limits few = {.head = 600, .target = 80, .fields = 2}, tight = {.head = 50, .target = 80, .fields = 3};
    char text[200];
    int n = sprintf(text, "%s%s", NEW, FIELDS);
    http_head h;
    CHECK(http_request_parse(&h, text, (size_t)n, &few, &memo) == -HTTP_FIELDS_MANY);
    CHECK(http_request_parse(&h, text, (size_t)n, &tight, &memo) == -HTTP_HEAD_LARGE);
    CHECK(http_request_parse(&h, text, (size_t)n - 1, &LIMITS, &memo) == 0);
}

int main(void) {
    check_begin();
    check_remembered();
    check_requests();
    check_responses();
    check_meaning();
    check_response_framing();
    check_random_requests();
    check_limits();
    return 0;
}
