/* SPDX-License-Identifier: MIT
 *
 * An executor that can't start: whichever system call of the start fails, the code says so, and nothing is left. The calls
 * that the core and libuv make come here first. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "fixture.h"

static unsigned fails_at; /* the call to fail; 0: none */
static unsigned calls;

static bool fails(void) {
    if (++calls == fails_at) {
        errno = EMFILE;
        return true;
    }
    return false;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int epoll_create1(int flags) {
    return fails() ? -1 : REAL(epoll_create1)(flags);
}

int eventfd(unsigned count, int flags) {
    return fails() ? -1 : REAL(eventfd)(count, flags);
}

int pipe2(int ends[2], int flags) {
    return fails() ? -1 : REAL(pipe2)(ends, flags);
}

int epoll_ctl(int poller, int operation, int fd, struct epoll_event *event) {
    return operation == EPOLL_CTL_ADD && fails() ? -1 : REAL(epoll_ctl)(poller, operation, fd, event);
}

static unsigned open_descriptors(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
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
    calls = 0;
    begin(resume_and_end);
    unsigned made = calls, before;
    finish();
    CHECK(made >= 5);
    before = open_descriptors();
    for (unsigned n = 1; n <= made; n++) {
        for (int round = 0; round < 3; round++) {
            calls = 0;
            fails_at = n;
            CHECK(executor_init(ex) == UV_EMFILE && calls == n);
            CHECK(open_descriptors() == before);
        }
        fails_at = 0;
        starts();
        CHECK(open_descriptors() == before);
    }
    return 0;
}
