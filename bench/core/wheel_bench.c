/* SPDX-License-Identifier: MIT
 *
 * The timer wheel in nanoseconds, beside libuv's heap and beside the latency of as much memory.
 *
 * Usage: wheel_bench [pending at most, 10000000 unless told]
 *
 * The deadlines are `uniform` over the hour to come, or `cluster`ed within 16 ms around 30 s, a minute and an hour, as the
 * time limits of many like things are. The columns: `fill` is a timer of all those inserted one after the other; `insert`
 * is one more on top, and `hot` its removal soon after; `random` is the removal of any pending one; `next` is the question
 * when the next one is due; `expire` is what a timer costs from then to its expiry, cascades included, with the time
 * jumping from one wheel_next_ms() to the next; `worst` is the longest single wheel_advance() on the way, in microseconds;
 * `rare` is a time limit of 30 s that hardly ever fires: of so many, one after the other is armed anew, a thousand in each
 * millisecond, and what that takes with the passing of the time; `chase` is one pointer followed to a random timer. */
#include "base/wheel.h"

#include "bench.h"

#include <uv.h>

enum { BATCH = 1000, ROUNDS = 50, BUDGET = 4096, SPAN_MS = 3600000, LIMIT_MS = 30000, SOME_AT_MOST = 1000000 };

struct item { /* a line of its own, as the timer of a task has */
    wheel_timer timer;
    char rest[40];
};

struct figures {
    double fill_ns, insert_ns, hot_ns, random_ns, next_ns, expire_ns, worst_ns, rare_ns, chase_ns;
};

static uint64_t deadlines[BATCH];
static size_t picks[BATCH];

typedef uint64_t draw_deadline(void);

static uint64_t uniform(void) {
    return 2 + bench_random() % SPAN_MS;
}

static uint64_t cluster(void) {
    static const uint64_t centers[] = {30000, 60000, SPAN_MS};
    uint64_t random = bench_random();
    return centers[random % 3] + (random >> 32) % 16;
}

/* BATCH deadlines, and as many pending timers, none twice: each from a stretch of its own. */
static void draw(size_t pending, draw_deadline *deadline) {
    size_t stretch = pending / BATCH;
    for (size_t i = 0; i < BATCH; i++) {
        deadlines[i] = deadline();
        picks[i] = stretch > 0 ? i * stretch + bench_random() % stretch : i % pending;
    }
    for (size_t i = BATCH - 1; i > 0; i--) {
        size_t j = bench_random() % (i + 1), pick = picks[i];
        picks[i] = picks[j];
        picks[j] = pick;
    }
}

static void expire_all(wheel *w, size_t pending, double *expire_ns) {
    list expired;
    uint64_t begin_ns = bench_now_ns();
    while (w->count > 0) {
        list_init(&expired);
        wheel_advance(w, wheel_next_ms(w), BUDGET, &expired);
    }
    bench_min(expire_ns, begin_ns, pending);
}

/* The same, with a look at the clock after each call. */
static void worst_advance(wheel *w, double *worst_ns) {
    list expired;
    uint64_t longest_ns = 0, last_ns = bench_now_ns();
    while (w->count > 0) {
        list_init(&expired);
        wheel_advance(w, wheel_next_ms(w), BUDGET, &expired);
        uint64_t now_ns = bench_now_ns();
        if (now_ns - last_ns > longest_ns) longest_ns = now_ns - last_ns;
        last_ns = now_ns;
    }
    if (*worst_ns == 0 || (double)longest_ns < *worst_ns) *worst_ns = (double)longest_ns;
}

