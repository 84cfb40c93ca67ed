/* SPDX-License-Identifier: MIT
 *
 * Files by the system's calls; see momo.lua. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char bytes[65536];
static const char *folder;
static int port;

static int open_big(void) {
    char path[256];
    snprintf(path, sizeof path, "%s/big", folder);
    return open(path, O_RDONLY);
}

static void read_pieces(int count) {
    static int fd = -1;
    while (count--) {
        if (fd < 0 || read(fd, bytes, sizeof bytes) <= 0) {
            close(fd);
            fd = open_big();
            if (read(fd, bytes, sizeof bytes) <= 0) exit(1);
        }
    }
}

static void copy(int count) {
    static int to = -1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (to < 0) {
        to = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(to, (struct sockaddr *)&address, sizeof address) < 0) exit(1);
    }
    int from = open_big();
    for (size_t left = (size_t)count << 20; left;) {
        ssize_t n = sendfile(to, from, NULL, left);
        if (n <= 0) exit(1);
        left -= (size_t)n;
    }
    close(from);
}

static void read_small(int count) {
    static int next;
    char path[256];
    struct stat status;
    while (count--) {
        snprintf(path, sizeof path, "%s/small/%d", folder, next++ % 10000);
        if (stat(path, &status) < 0) exit(1);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (read(fd, bytes, sizeof bytes) != status.st_size) exit(1);
        close(fd);
    }
}

int main(int argc, char **argv) {
    if (argc < 5) return 1;
    void (*run)(int) = strcmp(argv[1], "read") == 0    ? read_pieces
                       : strcmp(argv[1], "copy") == 0  ? copy
                       : strcmp(argv[1], "small") == 0 ? read_small
                                                       : NULL;
    if (run == NULL) return 0;
    int count = atoi(argv[2]);
    folder = argv[3];
    port = atoi(argv[4]);
    struct timespec begin, end;
    run(count);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    run(count);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / count);
}
