/* SPDX-License-Identifier: MIT
 *
 * What the border offers for the executor and the process. For sockets, see token.c.
 */
#include <pthread.h>
#include <string.h>

#include "loop/io.h"

const char *momo_version(void) {
    return MOMO_VERSION;
}

/* libuv allocates, and never frees, a text for a code that it does not know. */
static bool libuv_knows(int code) {
    switch (code) {
#define KNOWN(name, text) case UV_##name:
        UV_ERRNO_MAP(KNOWN)
#undef KNOWN
        return true;
    default: return false;
    }
}

/* Of failures that have words of their own, the last one is told: who asks has just got it. */
static const executor *teller_of(int code) {
    return code == IO_FAILURE && executor_running && executor_running->failure.name ? executor_running : NULL;
}

const char *momo_error_name(int code) {
    const executor *teller = teller_of(code);
    if (teller) {
        return teller->failure.name;
    }
    const char *name = libuv_knows(code) ? uv_err_name(code) : strerrorname_np(-code);
    return name ? name : "EUNKNOWN";
}

const char *momo_error_text(int code) {
    const executor *teller = teller_of(code);
    if (teller) {
        return teller->failure.text;
    }
    if (code == UV_ETIMEDOUT) { /* not only connections do */
        return "operation timed out";
    }
    const char *text = libuv_knows(code) ? uv_strerror(code) : strerrordesc_np(-code);
    return text ? text : "unknown error";
}

double momo_now(const momo_executor *ex) {
    return executor_now(ex);
}

double momo_wall(const momo_executor *ex) {
    return ex->clock.virtual ? ex->clock.wall + momo_now(ex) : executor_wall();
}

static uint64_t length(const list *head) {
    uint64_t n = 0;
    for (const list *node = head->next; node != head; node = node->next) {
        n++;
    }
    return n;
}

void momo_get_metrics(const momo_executor *ex, momo_metrics *m) {
    *m = (momo_metrics){
        .tasks = ex->tasks.live,
        .ready = length(&ex->ready),
        .spawned = ex->counters.spawned,
        .timers = ex->wheel.count,
        .handles = ex->ios.live,
        .threads = ex->threads.count,
        .polls = ex->counters.polls,
        .resumes = ex->counters.resumes,
        .stale_events = ex->counters.stale_events,
        .collected = ex->counters.collected,
    };
}

void momo_stop(momo_executor *ex) {
    executor_stop(ex);
}

int momo_usable_cpu(const momo_executor *ex, int i) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &ex->cpus) && i-- == 0) {
            return cpu;
        }
    }
    return UV_EINVAL;
}

int momo_parallelism(const momo_executor *ex) {
    return CPU_COUNT(&ex->cpus);
}

int momo_pin(int cpu) {
    cpu_set_t cpus;
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
        return UV_EINVAL;
    }
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    return uv_translate_sys_error(pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus));
}
