/* SPDX-License-Identifier: MIT
 *
 * The executor's clock, real or virtual, and times as ticks of its wheel.
 */
#include <math.h>
#include <time.h>

#include "loop/io.h"

/* Times below are reckoned in ns, which 64 bits hold; those above in ms. */
#define FINE_SECONDS 9e9

double executor_now(const executor *ex) {
    return ex->clock.virtual ? (double)(ex->clock.now_ms - ex->clock.origin_ms) / 1e3 : (double)uv_hrtime() / 1e9;
}

double executor_time_of(const executor *ex, uint64_t ms) {
    return (double)(ms - ex->clock.origin_ms) / 1e3;
}

double executor_wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void executor_set_virtual(executor *ex, bool on) {
    ex->clock.virtual = on;
    slab_sort(&ex->tasks); /* a run of which nothing depends on those before */
    slab_sort(&ex->ios);
    ex->clock.origin_ms = on; /* the wheel's time begins at 1 */
    ex->clock.now_ms = ex->clock.origin_ms;
    ex->clock.wall = executor_wall();
    executor_stamp(ex, executor_now_ms(ex));
    wheel_init(&ex->wheel, executor_now_ms(ex));
}

static uint64_t in_ms(uint64_t ns) {
    return (ns + EXECUTOR_NS_PER_MS - 1) / EXECUTOR_NS_PER_MS;
}

uint64_t executor_deadline_ms(const executor *ex, double seconds) {
    if (!(seconds < FINE_SECONDS)) {
        return executor_now(ex) + seconds < EXECUTOR_NEVER_SECONDS
                   ? executor_now_ms(ex) + !ex->clock.virtual + (uint64_t)ceil(seconds * 1e3)
                   : DEADLINE_NEVER;
    }
    uint64_t duration_ns = (uint64_t)(seconds * 1e9 + 0.5); /* 0.067 s is a little more than 67 ms; nobody means that */
    return ex->clock.virtual ? ex->clock.now_ms + in_ms(duration_ns) : in_ms(uv_hrtime() + duration_ns);
}

uint64_t executor_tick_ms(const executor *ex, double at) {
    if (!(at < EXECUTOR_NEVER_SECONDS)) {
        return DEADLINE_NEVER;
    }
    if (!(at < FINE_SECONDS)) {
        return ex->clock.origin_ms + (uint64_t)ceil(at * 1e3);
    }
    return ex->clock.origin_ms + (at > 0 ? in_ms((uint64_t)(at * 1e9 + 0.5)) : 0);
}
