/* SPDX-License-Identifier: MIT
 *
 * Addresses as text: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "localhost:80"; of Unix sockets, their paths.
 */
#pragma once
#include <stddef.h>
#include <sys/socket.h>

enum {
    ADDRESS_HOST_MAX = 254, /* a DNS name has at most 253 bytes */
    ADDRESS_TEXT_MAX = 112, /* holds every numeric address as text, and every path */
};

typedef struct address {
    socklen_t length;
    struct sockaddr_storage storage;
} address;

/* Splits "host:port": host without brackets into host[ADDRESS_HOST_MAX], the port's number returned; or -EINVAL. */
int address_split(const char *text, size_t length, char *host);
/* An interface by its name or number: its number; 0 for "0", which leaves it to the system; -ENODEV: there is none. */
int address_interface(const char *text);
/* An IPv4 or IPv6 literal: 0; -EINVAL: a name, which must be looked up; -ENODEV: an IPv6 literal whose zone there is not. */
int address_parse(const char *host, int port, address *);
/* "host:port" with such a literal: the same, and -EINVAL where there is no port. */
int address_of_text(const char *text, size_t length, address *);
/* The path of a Unix socket, or "@name" for one that has no file: 0; -ENAMETOOLONG, -EINVAL. */
int address_of_path(const char *path, size_t length, address *);
/* Text that address_split or address_of_path takes, empty for a Unix socket without a name, always terminated: its length,
 * or negative. */
int address_format(const address *, char *text, size_t size);
