/* SPDX-License-Identifier: MIT
 *
 * A trace as text, for Perfetto and Chrome: an array of events as JSON. The file is whole whenever nobody adds to it: whoever
 * does writes over its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/websocket.h"
#include "binding/inside/trace.h"

static const char first_event[] = "{\"ph\":\"M\",\"pid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"momo\"}}";
static const char file_end[] = "\n]\n";

/* Where the file's next event goes. */
static int seek_end(FILE *to) {
    return fseek(to, -(long)strlen(file_end), SEEK_END);
}

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
    fprintf(t->to, ",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%llu,\"name\":\"%s\",\"cat\":\"%s\",\"ts\":%.3f,\"dur\":%.3f}",
            t->thread, (unsigned long long)id, what, kind, us_of(t, from), (double)(to - from) * t->us_per_tick);
}

static void tell_flow(const teller *t, const char *phase, uint64_t flow, uint64_t id, uint64_t at) {
    fprintf(
        t->to,
        ",\n{\"ph\":\"%s\",\"id\":\"%u.%llu\",\"pid\":%u,\"tid\":%llu,\"name\":\"wake\",\"cat\":\"wake\",\"ts\":%.3f}",
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
    fprintf(t->to, ",\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"", t->thread);
    tell_text(t->to, t->trace->thread_name);
    fputs("\"}}", t->to);
    for (size_t i = 0; i < t->trace->name_count; i++) {
        const name *n = &t->trace->names[i];
        fprintf(t->to, ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%llu,\"name\":\"thread_name\",\"args\":{\"name\":\"",
                t->thread, (unsigned long long)n->id);
        tell_text(t->to, n->text);
        fprintf(t->to, " (%llu)\"}}", (unsigned long long)n->id);
    }
}

int trace_tell(const struct trace *trace, uint32_t slots) {
    uint64_t ticks = tick() - trace->begin_tick, ns = uv_hrtime() - trace->begin_ns;
    teller t = {.trace = trace, .thread = trace->thread, .us_per_tick = ticks ? (double)ns / 1e3 / (double)ticks : 0};
    t.seen = calloc(slots + 1, sizeof *t.seen);
    if (!t.seen) {
        return UV_ENOMEM;
    }
    t.to = fopen(trace->path, "r+e");
    if (!t.to || seek_end(t.to) < 0) {
        int status = uv_translate_sys_error(errno);
        if (t.to) {
            fclose(t.to);
        }
        free(t.seen);
        return status;
    }
    tell_names(&t);
    uint64_t first = trace->count > RECORDS ? trace->count - RECORDS : 0;
    for (uint64_t i = first; i < trace->count; i++) {
        tell_record(&t, &trace->records[i % RECORDS]);
    }
    fputs(file_end, t.to);
    bool ok = !ferror(t.to);
    int status = fclose(t.to) == 0 && ok ? 0 : uv_translate_sys_error(errno);
    free(t.seen);
    return status;
}
