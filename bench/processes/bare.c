/* SPDX-License-Identifier: MIT
 *
 * Other programs by posix_spawn and waitpid; see momo.lua. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ; /* the others hand theirs on, too */

static void run(int count, int at_once) {
    char *argv[] = {"/bin/true", NULL};
    for (int i = 0, ended = 0; ended < count; ended++) {
        for (pid_t pid; i < count && i - ended < at_once; i++) {
            if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0) exit(1);
        }
        if (wait(NULL) < 0) exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 1;
    int count = atoi(argv[1]);
    struct timespec begin, end;
    run(10, 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    run(count, atoi(argv[2]));
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / count);
}
