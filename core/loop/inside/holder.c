/* SPDX-License-Identifier: MIT
 *
 * Who holds a thread, and where: see holder.h.
 */
#include "loop/inside/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "loop/task.h"

enum {
    ANSWER_MS = 1000,       /* that an answer may take: the thread may have to wait for a CPU */
    HOOK_CPU_US = 10000,    /* that a thread runs without coming to a hook, before it is believed to be elsewhere */
    SLEEP_LOOKS = 3,        /* in a row that found it asleep: so it is */
    STEP_NS = 1000000,      /* between two looks */
    SIGNAL_FROM_THE_TOP = 3 /* of the real-time signals: whoever wants one for himself takes the first ones */
};

/* The executors that run. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static list entered = {&entered, &entered};

/* The one question at a time, of who has the lock. */
static struct {
    executor *of;
    bool in_call;
    holder_answer seen, told; /* in the signal's handler, and by the hook */
    atomic_bool looked, answered;
} question;

static void on_round(mail *m) {
    atomic_store(&list_entry(m, holder, round)->round_awaited, false);
}

void holder_enter(executor *ex) {
    holder *h = &ex->holder;
    h->thread = pthread_self();
    h->tid = gettid();
    h->stack_end = (uintptr_t)__builtin_frame_address(0);
    h->round.arrived = on_round;
    pthread_mutex_lock(&lock);
    list_push(&entered, &h->link);
    pthread_mutex_unlock(&lock);
}

void holder_leave(executor *ex) {
    pthread_mutex_lock(&lock);
    list_remove(&ex->holder.link);
    pthread_mutex_unlock(&lock);
    inbox_withdraw(&ex->inbox, &ex->holder.round);
    atomic_store(&ex->holder.round_awaited, false);
}

void holder_each(void (*f)(executor *, void *), void *user) {
    pthread_mutex_lock(&lock);
    for (list *node = entered.next; node != &entered; node = node->next) {
        f(list_entry(node, executor, holder.link), user);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- on the thread that is asked ---- */

static holder_frame frame_of(const executor *ex, const ucontext_t *context) {
    holder_frame frame = {.stack_end = ex->holder.stack_end};
#if defined(__x86_64__)
    frame.pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    frame.stack = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    frame.pc = context->uc_mcontext.pc;
    frame.stack = context->uc_mcontext.sp;
#else
    (void)context;
    frame.stack = frame.stack_end;
#endif
    return frame;
}

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    executor *ex = executor_running;
    if (!ex || ex != question.of || !atomic_load(&ex->holder.asked)) {
        return;
    }
    int error = errno;
    holder_answer *seen = &question.seen;
    *seen = (holder_answer){.how = HOLDER_NONE};
    if (ex->current) {
        holder_frame frame = frame_of(ex, context);
        seen->how = HOLDER_CALL;
        if (ex->holder.kind) {
            ex->holder.kind->name(ex, seen);
            ex->holder.kind->look(ex, &frame, question.in_call, seen);
        }
    }
    atomic_store(&question.looked, true);
    errno = error;
}

holder_answer *holder_tell(executor *ex) {
    if (!atomic_exchange(&ex->holder.asked, false)) {
        return NULL;
    }
    question.told = (holder_answer){.how = HOLDER_NONE};
    return &question.told;
}

void holder_told(void) {
    atomic_store(&question.answered, true);
}

/* ---- on the one that asks ---- */

static void step(void) {
    struct timespec pause = {.tv_nsec = STEP_NS};
    nanosleep(&pause, NULL);
}

static int64_t cpu_us(const holder *h) {
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(h->thread, &clock) != 0 || clock_gettime(clock, &used) < 0) {
        return 0;
    }
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Whether the thread is in a system call that waits, as the system tells it: "TID (NAME) STATE ...". */
static bool is_asleep(const holder *h) {
    char path[64], stat[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)h->tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, stat, sizeof stat - 1);
    close(fd);
    if (size <= 0) {
        return false;
    }
    stat[size] = '\0';
    const char *name_end = strrchr(stat, ')');
    return name_end && strncmp(name_end, ") S", 3) == 0;
}

/* Has the thread look where it is. */
static bool look(executor *ex, bool in_call) {
    question.in_call = in_call;
    atomic_store(&question.looked, false);
    int number = SIGRTMAX - SIGNAL_FROM_THE_TOP;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) < 0 || pthread_kill(ex->holder.thread, number) != 0) {
        return false;
    }
    for (int ms = 0; ms < ANSWER_MS && !atomic_load(&question.looked); ms++) {
        step();
    }
    return atomic_load(&question.looked);
}

/* Waits until the hook has answered: true; or until it is sure not to come by itself. */
static bool await_hook(const holder *h) {
    int64_t begin_us = cpu_us(h);
    int asleep = 0;
    for (int ms = 0; ms < ANSWER_MS && !atomic_load(&question.answered); ms++) {
        asleep = is_asleep(h) ? asleep + 1 : 0;
        if (asleep == SLEEP_LOOKS || cpu_us(h) - begin_us > HOOK_CPU_US) {
            return false;
        }
        step();
    }
    return atomic_load(&question.answered);
}

void holder_ask(executor *ex, holder_answer *answer) {
    holder *h = &ex->holder;
    question.of = ex;
    atomic_store(&question.answered, false);
    atomic_store(&h->asked, true);
    *answer = (holder_answer){.how = HOLDER_SILENT};
    if (look(ex, false)) {
        *answer = question.seen;
        if (answer->how == HOLDER_CALL && !await_hook(h) && look(ex, true)) {
            *answer = question.seen;
        } else if (answer->how == HOLDER_COMPILED) {
            await_hook(h);
        }
    }
    if (!atomic_exchange(&h->asked, false)) { /* the hook has answered, or is about to */
        while (!atomic_load(&question.answered)) {
            step();
        }
        *answer = question.told;
    }
    question.of = NULL;
    if (h->tid != getpid()) {
        pthread_getname_np(h->thread, answer->thread, sizeof answer->thread);
    }
}

/* A name makes no line of its own, and does nothing to a terminal. */
static void make_plain(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == '\x7f') {
            *text = '?';
        }
    }
}

void holder_describe(const holder_answer *a, char text[HOLDER_SAID]) {
    static const char *const does[] = {
        [HOLDER_NONE] = "is in no task",
        [HOLDER_SILENT] = "does not answer",
        [HOLDER_LUA] = "computes at",
        [HOLDER_COMPILED] = "computes (compiled code) near",
        [HOLDER_CALL] = "is in a function of C that does not return, called at",
    };
    char who[HOLDER_SAID / 2];
    if (a->how <= HOLDER_SILENT) {
        snprintf(who, sizeof who, "%s%s", a->thread[0] ? "thread " : "the first thread", a->thread);
        snprintf(text, HOLDER_SAID, "%s %s", who, does[a->how]);
        make_plain(text);
        return;
    }
    snprintf(who, sizeof who, a->name[0] ? "task %llu '%s'" : "task %llu%s", (unsigned long long)a->id, a->name);
    snprintf(text, HOLDER_SAID, "%s%s%s %s %s:%d", who, a->thread[0] ? " of thread " : "", a->thread, does[a->how],
             a->line ? a->file : "?", a->line);
    make_plain(text);
}

/* ---- rounds ---- */

void holder_await_round(executor *ex) {
    holder *h = &ex->holder;
    atomic_store(&h->round_awaited, true);
    inbox_post(&ex->inbox, &h->round);
}

bool holder_misses_round(const executor *ex) {
    return atomic_load(&ex->holder.round_awaited);
}
