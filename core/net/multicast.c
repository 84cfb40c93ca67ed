/* SPDX-License-Identifier: MIT
 *
 * Multicast: see multicast.h.
 */
#include "net/multicast.h"

#include <netinet/in.h>

static int set(const io *o, int level, int name, const void *value, socklen_t size) {
    return setsockopt(o->fd, level, name, value, size) < 0 ? io_last_error() : 0;
}

static int family_of(const io *o) {
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    getsockopt(o->fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    return family;
}

/* An option that is an int, and differs between the families. */
static int set_by_family(const io *o, int name4, int name6, int value) {
    return family_of(o) == AF_INET6 ? set(o, IPPROTO_IPV6, name6, &value, sizeof value)
                                    : set(o, IPPROTO_IP, name4, &value, sizeof value);
}

/* The number of an interface, 0 for NULL, or negative. */
static int interface_number(const char *interface) {
    return interface ? address_interface(interface) : 0;
}

/* The interface that a group's zone names, 0 without one. */
static uint32_t zone_of(const address *a) {
    return a->storage.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a->storage)->sin6_scope_id : 0;
}

int multicast_set_member(const io *o, const char *group, const char *interface, bool join) {
    address a;
    int number = interface_number(interface);
    int status = address_parse(group, 0, &a);
    if (status < 0 || number < 0) {
        return status < 0 ? status : number;
    }
    if (number > 0 && zone_of(&a) > 0 && zone_of(&a) != (uint32_t)number) {
        return UV_EINVAL;
    }
    struct group_req request = {.gr_interface = number > 0 ? (uint32_t)number : zone_of(&a), .gr_group = a.storage};
    return set(o, a.storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
               join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request, sizeof request);
}

int multicast_set_ttl(const io *o, int hops) {
    return set_by_family(o, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
}

int multicast_set_loop(const io *o, bool on) {
    return set_by_family(o, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on);
}

int multicast_set_interface(const io *o, const char *interface) {
    int number = interface_number(interface);
    if (number < 0) {
        return number;
    }
    if (family_of(o) == AF_INET6) {
        return set(o, IPPROTO_IPV6, IPV6_MULTICAST_IF, &number, sizeof number);
    }
    struct ip_mreqn request = {.imr_ifindex = number};
    return set(o, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
}
