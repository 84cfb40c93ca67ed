/* SPDX-License-Identifier: MIT
 *
 * An executor that can't start: whichever call of the start fails, the code says so, and nothing is left; or the ring can't,
 * and it is epoll. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "failing.h"
#include "fixture.h"

FAILING(int, epoll_create1, (int flags), flags)
FAILING(int, eventfd, (unsigned count, int flags), count, flags)
FAILING(int, pipe2, (int ends[2], int flags), ends, flags)

int epoll_ctl(int poller, int operation, int fd, struct epoll_event *event) {
    return operation == EPOLL_CTL_ADD && fails(ENOBUFS) ? -1 : REAL(epoll_ctl)(poller, operation, fd, event);
}

static void resume_and_end(task *t) {
    task_end(t);
}

/* It runs and ends as any other. */
static void starts(void) {
    begin(resume_and_end);
    spawn();
    CHECK(executor_run(ex) && ex->counters.resumes == 1);
    finish();
    CHECK(!ex->running && ex->closed);
}

static void fails_at_each_call(const char *asked_for) {
    setenv(POLLER_VARIABLE, asked_for, 1);
    starts(); /* libuv opens descriptors that stay */
    unsigned all = 0;
    for (unsigned n = 0; n <= all; n++) {
        long held = atomic_load(&blocks);
        unsigned before = open_descriptors();
        failing_begin(n);
        int status = executor_init(ex);
        failing_end();
        all = n == 0 ? calls : all;
        bool stands_in = n && *asked_for == 0 && ex->poller.driver == &poller_epoll && calls > n;
        CHECK(n == 0 || stands_in ? status == 0 : status == failed_with && calls == n);
        CHECK(all >= 7);
        if (status == 0) executor_deinit(ex);
        CHECK(open_descriptors() == before && atomic_load(&blocks) == held);
        starts();
        CHECK(open_descriptors() == before && atomic_load(&blocks) == held);
    }
}

int main(void) {
    check_begin();
    fails_at_each_call("epoll");
    fails_at_each_call("");
    return 0;
}
