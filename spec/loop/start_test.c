/* SPDX-License-Identifier: MIT
 *
 * An executor that can't start: whichever call of the start fails, the code says so, and nothing is left. */
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

int main(void) {
    check_begin();
    starts(); /* libuv opens descriptors that stay */
    unsigned all = 0;
    for (unsigned n = 0; n <= all; n++) {
        long held = atomic_load(&blocks);
        unsigned before = open_descriptors();
        failing_begin(n);
        int status = executor_init(ex);
        failing_end();
        all = n == 0 ? calls : all;
        CHECK(n == 0 ? status == 0 && all >= 7 : status == failed_with && calls == n);
        if (n == 0) executor_deinit(ex);
        CHECK(open_descriptors() == before && atomic_load(&blocks) == held);
        starts();
        CHECK(open_descriptors() == before && atomic_load(&blocks) == held);
    }
    return 0;
}
