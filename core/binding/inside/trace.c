/* SPDX-License-Identifier: MIT
 *
 * What tasks do when, for Perfetto and Chrome: an event for each resume and each wake-up, in a ring that keeps the last ones,
 * and becomes text when the trace ends. While there is none, a resume knows nothing of it: the trace stands in the place of
 * executor.resume, as the meter does (loop/inside/meter.h).
 *
 *   resume(t) --> who is behind the tail of the ready queue now was woken by t
 *
 * A thread is a process of the trace, a task a thread of it. What is between two resumes of a task is its wait.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "binding/inside/trace.h"
#include "binding/task/handle.h"
#include "binding/task/task.h"
#include "loop/task.h"

enum { WOKEN_MAX = 1000 };
_Static_assert(RESUME_EVENTS >= WAKE_EVENTS, "where there is room for a resume, there is for a wake-up");

const char event_who[] = "who", event_begin[] = "begin", event_later[] = "later", event_wake[] = "wake",
           event_ended[] = "ended";

static inline void add(struct trace *trace, const char *what, uint32_t slot, uint32_t ticks) {
    *trace->next++ = (event){what, slot, ticks};
}

static void end_part(struct trace *trace) {
    part *p = trace_part(trace);
    p->count = (uint32_t)(trace->next - p->events);
}

static __attribute__((noinline)) void begin_part(struct trace *trace) {
    trace->parts++;
    part *p = trace_part(trace);
    p->tick = trace->last_tick;
    trace->next = p->events;
    trace->last = p->events + PART_EVENTS - RESUME_EVENTS;
    if (trace->noted) {
        memset(trace->noted, 0, trace->noted_count * sizeof *trace->noted);
    }
}

static inline bool is_noted(const struct trace *trace, const task *t) {
    if (t->head.index >= trace->noted_count) {
        return false;
    }
    const noted *n = &trace->noted[t->head.index];
    return n->generation == t->head.generation && n->name == task_name_of(t);
}

/* Remembers that it is noted; where there is no memory, it is noted again and again. */
static void remember(struct trace *trace, const task *t) {
    if (t->head.index >= trace->noted_count) {
        uint32_t count = t->executor->tasks.chunk_count * SLAB_CHUNK_SLOTS;
        noted *table = realloc(trace->noted, count * sizeof *table);
        if (!table) {
            return;
        }
        memset(table + trace->noted_count, 0, (count - trace->noted_count) * sizeof *table);
        trace->noted = table;
        trace->noted_count = count;
    }
    trace->noted[t->head.index] = (noted){task_name_of(t), t->head.generation};
}

static __attribute__((noinline)) void note_who(struct trace *trace, const task *t) {
    identity who = {.id = ((const handle *)t->handle)->id};
    if (t->has_name) {
        strncpy(who.name, task_name_of(t), NAME_BYTES - 1);
    }
    uint32_t events = t->has_name ? IDENTITY_EVENTS : ID_EVENTS;
    add(trace, event_who, t->head.index, events);
    memcpy(trace->next, &who, events * sizeof *trace->next);
    trace->next += events;
    remember(trace, t);
}

/* The task that has begun the trace has been parked since, or has ended: it has waited from the beginning on. */
static void note_starter(struct trace *trace, const executor *ex) {
    const task *t = task_get(ex, trace->starter);
    add(trace, !t ? event_ended : t->waits_for ? t->waits_for : "ready", (uint32_t)trace->starter, 0);
    trace->starter = 0;
}

/* A run begins, though none has ended just now. */
static __attribute__((noinline)) void note_begin(struct trace *trace, const executor *ex) {
    if (trace->starter) {
        note_starter(trace, ex);
    }
    uint64_t now = trace_tick(trace), ticks = now - trace->last_tick;
    add(trace, event_begin, (uint32_t)(ticks >> 32), (uint32_t)ticks);
    trace->last_tick = now;
    trace->polls = ex->counters.polls;
}

/* So long that it does not fit into a run's event; or the clock of this CPU is behind that of another one. */
static __attribute__((noinline)) uint64_t note_later(struct trace *trace, uint64_t ticks) {
    if ((int64_t)ticks < 0) {
        return 0;
    }
    add(trace, event_later, (uint32_t)(ticks >> 32), (uint32_t)ticks);
    trace->last_tick += ticks;
    return 0;
}

static inline void note_run(struct trace *trace, uint32_t slot, const char *waits_for) {
    uint64_t ticks = trace_tick(trace) - trace->last_tick;
    if (__builtin_expect(ticks >> 32 != 0, 0)) {
        ticks = note_later(trace, ticks);
    }
    add(trace, waits_for, slot, (uint32_t)ticks);
    trace->last_tick += ticks;
}

/* Those behind `tail` in the ready queue have come while the task ran, whose event is the last one. Where the part is full,
 * they are left out. */
