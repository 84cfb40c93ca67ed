/* SPDX-License-Identifier: MIT
 *
 * What LuaJIT's profiler needs to know of tasks. Its own timer counts what all threads of the process compute, and a signal
 * that comes while a task is in C, or between two tasks, is told when Lua code goes on, maybe another task's. So the timer is
 * one of this thread's CPU time, and who has computed is noted when the signal comes.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "binding/task/handle.h"
#include "loop/libc.h"
#include "loop/task.h"

enum { PERIOD_NS = 1000000, NAME_MAX_BYTES = 64 };

/* LuaJIT has one profiler for the process, and so there is one of these. */
static struct {
    bool on;
    timer_t timer;
    void (*tell)(int number); /* LuaJIT's handler */
    uint64_t ran_ns;          /* of the thread, as of the last sample */
    volatile uint64_t id;     /* of the task that computed when the last signal came; 0: the loop did */
    char name[NAME_MAX_BYTES];
} profiler;

static uint64_t thread_ns(void) {
    struct timespec ran;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
    return (uint64_t)ran.tv_sec * 1000000000 + (uint64_t)ran.tv_nsec;
}

static void on_signal(int number) {
    int error = errno;
    const executor *ex = executor_running;
    const task *t = ex ? ex->current : NULL;
    profiler.id = t ? ((const handle *)t->handle)->id : 0;
    profiler.name[0] = '\0';
    if (t && t->has_name) {
        strncpy(profiler.name, task_name_of(t), NAME_MAX_BYTES - 1);
    }
    profiler.tell(number);
    errno = error;
}

static int start_timer(void) {
    struct sigevent to = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    to.sigev_notify_thread_id = gettid();
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &to, &profiler.timer) < 0) {
        return uv_translate_sys_error(errno);
    }
    struct timespec period = {.tv_nsec = PERIOD_NS};
    timer_settime(profiler.timer, 0, &(struct itimerspec){period, period}, NULL);
    return 0;
}

/* profile_begin() -> true | nil, err, code: jit.profile has been started on this thread */
static int begin(lua_State *L) {
    struct sigaction action;
    sigaction(SIGPROF, NULL, &action);
    profiler.tell = action.sa_handler;
    profiler.ran_ns = thread_ns();
    int status = start_timer();
    if (status < 0) {
        return push_failure(L, status);
    }
    profiler.on = true;
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    action.sa_handler = on_signal;
    sigaction(SIGPROF, &action, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* profile_end(): before jit.profile is stopped, which sets back whose signal SIGPROF was */
static int end(lua_State *L) {
    (void)L;
    if (profiler.on) {
        profiler.on = false;
        timer_delete(profiler.timer);
    }
    return 0;
}

/* profile_is_on(): on any thread */
static int is_on(lua_State *L) {
    lua_pushboolean(L, profiler.on);
    return 1;
}

/* profile_sample() -> seconds that the thread has computed since the last sample, id of the task or 0, its name */
static int sample(lua_State *L) {
    uint64_t now_ns = thread_ns();
    lua_pushnumber(L, (double)(now_ns - profiler.ran_ns) / 1e9);
    profiler.ran_ns = now_ns;
    lua_pushnumber(L, (double)profiler.id);
    lua_pushstring(L, profiler.name);
    return 3;
}

static const function functions[] = {
    {"profile_begin", begin}, {"profile_end", end}, {"profile_is_on", is_on}, {"profile_sample", sample}, {NULL, NULL},
};
const module profile_module = {.functions = functions};
