/* SPDX-License-Identifier: MIT
 *
 * Which driver a poller has: see poller.h.
 */
#include "loop/poller/poller.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define RING "ring"

const char *poller_asked_for(void) {
    const char *name = getenv(POLLER_VARIABLE);
    return name && *name ? name : poller_epoll.name;
}

bool poller_is_known(const char *name) {
    return strcmp(name, poller_epoll.name) == 0 || strcmp(name, RING) == 0;
}

static int init(poller *p, const poller_driver *driver) {
    p->driver = driver;
    return driver->init(p);
}

#ifdef MOMO_RING
static int init_ring(poller *p) {
    return init(p, &poller_ring);
}
#else
static int init_ring(poller *p) {
    (void)p;
    return UV_ENOSYS;
}
#endif

int poller_init(poller *p, void (*tell)(poller *, uint64_t id, int events),
                transfer *(*transfer_of)(poller *, uint64_t id), void (*lost)(poller *)) {
    *p = (poller){.fd = -1, .tell = tell, .transfer_of = transfer_of, .lost = lost};
    bool ring = strcmp(poller_asked_for(), RING) == 0;
    p->refused = ring ? init_ring(p) : 0;
    return ring && !p->refused ? 0 : init(p, &poller_epoll);
}
