/* SPDX-License-Identifier: MIT
 *
 * SSLKEYLOGFILE: the secrets of connections for those who look at their packets, as browsers write them.
 */
#include "tls/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int log_fd = -1;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void open_log(void) {
    const char *path = secure_getenv("SSLKEYLOGFILE");
    if (path && *path) {
        log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
}

/* One write a line: threads and processes may share the file. */
static void write_line(const SSL *ssl, const char *line) {
    (void)ssl;
    char text[512];
    int n = snprintf(text, sizeof text, "%s\n", line);
    if (n > 0 && (size_t)n < sizeof text && write(log_fd, text, (size_t)n) < 0) {
        log_fd = -1; /* the disk is full, say: a connection does not fail by it */
    }
}

void keylog_init(SSL_CTX *context) {
    if (CRYPTO_THREAD_run_once(&once, open_log) && log_fd >= 0) {
        SSL_CTX_set_keylog_callback(context, write_line);
    }
}
