/* SPDX-License-Identifier: MIT
 *
 * Child processes: how they end, what they are given, and what becomes of those that can't be started.
 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "check.h"

enum { CHILDREN = 200 };

static int null_fd;

static process_plan plan_of(char *const *argv) {
    return (process_plan){.argv = argv, .stdio = {null_fd, null_fd, 2}};
}

static process start(const process_plan *plan) {
    process p;
    enum process_step step;
    CHECK(process_spawn(plan, &p, &step) == 0);
    return p;
}

/* Waits for the child's end, takes it and closes the pidfd. */
static process_end end_of(process *p) {
    struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
    process_end end;
    CHECK(poll(&pfd, 1, -1) == 1);
    CHECK(process_reap(p, &end) == 0);
    CHECK(process_reap(p, &(process_end){0}) == -ECHILD);
    CHECK(process_kill(p, SIGTERM, false) == UV_ESRCH);
    close(p->fd);
    return end;
}

static process_end end_of_shell(const char *script, const int stdio[3]) {
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    process_plan plan = plan_of(argv);
    memcpy(plan.stdio, stdio, sizeof plan.stdio);
    process p = start(&plan);
    return end_of(&p);
}

/* What the script prints, in a buffer that serves the next call too. */
static const char *output_of(process_plan plan, const char *script) {
    static char text[4096];
    int ends[2];
    size_t length = 0;
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    plan.argv = argv;
    plan.stdio[1] = ends[1];
    process p = start(&plan);
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)n;
    close(ends[0]);
    text[length] = '\0';
    CHECK(end_of(&p).status == 0);
    return text;
}

static void check_ends(void) {
    const int quiet[3] = {null_fd, null_fd, 2};
    process_end end = end_of_shell("exit 0", quiet);
    CHECK(end.status == 0 && end.signal == 0);
    end = end_of_shell("exit 255", quiet);
    CHECK(end.status == 255 && end.signal == 0);
    end = end_of_shell("kill -9 $$", quiet);
    CHECK(end.status == -1 && end.signal == SIGKILL);
}

static void check_running(void) {
    char *argv[] = {"sleep", "1000", NULL};
    process_plan plan = plan_of(argv);
    process p = start(&plan);
    CHECK(process_reap(&p, &(process_end){0}) == UV_EAGAIN);
    CHECK(process_kill(&p, 0, false) == 0);
    CHECK(process_kill(&p, SIGTERM, false) == 0);
    CHECK(end_of(&p).signal == SIGTERM);
}

/* A group's end reaches the children of the child. */
static void check_group(void) {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    char *argv[] = {"sh", "-c", "sleep 1000 & sleep 1000 & echo; wait", NULL}, byte;
    process_plan plan = plan_of(argv);
    plan.stdio[1] = ends[1];
    plan.group = true;
    process p = start(&plan);
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK(process_kill(&p, SIGKILL, true) == 0);
    CHECK(end_of(&p).signal == SIGKILL);
    CHECK(read(ends[0], &byte, 1) == 0); /* so nobody has the pipe any more */
    close(ends[0]);
}

static void check_failure(process_plan plan, int code, enum process_step step) {
    process p;
    enum process_step failed;
    CHECK(process_spawn(&plan, &p, &failed) == code);
    CHECK(failed == step);
}

static void check_failures(void) {
    char *none[] = {"/nowhere/to/be/found", NULL}, *unknown[] = {"no-such-command-here", NULL},
         *folder[] = {"/tmp", NULL};
    char *good[] = {"true", NULL};
    check_failure(plan_of(none), UV_ENOENT, PROCESS_EXEC);
    check_failure(plan_of(unknown), UV_ENOENT, PROCESS_EXEC);
    check_failure(plan_of(folder), UV_EACCES, PROCESS_EXEC);
    process_plan plan = plan_of(good);
    plan.cwd = "/nowhere";
    check_failure(plan, UV_ENOENT, PROCESS_CWD);
    plan = plan_of(good);
    plan.stdio[1] = 987654;
    check_failure(plan, UV_EBADF, PROCESS_STDIO);
    plan = plan_of(good);
    plan.session = plan.terminal = true; /* and /dev/null is none */
    check_failure(plan, UV_ENOTTY, PROCESS_SESSION);
}

