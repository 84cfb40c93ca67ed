/* SPDX-License-Identifier: MIT
 *
 * Addresses as text: see address.h.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { IP4_TEXT_MAX = sizeof "255.255.255.255:65535" };

int address_split(const char *text, size_t length, char *host) {
    const char *colon = memrchr(text, ':', length);
    if (!colon || memchr(text, '\0', length)) {
        return -EINVAL;
    }
    const char *end = text + length;
    size_t digits = (size_t)(end - colon - 1);
    if (digits < 1 || digits > 5) {
        return -EINVAL;
    }
    int port = 0;
    for (const char *p = colon + 1; p < end; p++) {
        if (!isdigit((unsigned char)*p)) {
            return -EINVAL;
        }
        port = port * 10 + (*p - '0');
    }
    const char *first = text, *last = colon; /* host: [first, last) */
    if (first < last && *first == '[') {
        if (last[-1] != ']') {
            return -EINVAL;
        }
        first++;
        last--;
    } else if (memchr(first, ':', (size_t)(last - first))) {
        return -EINVAL; /* IPv6 goes in brackets */
    }
    size_t size = (size_t)(last - first);
    if (memchr(first, '[', size) || memchr(first, ']', size)) {
        return -EINVAL;
    }
    if (port > 65535 || size == 0 || size >= ADDRESS_HOST_MAX) {
        return -EINVAL;
    }
    memcpy(host, first, size);
    host[size] = '\0';
    return port;
}

int address_interface(const char *text) {
    unsigned index = if_nametoindex(text);
    if (index > 0) {
        return (int)index;
    }
    int error = errno;
    char *end, name[IF_NAMESIZE];
    unsigned long number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || number > INT_MAX) {
        return -error;
    }
    return number == 0 || if_indextoname((unsigned)number, name) ? (int)number : errno == ENXIO ? -ENODEV : -errno;
}

int address_parse(const char *host, int port, address *out) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->storage;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        out->length = sizeof *v4;
        return 0;
    }
    char digits[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%"); /* then its zone: an interface */
    if (length >= sizeof digits) {
        return -EINVAL;
    }
    memcpy(digits, host, length);
    digits[length] = '\0';
    if (inet_pton(AF_INET6, digits, &v6->sin6_addr) != 1) {
        return -EINVAL;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    out->length = sizeof *v6;
    int zone = host[length] ? address_interface(host + length + 1) : 0;
    v6->sin6_scope_id = zone > 0 ? (uint32_t)zone : 0;
    return zone < 0 ? zone : 0;
}

/* A number of at most 5 digits, if it begins here: where it ends. */
static inline const char *read_decimal(const char *p, const char *end, uint32_t *n) {
    const char *last = end - p < 5 ? end : p + 5;
    uint32_t digit;
    for (*n = 0; p < last && (digit = (uint32_t)*p - '0') <= 9; p++) {
        *n = *n * 10 + digit;
    }
    return p;
}

/* "1.2.3.4:80" as address_split and address_parse have it, by hand: each datagram that is sent brings one. False: it is none, or
 * it is for them to say what it is. */
static bool read_ip4(const char *text, size_t length, struct sockaddr_in *out) {
    const char *p = text, *end = text + length;
    uint32_t host = 0, n;
    for (int i = 0; i < 4; i++) {
        const char *first = p;
        p = read_decimal(p, end, &n);
        bool padded = *first == '0' && p - first > 1;
        if (p == first || p == end || n > 255 || padded || *p++ != (i < 3 ? '.' : ':')) {
            return false;
        }
        host = host << 8 | n;
    }
    const char *first = p;
    p = read_decimal(p, end, &n);
    if (p == first || p != end || n > 65535) {
        return false;
    }
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)n);
    out->sin_addr.s_addr = htonl(host);
    return true;
}

int address_of_text(const char *text, size_t length, address *out) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->storage;
    memset(v4, 0, sizeof *v4);
    out->length = sizeof *v4;
    if (read_ip4(text, length, v4)) {
        return 0;
    }
    char host[ADDRESS_HOST_MAX];
    int port = address_split(text, length, host);
    return port < 0 ? port : address_parse(host, port, out);
}

