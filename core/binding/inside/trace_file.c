/* SPDX-License-Identifier: MIT
 *
 * A trace as text, for Perfetto and Chrome: an array of events as JSON. The file is whole whenever nobody adds to it: whoever
 * does writes over its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/websocket.h"
#include "binding/inside/trace.h"

static const char first_event[] = "{\"ph\":\"M\",\"pid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"momo\"}}";
static const char file_end[] = "\n]\n";

int trace_begin_file(const char *path) {
    FILE *to = fopen(path, "we");
    if (!to) {
        return uv_translate_sys_error(errno);
    }
    int status = 0;
    if (fseek(to, 0, SEEK_END) < 0 || fprintf(to, "[\n%s%s", first_event, file_end) < 0 || fflush(to) != 0) {
        status = uv_translate_sys_error(errno);
    }
    fclose(to);
    return status;
}

/* What is known of a slot's task while events are told in their order. */
typedef struct seen {
    uint64_t id; /* 0: nothing */
    char name[NAME_BYTES];
    uint64_t end, flow;    /* of its last run, if there was one; and of the wake-up since, or 0 */
    const char *waits_for; /* since then; NULL: unknown */
} seen;

typedef struct teller {
    FILE *to;
    const struct trace *trace;
    double us_per_tick;
    unsigned thread;
    uint64_t flows;
    uint64_t now, begin; /* in ticks: of the last event; and of a run, if that is the next */
    uint64_t runner;     /* id of the task that has run last */
    seen *seen;
} teller;

static double us_of(const teller *t, uint64_t at) {
    return (double)t->trace->begin_ns / 1e3 + (double)(int64_t)(at - t->trace->begin_tick) * t->us_per_tick;
}

static void tell_slice(const teller *t, uint64_t id, const char *what, const char *kind, uint64_t from, uint64_t to) {
    fprintf(t->to, ",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%llu,\"name\":\"%s\",\"cat\":\"%s\",\"ts\":%.3f,\"dur\":%.3f}",
            t->thread, (unsigned long long)id, what, kind, us_of(t, from), (double)(to - from) * t->us_per_tick);
}

static void tell_flow(const teller *t, const char *phase, uint64_t flow, uint64_t id, uint64_t at) {
    fprintf(
        t->to,
        ",\n{\"ph\":\"%s\",\"id\":\"%u.%llu\",\"pid\":%u,\"tid\":%llu,\"name\":\"wake\",\"cat\":\"wake\",\"ts\":%.3f}",
        phase, t->thread, (unsigned long long)flow, t->thread, (unsigned long long)id, us_of(t, at));
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

static void tell_thread(const teller *t) {
    fprintf(t->to, ",\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"", t->thread);
    tell_text(t->to, t->trace->thread_name);
    fputs("\"}}", t->to);
}

static void tell_name(const teller *t, const seen *s) {
    fprintf(t->to, ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%llu,\"name\":\"thread_name\",\"args\":{\"name\":\"", t->thread,
            (unsigned long long)s->id);
    tell_text(t->to, s->name);
    fprintf(t->to, " (%llu)\"}}", (unsigned long long)s->id);
}

/* The event is followed by an identity. */
static void tell_who(const teller *t, const event *e) {
    seen *s = &t->seen[e->slot];
    identity who = {0};
    memcpy(&who, e + 1, e->ticks * sizeof *e);
    if (s->id != who.id) {
        *s = (seen){.id = who.id};
    }
    if (strcmp(s->name, who.name) != 0) {
        memcpy(s->name, who.name, sizeof s->name);
        tell_name(t, s);
    }
}

static void tell_run(teller *t, seen *s, const char *waits_for) {
    if (s->waits_for) {
        tell_slice(t, s->id, s->waits_for, "wait", s->end, t->begin);
    }
    tell_slice(t, s->id, "run", "run", t->begin, t->now);
    if (s->flow) {
        tell_flow(t, "f\",\"bp\":\"e", s->flow, s->id, t->begin);
    }
    s->end = t->now;
    s->flow = 0;
    s->waits_for = waits_for == event_ended ? NULL : waits_for;
    t->runner = s->id;
    t->begin = t->now;
}

static void tell_wake(teller *t, seen *s) {
    s->flow = ++t->flows;
    tell_flow(t, "s", s->flow, t->runner, t->now);
}

/* Returns how many events it was. */
static uint32_t tell_event(teller *t, const event *e) {
    if (e->what == event_who) {
        tell_who(t, e);
        return 1 + e->ticks;
    } else if (e->what == event_begin || e->what == event_later) {
        t->now += (uint64_t)e->slot << 32 | e->ticks;
        t->begin = e->what == event_begin ? t->now : t->begin;
    } else if (e->what == event_wake) {
        tell_wake(t, &t->seen[e->slot]);
    } else {
        t->now += e->ticks;
        tell_run(t, &t->seen[e->slot], e->what);
    }
    return 1;
}

static void tell_part(teller *t, const part *p) {
    t->now = t->begin = p->tick;
    for (uint32_t i = 0; i < p->count;) {
        i += tell_event(t, &p->events[i]);
    }
}

/* Writes over the file's end, and a new one. */
static void tell_all(teller *t) {
    const struct trace *trace = t->trace;
    tell_thread(t);
    for (uint64_t i = trace->parts > PARTS ? trace->parts - PARTS : 0; i < trace->parts; i++) {
        tell_part(t, &trace->ring[i % PARTS]);
    }
    fputs(file_end, t->to);
}

/* As it was when it ended there, as far as that can be had: what stood there needs no further room. */
static void set_back(const char *path, long end) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = pwrite(fd, file_end, strlen(file_end), end);
    bool done = n > 0 && ftruncate(fd, end + n) == 0;
    (void)done;
    close(fd);
}

/* Writes it into the file. */
static int write_into(FILE *to, teller *t) {
    t->to = to;
    long end = fseek(to, -(long)strlen(file_end), SEEK_END) == 0 ? ftell(to) : -1;
    if (end < 0) {
        int status = uv_translate_sys_error(errno);
        fclose(to);
        return status;
    }
    tell_all(t);
    bool ok = !ferror(to);
    int status = uv_translate_sys_error(errno);
    if (fclose(to) == 0 && ok) {
        return 0;
    }
    status = ok ? uv_translate_sys_error(errno) : status;
    set_back(t->trace->path, end);
    return status;
}

int trace_tell(const struct trace *trace, uint32_t slots) {
    uint64_t ticks = trace_tick(trace) - trace->begin_tick, ns = uv_hrtime() - trace->begin_ns;
    teller t = {.trace = trace, .thread = trace->thread, .us_per_tick = ticks ? (double)ns / 1e3 / (double)ticks : 0};
    t.seen = calloc(slots + 1, sizeof *t.seen);
    if (!t.seen) {
        return UV_ENOMEM;
    }
    FILE *to = fopen(trace->path, "r+e");
    int status = to ? write_into(to, &t) : uv_translate_sys_error(errno);
    free(t.seen);
    return status;
}
