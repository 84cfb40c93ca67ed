/* SPDX-License-Identifier: MIT
 *
 * Addresses as text: a table of good and bad ones, and the way there and back. */
#include "base/address.h"

#include "check.h"

#include <stdbool.h>
#include <string.h>
#include <uv.h>

/* The longest host name, and one byte more. */
#define TEN "abcdefghi."
#define FIFTY TEN TEN TEN TEN TEN
#define LONGEST FIFTY FIFTY FIFTY FIFTY FIFTY "abc"

static const struct good {
    const char *text, *host;
    int port;
    const char *formatted; /* NULL: a name */
} good[] = {
    {"127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"},
    {"0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0"},
    {"255.255.255.255:65535", "255.255.255.255", 65535, "255.255.255.255:65535"},
    {"10.1.2.3:00080", "10.1.2.3", 80, "10.1.2.3:80"},
    {"[::1]:8080", "::1", 8080, "[::1]:8080"},
    {"[::]:0", "::", 0, "[::]:0"},
    {"[0:0:0:0:0:0:0:1]:1", "0:0:0:0:0:0:0:1", 1, "[::1]:1"},
    {"[2001:DB8::A]:443", "2001:DB8::A", 443, "[2001:db8::a]:443"},
    {"[::ffff:127.0.0.1]:9", "::ffff:127.0.0.1", 9, "[::ffff:127.0.0.1]:9"},
    {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535,
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"[fe80::1%lo]:1", "fe80::1%lo", 1, "[fe80::1%lo]:1"},
    {"[fe80::1%1]:1", "fe80::1%1", 1, "[fe80::1%lo]:1"},
    {"[fe80::1%0]:1", "fe80::1%0", 1, "[fe80::1]:1"},
    {"localhost:80", "localhost", 80, NULL},
    {"a:1", "a", 1, NULL},
    {"example.org:8443", "example.org", 8443, NULL},
    {"1.2.3:80", "1.2.3", 80, NULL},
    {"256.0.0.1:80", "256.0.0.1", 80, NULL},
    {LONGEST ":65535", LONGEST, 65535, NULL},
};

static const char *const bad[] = {
    "",
    ":",
    "::",
    "8080",
    ":8080",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:x",
    "127.0.0.1:80x",
    "127.0.0.1: 80",
    "127.0.0.1:80 ",
    "127.0.0.1:-1",
    "127.0.0.1:+1",
    "127.0.0.1:0x50",
    "127.0.0.1:65536",
    "127.0.0.1:99999",
    "127.0.0.1:4294967376", /* 80 in 32 bits */
    "127.0.0.1:18446744073709551696",
    "127.0.0.1:000080",
    "::1",
    "::1:8080",
    "2001:db8::a:443",
    "[::1]",
    "[::1]8080",
    "[::1]:",
    "[::1:8080",
    "::1]:8080",
    "[]:80",
    "[:80",
    "]:80",
    "localhost]:80",
    LONGEST "d:80",
};

static int split(const char *text, size_t length, char *host) {
    memset(host, 'x', ADDRESS_HOST_MAX);
    return address_split(text, length, host);
}

static void good_ones(void) {
    char host[ADDRESS_HOST_MAX], text[ADDRESS_TEXT_MAX];
    for (const struct good *g = good; g < good + sizeof good / sizeof *good; g++) {
        address a;
        printf("%s\n", g->text);
        CHECK(split(g->text, strlen(g->text), host) == g->port);
        CHECK(strcmp(host, g->host) == 0);
        CHECK(address_parse(host, g->port, &a) == (g->formatted ? 0 : UV_EINVAL));
        if (!g->formatted) continue;
        CHECK(address_format(&a, text, sizeof text) == (int)strlen(g->formatted));
        CHECK(strcmp(text, g->formatted) == 0);
    }
}

static void bad_ones(void) {
    char host[ADDRESS_HOST_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        printf("%s\n", bad[i]);
        CHECK(split(bad[i], strlen(bad[i]), host) == UV_EINVAL);
    }
}

/* The text ends where its length says, and a zero byte within it is no end. */
static void length_counts(void) {
    char host[ADDRESS_HOST_MAX];
    CHECK(split("127.0.0.1:8080", 13, host) == 808);
    CHECK(split("127.0.0.1:80\0000", 13, host) == UV_EINVAL);
    CHECK(split("127.0\0.0.1:80", 13, host) == UV_EINVAL);
    CHECK(split("a\0:80", 5, host) == UV_EINVAL);
}

static void zones(void) {
    static const char *const absent[] = {"",   "nosuch", "lo0", "999999", "2147483648", "18446744073709551617",
                                         "-1", "+1",     "1x",  " 1"};
    CHECK(address_interface("lo") == 1 && address_interface("1") == 1 && address_interface("01") == 1);
    CHECK(address_interface("0") == 0);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        char host[ADDRESS_HOST_MAX];
        address a;
        CHECK(address_interface(absent[i]) == UV_ENODEV);
        snprintf(host, sizeof host, "fe80::1%%%s", absent[i]);
        CHECK(address_parse(host, 1, &a) == UV_ENODEV);
        snprintf(host, sizeof host, "fe80::x%%%s", absent[i]);
        CHECK(address_parse(host, 1, &a) == UV_EINVAL);
    }
}

