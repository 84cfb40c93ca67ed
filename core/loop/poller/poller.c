/* SPDX-License-Identifier: MIT
 *
 * Which driver a poller has: see poller.h.
 */
#include "loop/poller/poller.h"

#include <stdlib.h>
#include <string.h>

static int init(poller *p, const poller_driver *driver) {
    p->driver = driver;
    return driver->init(p);
}

int poller_init(poller *p, void (*tell)(poller *, uint64_t id, int events),
                transfer *(*transfer_of)(poller *, uint64_t id)) {
    *p = (poller){.fd = -1, .tell = tell, .transfer_of = transfer_of};
#ifdef MOMO_RING
    const char *name = getenv("MOMO_POLLER");
    if (name && strcmp(name, poller_ring.name) == 0 && init(p, &poller_ring) == 0) {
        return 0;
    }
#endif
    return init(p, &poller_epoll);
}
