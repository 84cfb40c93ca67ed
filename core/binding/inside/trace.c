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
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/websocket.h"
#include "binding/task/handle.h"
#include "binding/task/task.h"
#include "loop/task.h"

enum { RECORDS = 1 << 18, NAME_BYTES = 48, WOKEN_MAX = 1000 };

typedef struct record {
    uint64_t begin, end; /* in ticks; a wake-up: both are when it was */
    uint64_t id;         /* of the task that ran, or was woken */
    union {
        const char *waits_for; /* once it had run; NULL: it was ready, or had ended */
        uint64_t by;           /* of the task that woke it */
    };
    uint32_t slot;
    bool is_wake;
} record;

/* Who a slot's task is. */
typedef struct name {
    uint64_t id;
    char text[NAME_BYTES];
} name;

struct trace {
    void (*resume)(task *); /* of who set it */
    uint64_t count;         /* of records that there were */
    name *names;            /* in the order in which tasks got them */
    size_t name_count, name_room;
    const char **shown; /* by slot: the name that was noted last */
    uint32_t shown_count;
    uint64_t starter;          /* id of the task that began it, until it is resumed again */
    bool running;              /* the record behind the last one is of the resume under way */
    uint64_t last_tick, polls; /* at the end of the last resume, and how many polls there had been */
    uint64_t begin_tick, begin_ns;
    unsigned thread;
    char thread_name[NAME_BYTES];
    char path[PATH_MAX]; /* of the file that it is added to */
    record records[RECORDS];
};

/* About a ns of the CPU's own clock; how many make a second is found by comparison. */
static inline uint64_t tick(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return uv_hrtime();
#endif
}

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
    *r = (record){.begin = follows ? trace->last_tick : tick(), .id = id, .slot = slot};
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

/* What the file has had is lost. */
static int begin_file(const char *path) {
    FILE *to = fopen(path, "we");
    if (!to) {
        return uv_translate_sys_error(errno);
    }
    fputs("[\n", to);
    return fclose(to) == 0 ? 0 : uv_translate_sys_error(errno);
}

/* trace_begin(path, number of the thread, its name, whether the file begins) -> true | nil, err, code | false: it is under way */
static int begin(lua_State *L) {
    runtime *rt = runtime_of(L);
    executor *ex = open_executor(L);
    if (rt->trace) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int status = lua_toboolean(L, 4) ? begin_file(luaL_checkstring(L, 1)) : 0;
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
    rt->trace = trace;
    ex->resume = resume;
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- as text ---- */

/* What is known of a slot's task while records are told in their order. */
typedef struct seen {
    uint64_t id, end, flow;
    const char *waits_for;
} seen;

typedef struct teller {
    FILE *to;
    const struct trace *trace;
    double us_per_tick;
    unsigned thread;
    uint64_t flows;
    seen *seen;
} teller;

static double us_of(const teller *t, uint64_t at) {
    return (double)t->trace->begin_ns / 1e3 + (double)(int64_t)(at - t->trace->begin_tick) * t->us_per_tick;
}

static void tell_slice(const teller *t, uint64_t id, const char *what, const char *kind, uint64_t from, uint64_t to) {
    fprintf(t->to, "{\"ph\":\"X\",\"pid\":%u,\"tid\":%llu,\"name\":\"%s\",\"cat\":\"%s\",\"ts\":%.3f,\"dur\":%.3f},\n",
            t->thread, (unsigned long long)id, what, kind, us_of(t, from), (double)(to - from) * t->us_per_tick);
}

static void tell_flow(const teller *t, const char *phase, uint64_t flow, uint64_t id, uint64_t at) {
    fprintf(
        t->to,
        "{\"ph\":\"%s\",\"id\":\"%u.%llu\",\"pid\":%u,\"tid\":%llu,\"name\":\"wake\",\"cat\":\"wake\",\"ts\":%.3f},\n",
        phase, t->thread, (unsigned long long)flow, t->thread, (unsigned long long)id, us_of(t, at));
}

static void tell_record(teller *t, const record *r) {
    seen *s = &t->seen[r->slot];
    if (r->is_wake) {
        if (s->id == r->id) {
            s->flow = ++t->flows;
            tell_flow(t, "s", s->flow, r->by, r->begin);
        }
        return;
    }
    if (s->id == r->id && s->waits_for) {
        tell_slice(t, r->id, s->waits_for, "wait", s->end, r->begin);
    }
    tell_slice(t, r->id, "run", "run", r->begin, r->end);
    if (s->id == r->id && s->flow) {
        tell_flow(t, "f\",\"bp\":\"e", s->flow, r->id, r->begin);
    }
    *s = (seen){.id = r->id, .end = r->end, .waits_for = r->waits_for};
}

/* The bytes of the first character; 0: it is no UTF-8, also where a name that was too long has been cut within it. */
static size_t character_size(const char *text) {
    utf8_state seen = {0};
    size_t n = 0;
    while (utf8_advance(&seen, text + n, 1)) {
        n++;
        if (!seen.left) {
            return n;
        }
    }
    return 0;
}

static void tell_text(FILE *to, const char *text) {
    while (*text) {
        size_t n = character_size(text);
        if (*text == '"' || *text == '\\') {
            fputc('\\', to);
        }
        if (n == 0) {
            fputs("\xef\xbf\xbd", to);
        } else if ((unsigned char)*text < ' ') {
            fputc(' ', to);
        } else {
            fwrite(text, 1, n, to);
        }
        text += n ? n : 1;
    }
}

static void tell_names(const teller *t) {
    fprintf(t->to, "{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"", t->thread);
    tell_text(t->to, t->trace->thread_name);
    fputs("\"}},\n", t->to);
    for (size_t i = 0; i < t->trace->name_count; i++) {
        const name *n = &t->trace->names[i];
        fprintf(t->to, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%llu,\"name\":\"thread_name\",\"args\":{\"name\":\"",
                t->thread, (unsigned long long)n->id);
        tell_text(t->to, n->text);
        fprintf(t->to, " (%llu)\"}},\n", (unsigned long long)n->id);
    }
}

/* Appends to the file. */
static int tell(const struct trace *trace, uint32_t slots) {
    uint64_t ticks = tick() - trace->begin_tick, ns = uv_hrtime() - trace->begin_ns;
    teller t = {.trace = trace, .thread = trace->thread, .us_per_tick = ticks ? (double)ns / 1e3 / (double)ticks : 0};
    t.seen = calloc(slots + 1, sizeof *t.seen);
    t.to = t.seen ? fopen(trace->path, "ae") : NULL;
    if (!t.to) {
        free(t.seen);
        return t.seen ? uv_translate_sys_error(errno) : UV_ENOMEM;
    }
    flock(fileno(t.to), LOCK_EX); /* other threads append theirs */
    tell_names(&t);
    uint64_t first = trace->count > RECORDS ? trace->count - RECORDS : 0;
    for (uint64_t i = first; i < trace->count; i++) {
        tell_record(&t, &trace->records[i % RECORDS]);
    }
    bool ok = !ferror(t.to);
    int status = fclose(t.to) == 0 && ok ? 0 : uv_translate_sys_error(errno);
    free(t.seen);
    return status;
}

/* Writes it, and ends it: 0, or why it is not written. */
static int finish(runtime *rt) {
    int status = 0;
    if (rt->trace) {
        if (rt->trace->running) {
            next_record(rt->trace)->end = tick();
        }
        status = tell(rt->trace, rt->executor.tasks.chunk_count * SLAB_CHUNK_SLOTS);
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
