/* SPDX-License-Identifier: MIT
 *
 * Child processes: see process.h.
 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

extern char **environ;

/* What parent and child share while the child has not called execve: their memory is one. */
typedef struct start {
    const process_plan *plan;
    volatile int error; /* an errno of the child, or 0 */
    volatile enum process_step step;
} start;

static int last_error(void) {
    return uv_translate_sys_error(errno);
}

/* ---- in the child: no allocation, no lock, nothing that the parent would see but `start` ---- */

/* Handlers would run on the parent's memory. What was ignored stays ignored, as a shell has it. */
static void reset_handlers(void) {
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
            sigaction(number, &standard, NULL);
        }
    }
}

static int lead(const process_plan *plan) {
    if (plan->session) {
        if (setsid() < 0) {
            return -1;
        }
        return plan->terminal ? ioctl(plan->stdio[0], TIOCSCTTY, 0) : 0;
    }
    return plan->group ? setpgid(0, 0) : 0;
}

/* By the system calls themselves: the C library's functions would reach for the parent's other threads. */
static int become(const process_plan *plan) {
    if ((plan->has_uid || plan->has_gid) && syscall(SYS_setgroups, plan->group_count, plan->groups) < 0 &&
        errno != EPERM) {
        return -1; /* EPERM: who may not change groups may be asked for its own ids, and keeps its groups */
    }
    if (plan->has_gid && syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0) {
        return -1;
    }
    return plan->has_uid ? (int)syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) : 0;
}

static void close_from(int first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, UINT_MAX, 0) == 0) {
        return;
    }
#endif
    for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++) {
        close((int)fd);
    }
}

/* Copies them out of the way of their places. */
static int lift(int *to, const int *from, int count, int above) {
    for (int i = 0; i < count; i++) {
        to[i] = fcntl(from[i], F_DUPFD, above);
        if (to[i] < 0) {
            return -1;
        }
    }
    return 0;
}

/* To their places, where they are inherited. */
static int put(const int *fds, int count, int first) {
    for (int i = 0; i < count; i++) {
        if (dup2(fds[i], first + i) < 0) {
            return -1;
        }
    }
    return 0;
}

static int place_descriptors(const process_plan *plan) {
    int stdio[3], count = (int)plan->passed_count, end = 3 + count;
    if (lift(stdio, plan->stdio, 3, end) < 0 || lift(plan->passed, plan->passed, count, end) < 0 ||
        put(stdio, 3, 0) < 0 || put(plan->passed, count, 3) < 0) {
        return -1;
    }
    close_from(end);
    return 0;
}

static void run_child(start *s) {
    const process_plan *plan = s->plan;
    sigset_t none;
    reset_handlers();
    s->step = PROCESS_SESSION;
    if (lead(plan) == 0) {
        s->step = PROCESS_CWD;
        if (!plan->cwd || chdir(plan->cwd) == 0) {
            s->step = PROCESS_IDENTITY;
            if (become(plan) == 0) {
                s->step = PROCESS_STDIO;
                if (place_descriptors(plan) == 0) {
                    s->step = PROCESS_EXEC;
                    sigemptyset(&none);
                    sigprocmask(SIG_SETMASK, &none, NULL);
                    execvpe(plan->argv[0], plan->argv, plan->envp ? plan->envp : environ);
                }
            }
        }
    }
    s->error = errno;
    _exit(127);
}

/* ---- in the parent ---- */

/* In a frame of its own, which the child leaves as it is. */
static __attribute__((noinline)) pid_t start_child(start *s) {
    pid_t pid = vfork();
    if (pid == 0) {
        run_child(s);
    }
    return pid;
}

/* With SIGCHLD ignored, the system would throw away how a child ends. */
static void mind_children(void) {
    struct sigaction now;
    if (sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
        now.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &now, NULL);
    }
}

int process_spawn(const process_plan *plan, process *p, enum process_step *step) {
    start s = {.plan = plan, .step = PROCESS_START};
    sigset_t all, before;
    *p = (process){-1, -1};
    mind_children();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* no handler may run in the child: its memory is ours */
    p->pid = start_child(&s);
    int code = p->pid < 0 ? last_error() : uv_translate_sys_error(s.error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *step = p->pid < 0 ? PROCESS_START : s.step;
    if (p->pid < 0) {
        return code;
    }
    if (code == 0) {
        p->fd = (int)syscall(SYS_pidfd_open, p->pid, 0); /* close-on-exec by itself */
        if (p->fd >= 0) {
            return 0;
        }
        code = last_error();
        *step = PROCESS_START;
        kill(p->pid, SIGKILL);
    }
    process_discard(p);
    return code;
}

void process_discard(const process *p) {
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* P_PIDFD, which older headers lack. */
enum { WAIT_PIDFD = 3 };

int process_reap(const process *p, process_end *end) {
    siginfo_t info = {.si_pid = 0};
    int status;
    do {
        status = waitid((idtype_t)WAIT_PIDFD, (id_t)p->fd, &info, WEXITED | WNOHANG);
    } while (status < 0 && errno == EINTR);
    if (status < 0) {
        return last_error();
    }
    if (info.si_pid == 0) {
        return UV_EAGAIN;
    }
    bool exited = info.si_code == CLD_EXITED;
    *end = (process_end){.status = exited ? info.si_status : -1, .signal = exited ? 0 : info.si_status};
    return 0;
}

int process_kill(const process *p, int signal, bool group) {
    int status = group ? kill(-p->pid, signal) : (int)syscall(SYS_pidfd_send_signal, p->fd, signal, NULL, 0);
    return status < 0 ? last_error() : 0;
}

int process_open_terminal(int *master, int *slave) {
    char name[64];
    *slave = -1;
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (*master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0 && ptsname_r(*master, name, sizeof name) == 0) {
        *slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (*slave >= 0) {
        return 0;
    }
    int code = last_error();
    if (*master >= 0) {
        close(*master);
    }
    return code;
}

int process_resize_terminal(int master, unsigned short rows, unsigned short columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(master, TIOCSWINSZ, &size) < 0 ? last_error() : 0;
}
