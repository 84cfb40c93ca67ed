/* SPDX-License-Identifier: MIT
 *
 * The FFI API of an executor: its clock, and how it is stopped.
 */
#include "loop/signals.h"

const char *momo_version(void) {
    return MOMO_VERSION;
}

const char *momo_poller(executor *ex) {
    return poller_name(&ex->poller);
}

double momo_now(const momo_executor *ex) {
    return executor_now(ex);
}

double momo_wall(const momo_executor *ex) {
    return ex->clock.virtual ? ex->clock.wall + momo_now(ex) : executor_wall();
}

int momo_draining(const momo_executor *ex) {
    return ex->drain.begun;
}

void momo_stop(momo_executor *ex) {
    executor_stop(ex);
}

int momo_stop_on_signals(momo_executor *ex, double grace_seconds) {
    return signals_stop(ex, grace_seconds);
}
