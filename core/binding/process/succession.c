/* SPDX-License-Identifier: MIT
 *
 * Succession under the momo command: SIGHUP begins it, and the process that was started first stays until the last of its
 * successors has ended, so that whoever started it has one process to wait for and to signal.
 *
 *   first process  --serves--> hands over --drains--> stands for the newest: passes signals on, ends as that one ends
 *   second               '-- serves ---> hands over --drains--> ends
 *   third                                     '-- serves
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/io.h"
#include "loop/signals.h"
#include "net/succession.h"
#include "binding/runtime.h"

enum { STATUS_OF_SIGNAL = 128 };

static struct {
    uv_signal_t watcher;   /* of SIGHUP, on the executor of the command */
    bool had_terminal;     /* when the process began */
    volatile pid_t newest; /* of the successors; 0: there is none */
    int news;              /* where the numbers of further ones come from, on the process that was first; else -1 */
} chain = {.news = -1};

/* ---- SIGHUP ---- */

static bool has_terminal(void) {
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Called protected. */
static int call_begin(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "momo.command.succession");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "begin");
    lua_call(L, 0, 0);
    return 0;
}

/* Between two resumes, on run's own stack. */
static void on_hangup(uv_signal_t *watcher, int number) {
    executor *ex = watcher->data;
    lua_State *L = ((runtime *)ex->user)->L;
    if (signals_are_taken(number)) {
        return;
    }
    if (chain.had_terminal && !has_terminal()) { /* nobody has asked for a successor: the terminal is gone */
        signal(number, SIG_DFL);
        raise(number);
    }
    if (L && lua_cpcall(L, call_begin, NULL) != 0) {
        fprintf(stderr, "momo: no successor can be started: %s\n", error_text(L));
        lua_pop(L, 1);
    }
}

/* succession_on_hangup(): for the executor of the command, before momo_stop_on_signals. Who ignores SIGHUP goes on to. */
static int begin_on_hangup(lua_State *L) {
    executor *ex = open_executor(L);
    struct sigaction now;
    if (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        chain.had_terminal = has_terminal();
        if (uv_signal_init(&ex->loop, &chain.watcher) == 0) {
            chain.watcher.data = ex;
            uv_signal_start(&chain.watcher, on_hangup, SIGHUP);
        }
    }
    return 0;
}

/* ---- in the predecessor ---- */

typedef struct gathered {
    int n, activated;
    int fds[SUCCESSION_MAX];
    char marks[SUCCESSION_MAX + 1];
} gathered;

/* (gathered as light userdata) -> what succession_listeners returns. Called protected. */
static int push_gathered(lua_State *L) {
    const gathered *g = lua_touserdata(L, 1);
    lua_createtable(L, g->n, 0);
    for (int i = 0; i < g->n; i++) {
        lua_pushinteger(L, g->fds[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, g->activated);
    lua_pushstring(L, g->marks + g->activated);
    return 3;
}

/* succession_listeners() -> array of descriptors, how many socket activation has given, marks | nil, err, code */
static int gather(lua_State *L) {
    gathered g;
    lua_pushcfunction(L, push_gathered);
    lua_pushlightuserdata(L, &g);
    g.n = succession_gather(g.fds, g.marks, &g.activated);
    if (g.n < 0) {
        return push_failure(L, g.n);
    }
    if (lua_pcall(L, 1, 3, 0) != 0) {
        for (int i = 0; i < g.n; i++) {
            close(g.fds[i]);
        }
        return lua_error(L);
    }
    return 3;
}

/* succession_close(descriptor) */
static int close_descriptor(lua_State *L) {
    close((int)lua_tointeger(L, 1));
    return 0;
}

/* succession_pair() -> two descriptors | nil, err, code */
static int open_pair(lua_State *L) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        return push_failure(L, io_last_error());
    }
    lua_pushinteger(L, ends[0]);
    lua_pushinteger(L, ends[1]);
    return 2;
}

/* The newest process, as far as it has told. */
static void take_news(void) {
    pid_t pid;
    while (chain.news >= 0 && read(chain.news, &pid, sizeof pid) == (ssize_t)sizeof pid) {
        chain.newest = pid;
    }
}

static void pass_on(int number, siginfo_t *info, void *unused) {
    (void)unused;
    int error = errno;
    if (info->si_code != SI_KERNEL) { /* what a terminal sends, all its processes get */
        take_news();
        kill(chain.newest, number);
    }
    errno = error;
}

static void pass_signals_on(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

/* succession_hand_over(pid, descriptor of news or -1: this process is not the first): that process serves from here on */
static int hand_over(lua_State *L) {
    chain.newest = (pid_t)lua_tointeger(L, 1);
    chain.news = (int)lua_tointeger(L, 2);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* whose successors become children of this process when it has ended */
    succession_hand_over();
    pass_signals_on();
    return 0;
}

static int status_of(int end) {
    return WIFEXITED(end) ? WEXITSTATUS(end) : STATUS_OF_SIGNAL + WTERMSIG(end);
}

/* succession_stand(status) -> status to end with: that of the newest process, once it has ended; or of this one, if it is not
 * the first, or has no successor */
static int stand(lua_State *L) {
    if (!chain.newest || chain.news < 0) {
        lua_settop(L, 1);
        return 1;
    }
    pass_signals_on(); /* libuv may have taken some back */
    for (;;) {
        int end;
        pid_t pid = waitpid(-1, &end, 0);
        if (pid < 0 && errno != EINTR) {
            break;
        }
        take_news();
        if (pid == chain.newest) {
            lua_pushinteger(L, status_of(end));
            return 1;
        }
    }
    lua_settop(L, 1);
    return 1;
}

/* ---- in the successor ---- */

/* succession_take() -> descriptor at which the predecessor waits, that of news | nil: there is no predecessor */
static int take(lua_State *L) {
    int ready, leader;
    if (!succession_begin(&ready, &leader)) {
        return 0;
    }
    lua_pushinteger(L, ready);
    lua_pushinteger(L, leader);
    return 2;
}

/* succession_unclaimed() -> how many of the predecessor's listeners nobody has bound yet */
static int unclaimed(lua_State *L) {
    lua_pushinteger(L, succession_unclaimed());
    return 1;
}

/* succession_ready(descriptors as of succession_take): this process serves */
static int tell_ready(lua_State *L) {
    int ready = (int)lua_tointeger(L, 1), leader = (int)lua_tointeger(L, 2);
    pid_t own = getpid();
    succession_close_rest();
    (void)!send(leader, &own, sizeof own, MSG_NOSIGNAL); /* before the predecessor ends: whom to wait for then */
    (void)!send(ready, "r", 1, MSG_NOSIGNAL);
    close(ready);
    return 0;
}

static const function functions[] = {
    {"succession_on_hangup", begin_on_hangup},
    {"succession_listeners", gather},
    {"succession_close", close_descriptor},
    {"succession_pair", open_pair},
    {"succession_hand_over", hand_over},
    {"succession_stand", stand},
    {"succession_take", take},
    {"succession_unclaimed", unclaimed},
    {"succession_ready", tell_ready},
    {NULL, NULL},
};
const module succession_module = {.functions = functions};
