/* SPDX-License-Identifier: MIT
 *
 * Child processes: started by vfork(2) and execve(2), watched by a pidfd.
 *
 *   process_spawn --vfork--> child: session, terminal, folder, user, descriptors 0 to 2, no others, signals --execve--> program
 *        |  <---- what failed, and where: the two share memory until then ----'
 *        '--> pidfd: readable once the child has ended --process_reap--> how
 *
 * A pidfd names this child alone, even after its number went to another process. Nothing here touches SIGCHLD, nor a child
 * that somebody else has started. A child is a zombie from its end until it is reaped.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What failed: the step's name goes with the code. */
enum process_step {
    PROCESS_START,    /* the process could not be made */
    PROCESS_SESSION,  /* a session, group or terminal of its own */
    PROCESS_CWD,      /* its folder */
    PROCESS_IDENTITY, /* its user or groups */
    PROCESS_STDIO,    /* its descriptors */
    PROCESS_EXEC,     /* the program */
};

typedef struct process_plan {
    char *const *argv; /* ends with NULL; argv[0] is looked for in PATH, unless there is a slash in it */
    char *const *envp; /* ends with NULL; or NULL: ours */
    const char *cwd;   /* or NULL: ours */
    int stdio[3];      /* what it gets as 0, 1 and 2; they stay the caller's */
    int *passed;       /* what it gets as 3, 4, ..., likewise; the array is not as it was afterwards */
    size_t passed_count;
    bool session;          /* it leads a session of its own, without a terminal */
    bool group;            /* it leads a process group of its own */
    bool terminal;         /* with session: stdio[0] is its controlling terminal */
    bool has_uid, has_gid; /* whether the following are to be set */
    uid_t uid;             /* real, effective and saved */
    gid_t gid;             /* the same; without groups, its supplementary ones are dropped */
    const gid_t *groups;   /* supplementary ones; NULL: none */
    size_t group_count;
} process_plan;

typedef struct process {
    pid_t pid;
    int fd; /* the pidfd, the caller's to close: it polls readable when the child has ended */
} process;

typedef struct process_end {
    int status; /* that it exited with; -1: a signal ended it */
    int signal; /* that ended it, or 0 */
} process_end;

/* 0: the program runs. Negative: nothing does, and *step says what failed. */
int process_spawn(const process_plan *, process *, enum process_step *step);
/* Takes the child's end, once: 0. UV_EAGAIN: it runs. -ECHILD: somebody else has taken it. */
int process_reap(const process *, process_end *);
/* Waits for the end of a child that was killed, of which nobody wants to know. */
void process_discard(const process *);
/* Sends a signal to the child, or to the group that it leads; 0 tests only. UV_ESRCH: it has ended. The child must not be reaped yet. */
int process_kill(const process *, int signal, bool group);

/* Makes a pseudo-terminal: its master, not blocking, and its slave. */
int process_open_terminal(int *master, int *slave);
int process_resize_terminal(int master, unsigned short rows, unsigned short columns);
