/* SPDX-License-Identifier: MIT
 *
 * What a program needs that reads files: a folder and somebody to send to. Usage: files PROGRAM [ARGS]
 *
 * PROGRAM gets two more arguments: a folder with `big`, of 256 MiB, and 10 000 files of 1000 bytes, small/0 to small/9999,
 * all of them in memory; and a port of 127.0.0.1, which takes and drops all that is sent to it. The folder goes at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, BIG = 256, SMALL_FILES = 10000, SMALL = 1000, ARGUMENTS = 16 };

static char folder[] = "/tmp/momo-bench-XXXXXX", bytes[MIB];

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "files: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void path_of(char path[64], int i) {
    snprintf(path, 64, i < 0 ? "%s/big" : "%s/small/%d", folder, i);
}

static void write_file(int i, size_t size, int times) {
    char path[64];
    path_of(path, i);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (times--) {
        if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) fail(path);
    }
    close(fd);
}

static void remove_folder(void) {
    char path[64];
    for (int i = -1; i < SMALL_FILES; i++) {
        path_of(path, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/small", folder);
    rmdir(path);
    rmdir(folder);
}

static void make_folder(void) {
    char path[64];
    if (mkdtemp(folder) == NULL) fail("folder");
    atexit(remove_folder);
    snprintf(path, sizeof path, "%s/small", folder);
    mkdir(path, 0700);
    memset(bytes, 'x', sizeof bytes);
    write_file(-1, MIB, BIG);
    for (int i = 0; i < SMALL_FILES; i++) write_file(i, SMALL, 1);
}

static void *drop_all(void *listener) {
    for (;;) {
        int fd = accept(*(int *)listener, NULL, NULL);
        if (fd < 0) return NULL;
        while (recv(fd, NULL, MIB, MSG_TRUNC) > 0) {
        }
        close(fd);
    }
}

int main(int argc, char **argv) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    if (argc < 2 || argc > ARGUMENTS - 3 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 8) < 0 || pthread_create(&thread, NULL, drop_all, &listener) != 0) {
        fail("start");
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    make_folder();
    char port[8], *all[ARGUMENTS] = {0};
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    memcpy(all, argv + 1, (size_t)(argc - 1) * sizeof *all);
    all[argc - 1] = folder;
    all[argc] = port;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(all[0], all);
        perror(all[0]);
        _exit(1);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) fail("program");
    return status == 0 ? 0 : 1;
}