static void note_wakes(struct trace *trace, executor *ex, const list *tail, const task *by) {
    unsigned n = 0;
    for (const list *node = tail->next; node != &ex->ready && node != tail && n < WOKEN_MAX; node = node->next) {
        const task *woken = waiter_task(list_entry(node, waiter, link));
        n++;
        if (trace->next > trace->last) {
            return;
        }
        if (woken != by && woken->state == TASK_READY) {
            if (!is_noted(trace, woken)) {
                note_who(trace, woken);
            }
            add(trace, event_wake, woken->head.index, 0);
        }
    }
}

static inline const char *what_of(const task *t) {
    return t->state == TASK_WAITING ? t->waits_for : t->state == TASK_READY ? "ready" : event_ended;
}

static void resume(task *t) {
    executor *ex = t->executor;
    runtime *rt = ex->user;
    struct trace *trace = rt->trace;
    if (!trace) { /* it has ended beneath a meter */
        resume_task(t);
        return;
    }
    if (trace->next > trace->last) {
        end_part(trace);
        begin_part(trace);
    }
    if (trace->polls !=
        ex->counters.polls) { /* else it runs just behind another one: a look at the clock serves for both */
        note_begin(trace, ex);
    }
    if (!is_noted(trace, t)) {
        note_who(trace, t);
    }
    const list *tail = ex->ready.prev;
    uint32_t slot = t->head.index;
    trace->resume(t);
    if (rt->trace != trace) { /* the task has ended it */
        return;
    }
    note_run(trace, slot, what_of(t));
    if (tail->next != &ex->ready && (ex->ready.prev != &t->place.link || tail->next != &t->place.link)) {
        note_wakes(trace, ex, tail, t);
    }
}

static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

/* Writes it, and ends it: 0, or why it is not written. */
static int finish(runtime *rt) {
    int status = 0;
    if (rt->trace) {
        const task *current = rt->executor.current;
        if (current) {
            note_run(rt->trace, current->head.index, event_ended);
        }
        end_part(rt->trace);
        pthread_mutex_lock(&adding); /* other threads add theirs */
        status = trace_tell(rt->trace, rt->executor.tasks.chunk_count * SLAB_CHUNK_SLOTS);
        pthread_mutex_unlock(&adding);
        if (rt->executor.resume == resume) { /* else a meter stands above, or has been taken away from beneath */
            rt->executor.resume = rt->trace->resume;
        }
        free(rt->trace->noted);
        free(rt->trace);
        rt->trace = NULL;
    }
    return status;
}

static void finish_at_end(runtime *rt) {
    finish(rt);
}

/* A task has called os.exit: what other threads have not written by now is lost, and none begins to write. */
static void finish_at_exit(void) {
    if (executor_running) {
        finish(executor_running->user);
    }
    pthread_mutex_lock(&adding);
}

static pthread_once_t traced = PTHREAD_ONCE_INIT;

static void call_at_exit(void) {
    atexit(finish_at_exit);
}

/* Whether the CPU's own clock goes at one speed, and does not stop. */
static bool counts_time(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1U << 8);
#else
    return false;
#endif
}

/* trace_begin(path, number of the thread, its name, whether the file begins) -> true | nil, err, code | false: it is under way */
static int begin(lua_State *L) {
    runtime *rt = runtime_of(L);
    executor *ex = open_executor(L);
    if (rt->trace) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int status = lua_toboolean(L, 4) ? trace_begin_file(luaL_checkstring(L, 1)) : 0;
    struct trace *trace = status == 0 ? malloc(sizeof *trace) : NULL;
    if (!trace) {
        return push_failure(L, status < 0 ? status : UV_ENOMEM);
    }
    memset(trace, 0, offsetof(struct trace, ring));
    strncpy(trace->path, luaL_checkstring(L, 1), sizeof trace->path - 1);
    trace->thread = (unsigned)lua_tointeger(L, 2);
    strncpy(trace->thread_name, luaL_checkstring(L, 3), sizeof trace->thread_name - 1);
    ex->resume = ex->resume ? ex->resume : resume_task;
    trace->resume = ex->resume;
    trace->counts_time = counts_time();
    trace->begin_tick = trace->last_tick = trace_tick(trace);
    trace->begin_ns = uv_hrtime();
    trace->polls = UINT64_MAX;
    begin_part(trace);
    if (ex->current) {
        ex->current->waits_for = NULL;
        trace->starter = slab_id(&ex->current->head);
        note_who(trace, ex->current);
    }
    pthread_once(&traced, call_at_exit);
    rt->trace = trace;
    ex->resume = resume;
    lua_pushboolean(L, 1);
    return 1;
}

/* trace_end() -> true | nil, err, code | false: there is none */
static int end(lua_State *L) {
    runtime *rt = runtime_of(L);
    if (!rt->trace) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int status = finish(rt);
    if (status < 0) {
        return push_failure(L, status);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static const function functions[] = {{"trace_begin", begin}, {"trace_end", end}, {NULL, NULL}};
const module trace_module = {.functions = functions, .close = finish_at_end};
