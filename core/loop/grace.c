/* SPDX-License-Identifier: MIT
 *
 * The grace of a stop by a signal: see grace.h. A thread of its own waits for the first signal, and does nothing until then.
 */
#include "loop/grace.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/background.h"
#include "loop/executor.h"
#include "loop/inside/holder.h"
#include "loop/libc.h"
#include "loop/signals.h"

enum {
    /* timeout(1) sends its signal to its child and then to the group, and the child has both: they count as one. Nobody
     * presses a key twice in this time. */
    TOGETHER_MS = 100,
    WRITE_MS = 100, /* that a full stderr has to take what is said */
    STACK_BYTES = 256 * 1024,
};

static struct {
    double seconds;
    struct sigaction others[EXECUTOR_SIGNALS + 1]; /* what else is to be done, by number */
    atomic_int first;                              /* the number that came first, or 0 */
    _Atomic uint64_t first_ms;
    sem_t came;
} grace;

bool grace_begun(void) {
    return atomic_load(&grace.first) != 0;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / EXECUTOR_NS_PER_MS;
}

static void end_process(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* not within its own handler, which it waits for */
}

static void on_signal(int number) {
    int error = errno, first = 0;
    if (!signals_are_taken(number)) {
        if (atomic_compare_exchange_strong(&grace.first, &first, number)) {
            atomic_store(&grace.first_ms, now_ms());
            sem_post(&grace.came);
        } else if (first != number || now_ms() - atomic_load(&grace.first_ms) > TOGETHER_MS) {
            end_process(number);
        }
    }
    grace.others[number].sa_handler(number);
    errno = error;
}

/* ---- the thread ---- */

static void await_round(executor *ex, void *user) {
    (void)user;
    holder_await_round(ex);
}

/* By write, as the thread that is held may have stderr's lock. */
static void say(const char *text) {
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&err, 1, WRITE_MS) == 1) {
        (void)!write(STDERR_FILENO, text, strlen(text));
    }
}

static void tell_held(executor *ex, void *any) {
    if (!holder_misses_round(ex)) {
        return;
    }
    holder_answer answer;
    char who[HOLDER_SAID], line[HOLDER_SAID + 64];
    holder_ask(ex, &answer);
    holder_describe(&answer, who);
    snprintf(line, sizeof line, "momo: SIG%s is not heard for %g s: %s\n", libc_signal_name(grace.first), grace.seconds,
             who);
    say(line);
    *(bool *)any = true;
}

static void *watch(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "momo grace");
    while (sem_wait(&grace.came) < 0) {
    }
    struct timespec pause = {.tv_sec = (time_t)grace.seconds};
    pause.tv_nsec = (long)((grace.seconds - (double)pause.tv_sec) * 1e9);
    for (bool held = false; !held;) {
        holder_each(await_round, NULL);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        holder_each(tell_held, &held);
    }
    end_process(grace.first);
    return NULL;
}

int grace_watch(const int *numbers, int count, double seconds) {
    grace.seconds = seconds;
    sem_init(&grace.came, 0, 0);
    int status = seconds < EXECUTOR_NEVER_SECONDS ? background_start(watch, STACK_BYTES) : 0;
    for (int i = 0; i < count && status == 0; i++) {
        struct sigaction action;
        sigaction(numbers[i], NULL, &action);
        grace.others[numbers[i]] = action;
        action.sa_handler = on_signal;
        sigaction(numbers[i], &action, NULL);
    }
    return status;
}
