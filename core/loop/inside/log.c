/* SPDX-License-Identifier: MIT
 *
 * The writer of log lines: see log.h.
 */
#include "loop/inside/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/background.h"

enum { QUEUE_BYTES = 1024 * 1024, FLUSH_SECONDS = 1, STACK_BYTES = 128 * 1024 };

typedef struct line {
    struct line *next;
    size_t size;
    char bytes[];
} line;

/* All of it is guarded by the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, written;
    line *first, **last;
    size_t size; /* of what is not written yet */
    uint64_t dropped;
    uint64_t told; /* of these */
    bool json;
    bool started;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER,
           .written = PTHREAD_COND_INITIALIZER,
           .last = &queue.first};

static void write_all(const char *bytes, size_t size) {
    while (size) {
        ssize_t n = write(STDERR_FILENO, bytes, size);
        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return;
        } else if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
}

static void tell_dropped(uint64_t n, bool json) {
    char text[128];
    int size = snprintf(text, sizeof text,
                        json ? "{\"level\":\"warn\",\"message\":\"log lines were dropped\",\"dropped\":%llu}\n"
                             : "momo: %llu log lines were dropped\n",
                        (unsigned long long)n);
    write_all(text, (size_t)size);
}

static void *write_lines(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "momo log");
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        while (!queue.first) {
            pthread_cond_wait(&queue.filled, &queue.lock);
        }
        line *l = queue.first;
        queue.first = l->next;
        queue.last = queue.first ? queue.last : &queue.first;
        pthread_mutex_unlock(&queue.lock);
        write_all(l->bytes, l->size);
        pthread_mutex_lock(&queue.lock);
        queue.size -= l->size;
        free(l);
        uint64_t lost = queue.dropped - queue.told;
        if (lost && !queue.first) {
            bool json = queue.json;
            queue.told = queue.dropped;
            pthread_mutex_unlock(&queue.lock);
            tell_dropped(lost, json);
            pthread_mutex_lock(&queue.lock);
        }
        pthread_cond_broadcast(&queue.written);
    }
    return NULL;
}

static bool start(void) {
    bool started = background_start(write_lines, STACK_BYTES) == 0;
    if (started) {
        atexit(log_flush);
    }
    return started;
}

void log_push(const char *bytes, size_t size, bool json) {
    line *l = malloc(sizeof *l + size);
    pthread_mutex_lock(&queue.lock);
    queue.started = queue.started || start();
    bool taken = l && queue.started && queue.size + size <= QUEUE_BYTES;
    queue.json = json;
    if (taken) {
        l->next = NULL;
        l->size = size;
        memcpy(l->bytes, bytes, size);
        *queue.last = l;
        queue.last = &l->next;
        queue.size += size;
        pthread_cond_signal(&queue.filled);
    } else {
        queue.dropped++;
    }
    pthread_mutex_unlock(&queue.lock);
    if (!taken) {
        free(l);
    }
}

uint64_t log_dropped(void) {
    pthread_mutex_lock(&queue.lock);
    uint64_t n = queue.dropped;
    pthread_mutex_unlock(&queue.lock);
    return n;
}

void log_flush(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += FLUSH_SECONDS;
    pthread_mutex_lock(&queue.lock);
    int error = 0;
    while (queue.size && error == 0) {
        error = pthread_cond_timedwait(&queue.written, &queue.lock, &end);
    }
    pthread_mutex_unlock(&queue.lock);
}
