/* SPDX-License-Identifier: MIT
 *
 * The watchdog: see watchdog.h.
 */
#include "loop/inside/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "loop/background.h"
#include "loop/inside/dump.h"
#include "loop/inside/stall.h"

enum { STACK_BYTES = 256 * 1024 };

static struct {
    pthread_mutex_t lock;
    bool started; /* guarded by it */
    sem_t woken;
    atomic_bool dump; /* somebody wants one */
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *watch(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "momo watchdog");
    for (;;) {
        while (sem_wait(&watchdog.woken) < 0) {
        }
        if (atomic_exchange(&watchdog.dump, false)) {
            dump_all();
        }
        stall_tell_all();
    }
    return NULL;
}

int watchdog_start(void) {
    int status = 0;
    pthread_mutex_lock(&watchdog.lock);
    if (!watchdog.started) {
        sem_init(&watchdog.woken, 0, 0);
        status = background_start(watch, STACK_BYTES);
        watchdog.started = status == 0;
    }
    pthread_mutex_unlock(&watchdog.lock);
    return status;
}

void watchdog_wake(void) {
    sem_post(&watchdog.woken);
}

static void on_quit(int number) {
    (void)number;
    int error = errno;
    atomic_store(&watchdog.dump, true);
    watchdog_wake();
    errno = error;
}

int watchdog_dump_on_quit(void) {
    struct sigaction now, action = {.sa_handler = on_quit, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
        return 0;
    }
    int status = watchdog_start();
    if (status == 0 && sigaction(SIGQUIT, &action, NULL) < 0) {
        status = uv_translate_sys_error(errno);
    }
    return status;
}
