/* SPDX-License-Identifier: MIT
 *
 * Which driver a poller has: see poller.h.
 */
#include "loop/poller/poller.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define RING "ring"

enum { FAILURES = 100, PAUSE_NS = 1000000 }; /* in a row, and after each of them: want of memory may pass */

const char *poller_asked_for(void) {
    const char *name = getenv(POLLER_VARIABLE);
    return name ? name : "";
}

bool poller_is_known(const char *name) {
    return !*name || strcmp(name, poller_epoll.name) == 0 || strcmp(name, RING) == 0;
}

static int init(poller *p, const poller_driver *driver) {
    p->driver = driver;
    return driver->init(p);
}

#ifdef MOMO_RING
static int init_ring(poller *p, bool opens) {
    int status = init(p, &poller_ring);
    if (status == 0 && opens) {
        status = poller_ring.open(p);
        if (status < 0) {
            poller_deinit(p);
        }
    }
    return status;
}
#else
static int init_ring(poller *p, bool opens) {
    (void)p, (void)opens;
    return UV_ENOSYS;
}
#endif

const char *poller_name(poller *p) {
    return p->driver->open && p->driver->open(p) < 0 ? poller_epoll.name : p->driver->name;
}

int poller_init(poller *p, void (*tell)(poller *, uint64_t id, int events),
                transfer *(*transfer_of)(poller *, uint64_t id), void (*lost)(poller *)) {
    *p = (poller){.fd = -1, .tell = tell, .transfer_of = transfer_of, .lost = lost};
    const char *asked_for = poller_asked_for();
    if (strcmp(asked_for, poller_epoll.name) != 0) {
        int status = init_ring(p, *asked_for);
        if (status == 0) {
            return 0;
        }
        p->refused = *asked_for ? status : 0;
    }
    return init(p, &poller_epoll);
}

void poller_count_failure(poller *p, uint64_t number, int code) {
    if (code == UV_EINTR || p->failed) {
        return;
    }
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    p->failures = number == p->failure + 1 ? p->failures + 1 : 1;
    p->failure = number;
    p->failed = p->failures < FAILURES ? 0 : code;
}
