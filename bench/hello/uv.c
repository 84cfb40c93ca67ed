/* SPDX-License-Identifier: MIT
 *
 * A peer: start-up on libuv in plain C. */
#include <stdio.h>
#include <uv.h>

static void on_timer(uv_timer_t *timer) {
    puts("hello");
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void) {
    uv_timer_t timer;
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 0, 0);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
