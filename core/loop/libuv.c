/* SPDX-License-Identifier: MIT
 *
 * A loop of libuv's: see libuv.h.
 */
#include "loop/libuv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* Where libuv fails to make a loop, it leaves the loop's epoll descriptor open. */
static int init(uv_loop_t *loop) {
    loop->backend_fd = -1;
    int status = uv_loop_init(loop);
    if (status < 0 && loop->backend_fd >= 0) {
        close(loop->backend_fd);
    }
    return status;
}

void libuv_close(uv_loop_t *loop) {
    uv_walk(loop, close_handle, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
}

/* libuv aborts the process where there are not descriptors enough for a loop and the pipe that its loops share. */
static int check_descriptors(void) {
    int pipes[2][2];
    int made = 0;
    while (made < 2 && pipe2(pipes[made], O_CLOEXEC) == 0) {
        made++;
    }
    int status = made == 2 ? 0 : uv_translate_sys_error(errno);
    while (made--) {
        close(pipes[made][0]);
        close(pipes[made][1]);
    }
    return status;
}

int libuv_open(uv_loop_t *loop) {
    int status = check_descriptors();
    return status < 0 ? status : init(loop);
}