/* What armed timers cost that are armed anew long before they are due. */
static double rare_wheel(wheel *w, struct item *items, size_t pending) {
    double best_ns = 0;
    uint64_t now_ms = 1;
    wheel_init(w, now_ms);
    for (size_t i = 0; i < pending; i++) {
        wheel_timer_init(&items[i].timer);
        wheel_insert(w, &items[i].timer, now_ms + LIMIT_MS);
    }
    size_t i = 0;
    for (int round = 0; round < ROUNDS * 20; round++) {
        list expired;
        uint64_t begin_ns = bench_now_ns();
        for (int n = 0; n < BATCH; n++) {
            wheel_remove(w, &items[i].timer);
            wheel_insert(w, &items[i].timer, now_ms + LIMIT_MS);
            if (++i == pending) i = 0;
        }
        list_init(&expired);
        wheel_advance(w, ++now_ms, BUDGET, &expired);
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

static double next_wheel(const wheel *w) {
    double best_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin_ns = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            uint64_t next_ms = wheel_next_ms(w);
            bench_use(&next_ms);
        }
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

static struct figures bench_wheel(wheel *w, struct item *items, size_t pending, draw_deadline *deadline) {
    static struct item more[BATCH];
    struct figures f = {0};
    int fills = pending >= 1000000 ? 2 : 12;
    for (int fill = 0; fill < fills; fill++) {
        wheel_init(w, 1);
        for (size_t i = 0; i < pending; i++) wheel_timer_init(&items[i].timer);
        for (size_t i = 0; i < BATCH; i++) wheel_timer_init(&more[i].timer);

        uint64_t begin_ns = bench_now_ns();
        for (size_t i = 0; i < pending; i++) wheel_insert(w, &items[i].timer, deadline());
        bench_min(&f.fill_ns, begin_ns, pending);

        for (int round = 0; round < ROUNDS; round++) {
            draw(pending, deadline);
            begin_ns = bench_now_ns();
            for (size_t i = 0; i < BATCH; i++) wheel_insert(w, &more[i].timer, deadlines[i]);
            bench_min(&f.insert_ns, begin_ns, BATCH);

            begin_ns = bench_now_ns();
            for (size_t i = 0; i < BATCH; i++) wheel_remove(w, &more[i].timer);
            bench_min(&f.hot_ns, begin_ns, BATCH);

            if (pending < BATCH) continue;
            begin_ns = bench_now_ns();
            for (size_t i = 0; i < BATCH; i++) wheel_remove(w, &items[picks[i]].timer);
            bench_min(&f.random_ns, begin_ns, BATCH);
            for (size_t i = 0; i < BATCH; i++) wheel_insert(w, &items[picks[i]].timer, deadlines[i]);
        }
        f.next_ns = next_wheel(w);
        if (fill % 2 == 0) {
            expire_all(w, pending, &f.expire_ns);
        } else {
            worst_advance(w, &f.worst_ns);
        }
    }
    f.rare_ns = rare_wheel(w, items, pending);
    f.chase_ns = bench_chase_ns((char *)items, pending, sizeof *items);
    return f;
}

static void on_timer(uv_timer_t *timer) {
    (void)timer;
}

/* The same; the loop's time is moved by hand, as uv_update_time() does it by the clock. */
static double rare_heap(uv_loop_t *loop, uv_timer_t *timers, size_t pending) {
    double best_ns = 0;
    for (size_t i = 0; i < pending; i++) uv_timer_start(&timers[i], on_timer, LIMIT_MS, 0);
    size_t i = 0;
    for (int round = 0; round < ROUNDS * 20; round++) {
        uint64_t begin_ns = bench_now_ns();
        for (int n = 0; n < BATCH; n++) {
            uv_timer_start(&timers[i], on_timer, LIMIT_MS, 0);
            if (++i == pending) i = 0;
        }
        loop->time++;
        bench_min(&best_ns, begin_ns, BATCH);
    }
    return best_ns;
}

static struct figures bench_heap(uv_loop_t *loop, uv_timer_t *timers, size_t pending, draw_deadline *deadline) {
    static uv_timer_t more[BATCH];
    struct figures f = {0};
    for (size_t i = 0; i < pending; i++) uv_timer_init(loop, &timers[i]);
    for (size_t i = 0; i < BATCH; i++) uv_timer_init(loop, &more[i]);

    uint64_t begin_ns = bench_now_ns();
    for (size_t i = 0; i < pending; i++) uv_timer_start(&timers[i], on_timer, deadline(), 0);
    bench_min(&f.fill_ns, begin_ns, pending);

    for (int round = 0; round < ROUNDS; round++) {
        draw(pending, deadline);
        begin_ns = bench_now_ns();
        for (size_t i = 0; i < BATCH; i++) uv_timer_start(&more[i], on_timer, deadlines[i], 0);
        bench_min(&f.insert_ns, begin_ns, BATCH);

        begin_ns = bench_now_ns();
        for (size_t i = 0; i < BATCH; i++) uv_timer_stop(&more[i]);
        bench_min(&f.hot_ns, begin_ns, BATCH);

        if (pending < BATCH) continue;
        begin_ns = bench_now_ns();
        for (size_t i = 0; i < BATCH; i++) uv_timer_stop(&timers[picks[i]]);
        bench_min(&f.random_ns, begin_ns, BATCH);
        for (size_t i = 0; i < BATCH; i++) uv_timer_start(&timers[picks[i]], on_timer, deadlines[i], 0);
    }
    uint64_t asked_ns = bench_now_ns();
    for (int i = 0; i < BATCH; i++) {
        int next_ms = uv_backend_timeout(loop);
        bench_use(&next_ms);
    }
    bench_min(&f.next_ns, asked_ns, BATCH);
    f.rare_ns = rare_heap(loop, timers, pending);
    for (size_t i = 0; i < pending; i++) uv_close((uv_handle_t *)&timers[i], NULL);
    for (size_t i = 0; i < BATCH; i++) uv_close((uv_handle_t *)&more[i], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return f;
}

/* A figure, or a dash for what has not been measured. */
static void print(double figure) {
    if (figure > 0) {
        printf(" %8.1f", figure);
    } else {
        printf("        -");
    }
}

static void print_row(const char *name, const char *deadlines_are, size_t pending, struct figures f) {
    printf("%-6s %-8s %9zu", name, deadlines_are, pending);
    print(f.fill_ns);
    print(f.insert_ns);
    print(f.hot_ns);
    print(f.random_ns);
    print(f.next_ns);
    print(f.expire_ns);
    print(f.worst_ns / 1000);
    print(f.rare_ns);
    print(f.chase_ns);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const size_t counts[] = {10, 1000, 100000, 1000000, 10000000};
    static const struct {
        const char *name;
        draw_deadline *draw;
    } kinds[] = {{"uniform", uniform}, {"cluster", cluster}};
    size_t at_most = argc > 1 ? strtoull(argv[1], NULL, 10) : counts[4];
    static wheel w;
    uv_loop_t loop;
    if (uv_loop_init(&loop) < 0) return 1;

    printf(
        "ns     deadline   pending     fill   insert      hot   random     next   expire worst us     rare    chase\n");
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts && counts[i] <= at_most; i++) {
            if (kind > 0 && counts[i] > SOME_AT_MOST) break; /* one of that size tells enough */
            struct item *items = bench_alloc(counts[i], sizeof *items);
            print_row("wheel", kinds[kind].name, counts[i], bench_wheel(&w, items, counts[i], kinds[kind].draw));
            free(items);
        }
    }
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts && counts[i] <= at_most; i++) {
            if (counts[i] > SOME_AT_MOST) break;
            uv_timer_t *timers = bench_alloc(counts[i], sizeof *timers);
            print_row("libuv", kinds[kind].name, counts[i], bench_heap(&loop, timers, counts[i], kinds[kind].draw));
            free(timers);
        }
    }
    return uv_loop_close(&loop) < 0;
}
