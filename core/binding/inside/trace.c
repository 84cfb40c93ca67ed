/* SPDX-License-Identifier: MIT
 *
 * What tasks do when, for Perfetto and Chrome: a record for each resume and each wake-up, in a ring that keeps the last ones,
 * and becomes text when the trace ends. While there is none, a resume knows nothing of it: the trace stands in the place of
 * executor.resume, as the meter does (loop/inside/meter.h).
 *
 *   resume(t) --> who is behind the tail of the ready queue now was woken by t
 *
 * A thread is a process of the trace, a task a thread of it. What is between two resumes of a task is its wait.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "binding/inside/trace.h"
#include "binding/task/handle.h"
#include "binding/task/task.h"
#include "loop/task.h"

enum { WOKEN_MAX = 1000 };

static inline record *next_record(struct trace *t) {
    return &t->records[t->count++ % RECORDS];
}

/* A name is noted when a task is resumed with another one than before. */
static __attribute__((noinline)) void note_name(struct trace *trace, const task *t) {
    uint32_t slot = t->head.index;
    if (slot >= trace->shown_count) {
        uint32_t count = t->executor->tasks.chunk_count * SLAB_CHUNK_SLOTS;
        const char **shown = realloc(trace->shown, count * sizeof *shown);
        if (!shown) {
            return;
        }
        memset(shown + trace->shown_count, 0, (count - trace->shown_count) * sizeof *shown);
        trace->shown = shown;
        trace->shown_count = count;
    }
    trace->shown[slot] = t->name;
    if (!t->name) {
        return;
    }
    if (trace->name_count == trace->name_room) {
        size_t room = 2 * trace->name_room + 64;
        name *names = realloc(trace->names, room * sizeof *names);
        if (!names) {
            return;
        }
        trace->names = names;
        trace->name_room = room;
    }
    name *n = &trace->names[trace->name_count++];
    n->id = ((const handle *)t->handle)->id;
    strncpy(n->text, t->name, NAME_BYTES - 1);
    n->text[NAME_BYTES - 1] = '\0';
}

/* Those behind `tail` in the ready queue have come while the task ran. */
static void note_wakes(struct trace *trace, executor *ex, const list *tail, const task *by, uint64_t by_id,
                       uint64_t at) {
    unsigned n = 0;
    for (const list *node = tail->next; node != &ex->ready && node != tail && n < WOKEN_MAX; node = node->next) {
        const task *woken = list_entry(node, waiter, link)->task;
        n++;
        if (woken != by && woken->state == TASK_READY) {
            *next_record(trace) = (record){.begin = at,
                                           .end = at,
                                           .id = ((const handle *)woken->handle)->id,
                                           .by = by_id,
                                           .slot = woken->head.index,
                                           .is_wake = true};
        }
    }
}

static void resume(task *t) {
    executor *ex = t->executor;
    runtime *rt = ex->user;
    struct trace *trace = rt->trace;
    if (!trace) { /* it has ended beneath a meter */
        resume_task(t);
        return;
    }
    const list *tail = ex->ready.prev;
    uint64_t id = ((const handle *)t->handle)->id;
    uint32_t slot = t->head.index;
    if (slot >= trace->shown_count || trace->shown[slot] != t->name) {
        note_name(trace, t);
    }
    if (id == trace->starter) { /* what it has waited for since, stands in its first record */
        trace->starter = 0;
        if (trace->count <= RECORDS) {
            trace->records[0].waits_for = t->waits_for ? t->waits_for : "ready";
        }
    }
    record *r = &trace->records[trace->count % RECORDS];
    bool follows = trace->polls == ex->counters.polls; /* at once: then a look at the clock serves for both */
    r->begin = follows ? trace->last_tick : tick();
    r->id = id;
    r->waits_for = NULL;
    r->slot = slot;
    r->is_wake = false;
    trace->running = true;
    trace->resume(t);
    if (rt->trace != trace) { /* the task has ended it */
        return;
    }
    r->end = trace->last_tick = tick();
    trace->polls = ex->counters.polls;
    trace->count++;
    trace->running = false;
    if (t->state == TASK_WAITING) {
        r->waits_for = t->waits_for;
    } else if (t->state == TASK_READY) {
        r->waits_for = "ready";
    }
    if (tail->next != &ex->ready && (ex->ready.prev != &t->place.link || tail->next != &t->place.link)) {
        note_wakes(trace, ex, tail, t, id, r->end);
    }
}

static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

/* Writes it, and ends it: 0, or why it is not written. */
static int finish(runtime *rt) {
    int status = 0;
    if (rt->trace) {
        if (rt->trace->running) {
            next_record(rt->trace)->end = tick();
        }
        pthread_mutex_lock(&adding); /* other threads add theirs */
        status = trace_tell(rt->trace, rt->executor.tasks.chunk_count * SLAB_CHUNK_SLOTS);
        pthread_mutex_unlock(&adding);
        if (rt->executor.resume == resume) { /* else a meter stands above, or has been taken away from beneath */
            rt->executor.resume = rt->trace->resume;
        }
        free(rt->trace->names);
        free(rt->trace->shown);
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
    memset(trace, 0, offsetof(struct trace, records));
    strncpy(trace->path, luaL_checkstring(L, 1), sizeof trace->path - 1);
    trace->thread = (unsigned)lua_tointeger(L, 2);
    strncpy(trace->thread_name, luaL_checkstring(L, 3), sizeof trace->thread_name - 1);
    ex->resume = ex->resume ? ex->resume : resume_task;
    trace->resume = ex->resume;
    trace->begin_tick = tick();
    trace->begin_ns = uv_hrtime();
    if (ex->current) {
        ex->current->waits_for = NULL;
        trace->starter = ((const handle *)ex->current->handle)->id;
        *next_record(trace) = (record){.begin = trace->begin_tick,
                                       .end = trace->begin_tick,
                                       .id = trace->starter,
                                       .slot = ex->current->head.index};
    }
    trace->polls = UINT64_MAX;
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