/* Descriptors change places in every way; no other one is inherited, not even those without close-on-exec. */
static void check_stdio(void) {
    int kept[3], stray = fcntl(null_fd, F_DUPFD, 100);
    CHECK(stray >= 100);
    for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 50);
    for (int round = 0; round < 27; round++) {
        const int order[3] = {round % 3, round / 3 % 3, round / 9};
        /* 0, 1 and 2 themselves are the sources: three files, told from each other by their inodes. */
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "/tmp/momo_process_%d_%d", (int)getpid(), i);
            int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
            CHECK(fd >= 0 && unlink(name) == 0);
            CHECK(dup2(fd, i) == i);
            if (fd != i) close(fd);
        }
        struct stat of[3];
        for (int i = 0; i < 3; i++) fstat(order[i], &of[i]);
        char script[512];
        snprintf(script, sizeof script,
                 "test $(stat -L -c %%i /proc/$$/fd/0) = %lu && test $(stat -L -c %%i /proc/$$/fd/1) = %lu && "
                 "test $(stat -L -c %%i /proc/$$/fd/2) = %lu && test ! -e /proc/$$/fd/%d",
                 (unsigned long)of[0].st_ino, (unsigned long)of[1].st_ino, (unsigned long)of[2].st_ino, stray);
        process_end end = end_of_shell(script, order);
        for (int i = 0; i < 3; i++) dup2(kept[i], i);
        CHECK(end.status == 0);
    }
    for (int i = 0; i < 3; i++) close(kept[i]);
    close(stray);
}

static void do_nothing(int number) {
    (void)number;
}

/* Handlers are gone, what is ignored stays so, nothing is blocked. */
static void check_signals(void) {
    sigset_t blocked, before;
    signal(SIGUSR1, do_nothing);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    char *argv[] = {"sleep", "1000", NULL};
    process_plan plan = plan_of(argv);
    process p = start(&plan);
    CHECK(process_kill(&p, SIGUSR2, false) == 0);
    CHECK(process_reap(&p, &(process_end){0}) == UV_EAGAIN);
    CHECK(process_kill(&p, SIGTERM, false) == 0);
    CHECK(end_of(&p).signal == SIGTERM);
    p = start(&plan);
    CHECK(process_kill(&p, SIGUSR1, false) == 0);
    CHECK(end_of(&p).signal == SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, &before, &now);
    CHECK(sigismember(&now, SIGTERM) == 1); /* ours are as they were */
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    signal(SIGCHLD, SIG_IGN); /* which would throw the children's ends away */
    p = start(&plan);
    CHECK(process_kill(&p, SIGKILL, false) == 0);
    CHECK(end_of(&p).signal == SIGKILL);
}

static void check_surroundings(void) {
    char *envp[] = {"NAME=value", "PATH=/bin:/usr/bin", NULL};
    process_plan plan = plan_of(NULL);
    plan.cwd = "/usr";
    plan.envp = envp;
    CHECK(strcmp(output_of(plan, "pwd; echo $NAME; echo ${HOME:-none}"), "/usr\nvalue\nnone\n") == 0);
    plan = plan_of(NULL);
    plan.session = true;
    CHECK(strcmp(output_of(plan, "test $(ps -o sid= -p $$) = $$ && echo leads"), "leads\n") == 0);
    if (geteuid() == 0) {
        plan = plan_of(NULL);
        plan.has_uid = plan.has_gid = true;
        plan.uid = plan.gid = 65534;
        CHECK(strcmp(output_of(plan, "id -u; id -g; id -G"), "65534\n65534\n65534\n") == 0);
    }
}

static void check_terminal(void) {
    int master, slave;
    CHECK(process_open_terminal(&master, &slave) == 0);
    CHECK(process_resize_terminal(master, 33, 77) == 0);
    char *argv[] = {"sh", "-c", "stty size </dev/tty >/dev/tty; test -t 0", NULL}, text[64];
    process_plan plan = {.argv = argv, .stdio = {slave, slave, slave}, .session = true, .terminal = true};
    process p = start(&plan);
    close(slave);
    CHECK(end_of(&p).status == 0);
    ssize_t n = read(master, text, sizeof text - 1);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK(strcmp(text, "33 77\r\n") == 0);
    close(master);
}

/* Many at once, which end in any order: each end is that of its own child. */
static void check_many(void) {
    static process children[CHILDREN];
    static int statuses[CHILDREN];
    char script[32], *argv[] = {"sh", "-c", script, NULL};
    for (int i = 0; i < CHILDREN; i++) {
        statuses[i] = (int)check_below(256);
        snprintf(script, sizeof script, "exit %d", statuses[i]);
        process_plan plan = plan_of(argv);
        children[i] = start(&plan);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int other = (int)check_below(CHILDREN);
        process swap = children[i];
        int status = statuses[i];
        children[i] = children[other];
        statuses[i] = statuses[other];
        children[other] = swap;
        statuses[other] = status;
    }
    for (int i = 0; i < CHILDREN; i++) CHECK(end_of(&children[i]).status == statuses[i]);
}

int main(void) {
#ifdef __SANITIZE_THREAD__
    return 0; /* there vfork is a fork: the child's failures don't reach us, and nothing here crosses threads */
#endif
    check_begin();
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null_fd >= 0);
    check_ends();
    check_running();
    check_group();
    check_failures();
    check_stdio();
    check_signals();
    check_surroundings();
    check_terminal();
    check_many();
    return 0;
}