int address_of_path(const char *path, size_t length, address *out) {
    struct sockaddr_un *a = (struct sockaddr_un *)&out->storage;
    memset(out, 0, sizeof *out);
    if (length == 0 || memchr(path, '\0', length)) {
        return -EINVAL;
    }
    if (length >= sizeof a->sun_path) {
        return -ENAMETOOLONG;
    }
    a->sun_family = AF_UNIX;
    memcpy(a->sun_path, path, length);
    out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@') {
        a->sun_path[0] = '\0'; /* the name is as long as the address says */
    } else {
        out->length++;
    }
    return 0;
}

static int format_path(const address *a, char *text, size_t size) {
    const struct sockaddr_un *own = (const struct sockaddr_un *)&a->storage;
    size_t head = offsetof(struct sockaddr_un, sun_path), length = a->length > head ? a->length - head : 0;
    bool abstract = length > 0 && !own->sun_path[0];
    if (!abstract) {
        length = strnlen(own->sun_path, length);
    }
    if (length >= size) {
        text[0] = '\0';
        return -ENOBUFS;
    }
    memcpy(text, own->sun_path, length);
    text[length] = '\0';
    if (abstract) {
        text[0] = '@';
    }
    return (int)length;
}

/* Each octet's digits, and how many they are. */
#define TEN(tens, pad)                                                                                              \
    tens "0" pad, tens "1" pad, tens "2" pad, tens "3" pad, tens "4" pad, tens "5" pad, tens "6" pad, tens "7" pad, \
        tens "8" pad, tens "9" pad
static const char octets[][sizeof "255\3"] = {
    TEN("", "\0\0\1"), TEN("1", "\0\2"), TEN("2", "\0\2"), TEN("3", "\0\2"), TEN("4", "\0\2"), TEN("5", "\0\2"),
    TEN("6", "\0\2"),  TEN("7", "\0\2"), TEN("8", "\0\2"), TEN("9", "\0\2"), TEN("10", "\3"),  TEN("11", "\3"),
    TEN("12", "\3"),   TEN("13", "\3"),  TEN("14", "\3"),  TEN("15", "\3"),  TEN("16", "\3"),  TEN("17", "\3"),
    TEN("18", "\3"),   TEN("19", "\3"),  TEN("20", "\3"),  TEN("21", "\3"),  TEN("22", "\3"),  TEN("23", "\3"),
    TEN("24", "\3"),   TEN("25", "\3"),
};

/* What follows an octet overwrites what of its four bytes is not its digits. */
static int put_ip4(const struct sockaddr_in *in, char text[IP4_TEXT_MAX]) {
    const uint8_t *bytes = (const uint8_t *)&in->sin_addr;
    char *end = text;
    for (int i = 0; i < 4; i++) {
        const char *octet = octets[bytes[i]];
        memcpy(end, octet, 4);
        end += octet[3];
        *end++ = i < 3 ? '.' : ':';
    }
    unsigned port = ntohs(in->sin_port);
    end += 1 + (port >= 10) + (port >= 100) + (port >= 1000) + (port >= 10000);
    *end = '\0';
    char *p = end;
    do {
        *--p = (char)('0' + port % 10);
    } while (port /= 10);
    return (int)(end - text);
}

/* By hand, since every datagram needs it, and getnameinfo(3) takes about as long as a short system call. */
static int format_ip4(const struct sockaddr_in *in, char *text, size_t size) {
    if (size >= IP4_TEXT_MAX) {
        return put_ip4(in, text);
    }
    char whole[IP4_TEXT_MAX];
    size_t length = (size_t)put_ip4(in, whole), fits = length < size ? length : size - 1;
    memcpy(text, whole, fits);
    text[fits] = '\0';
    return fits == length ? (int)length : -ENOBUFS;
}

int address_format(const address *a, char *text, size_t size) {
    if (a->storage.ss_family == AF_UNIX) {
        return format_path(a, text, size);
    }
    if (a->storage.ss_family == AF_INET) {
        return format_ip4((const struct sockaddr_in *)&a->storage, text, size);
    }
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int status = getnameinfo((const struct sockaddr *)&a->storage, a->length, host, sizeof host, port, sizeof port,
                             NI_NUMERICHOST | NI_NUMERICSERV);
    if (status != 0) {
        return -EINVAL;
    }
    int length = snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return (size_t)length < size ? length : -ENOBUFS;
}