static void short_buffer(void) {
    char host[ADDRESS_HOST_MAX], text[ADDRESS_TEXT_MAX];
    const char *whole = "127.0.0.1:8080";
    int size = (int)strlen(whole);
    address a;
    CHECK(address_parse("127.0.0.1", split(whole, (size_t)size, host), &a) == 0);
    for (int room = 1; room <= size + 1; room++) {
        memset(text, 'x', sizeof text);
        int length = address_format(&a, text, (size_t)room);
        CHECK(length == (room > size ? size : UV_ENOBUFS));
        CHECK(memchr(text, '\0', (size_t)room) != NULL && text[room] == 'x');
    }
}

static void random_literals(void) {
    char host[ADDRESS_HOST_MAX], text[ADDRESS_TEXT_MAX], again[ADDRESS_TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        int port = (int)check_below(65536);
        if (check_below(2) == 0) {
            snprintf(host, sizeof host, "%u.%u.%u.%u", (unsigned)check_below(256), (unsigned)check_below(256),
                     (unsigned)check_below(256), (unsigned)check_below(256));
        } else {
            unsigned w[8];
            for (int j = 0; j < 8; j++) w[j] = (unsigned)check_any_size(16) * (unsigned)check_below(2);
            snprintf(host, sizeof host, "%x:%x:%x:%x:%x:%x:%x:%x", w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
        }
        address a, b;
        CHECK(address_parse(host, port, &a) == 0);
        int length = address_format(&a, text, sizeof text);
        CHECK(length > 0 && split(text, (size_t)length, host) == port);
        CHECK(address_parse(host, port, &b) == 0 && a.length == b.length);
        CHECK(memcmp(&a.storage, &b.storage, a.length) == 0);
        CHECK(address_format(&b, again, sizeof again) == length && strcmp(text, again) == 0);
    }
}

/* A text is an address if its host is a literal, and has a port: the same address. */
static void whole_texts(void) {
    static const char some[] = "0123456789.......::[]%x ";
    char host[ADDRESS_HOST_MAX], text[64];
    int addresses = 0;
    for (int i = 0; i < 400000; i++) {
        int length =
            snprintf(text, sizeof text, "%u.%u.%u.%u:%u", (unsigned)check_below(258), (unsigned)check_below(12),
                     (unsigned)check_below(102), (unsigned)check_below(1002), (unsigned)check_any_size(17));
        for (uint64_t changes = check_below(3); changes; changes--) {
            text[check_below((uint64_t)length)] = some[check_below(sizeof some - 1)];
        }
        length = (int)check_below(8) ? length : (int)check_below((uint64_t)length + 1);
        address a = {0}, b = {0};
        int port = split(text, (size_t)length, host);
        int status = port < 0 ? port : address_parse(host, port, &a);
        CHECK(address_of_text(text, (size_t)length, &b) == status);
        if (status == 0) {
            CHECK(a.length == b.length && memcmp(&a.storage, &b.storage, a.length) == 0);
            addresses++;
        }
    }
    CHECK(addresses > 10000 && addresses < 390000);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        address a;
        CHECK(address_of_text(good[i].text, strlen(good[i].text), &a) == (good[i].formatted ? 0 : UV_EINVAL));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        address a;
        CHECK(address_of_text(bad[i], strlen(bad[i]), &a) == UV_EINVAL);
    }
}

/* Paths and names of Unix sockets, as long as they may be. */
static void paths(void) {
    static const char *const good[] = {"/tmp/x.sock", "relative", "@name", "@", "/"};
    char text[ADDRESS_TEXT_MAX], long_path[200];
    address a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t length = strlen(good[i]);
        CHECK(address_of_path(good[i], length, &a) == 0 && a.storage.ss_family == AF_UNIX);
        CHECK(address_format(&a, text, sizeof text) == (int)length && strcmp(text, good[i]) == 0);
    }
    CHECK(address_of_path("", 0, &a) == UV_EINVAL && address_of_path("a\0b", 3, &a) == UV_EINVAL);
    memset(long_path, 'p', sizeof long_path);
    CHECK(address_of_path(long_path, 107, &a) == 0 && address_format(&a, text, sizeof text) == 107);
    CHECK(address_format(&a, text, 107) == UV_ENOBUFS && text[0] == '\0');
    CHECK(address_of_path(long_path, 108, &a) == UV_ENAMETOOLONG);
    CHECK(address_of_path("x", 1, &a) == 0);
    a.length = sizeof(sa_family_t); /* as accept(2) says of a socket without a name */
    CHECK(address_format(&a, text, sizeof text) == 0 && text[0] == '\0');
}

/* Whatever comes: a port, or UV_EINVAL; never more than the host's room (for a sanitizer to see). */
static void random_bytes(void) {
    static const char some[] = ":::[[]]%.0123456789abcdef\0 ";
    char host[ADDRESS_HOST_MAX], text[400];
    bool met_port = false;
    for (int i = 0; i < 200000; i++) {
        size_t length = check_below(check_below(4) == 0 ? sizeof text : 12);
        for (size_t j = 0; j < length; j++) text[j] = some[check_below(sizeof some - 1)];
        int port = split(text, length, host);
        CHECK(port == UV_EINVAL || (port >= 0 && port <= 65535));
        if (port >= 0) CHECK(strlen(host) > 0 && strlen(host) < length);
        met_port |= port > 0;
    }
    CHECK(met_port);
}

int main(void) {
    check_begin();
    good_ones();
    bad_ones();
    length_counts();
    zones();
    short_buffer();
    paths();
    random_literals();
    whole_texts();
    random_bytes();
    return 0;
}
