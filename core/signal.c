/* SPDX-License-Identifier: MIT
 *
 * The signals that stop an executor.
 */
#include <signal.h>

#include "executor.h"

static void on_signal(uv_signal_t *watcher, int number) {
    (void)number;
    executor *ex = watcher->data;
    uv_signal_stop(&ex->signals[0]);
    uv_signal_stop(&ex->signals[1]);
    executor_stop(ex);
}

int momo_stop_on_signals(momo_executor *ex) {
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_t *watcher = &ex->signals[i];
        int status = uv_signal_init(&ex->loop, watcher);
        if (status == 0) {
            watcher->data = ex;
            status = uv_signal_start_oneshot(watcher, on_signal, numbers[i]); /* the kernel puts the default back */
        }
        if (status < 0) {
            return status;
        }
    }
    uv_run(&ex->loop, UV_RUN_NOWAIT); /* from here on its epoll knows of them */
    return 0;
}
