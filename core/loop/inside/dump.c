/* SPDX-License-Identifier: MIT
 *
 * Dumps: see dump.h.
 */
#include "loop/inside/dump.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/executor.h"
#include "loop/inside/holder.h"

enum {
    ROUND_MS = 300,   /* until a loop that is not held has come round, also on a busy machine */
    MAKING_MS = 5000, /* that a text may take */
    WRITE_MS = 1000,  /* in which a reader of stderr takes something, or is believed to be gone */
    STEP_NS = 1000000,
};

enum dump_state { DUMP_IDLE, DUMP_ASKED, DUMP_MAKING, DUMP_TOLD };

static void on_mail(mail *m) {
    dump *d = list_entry(m, dump, mail);
    int asked = DUMP_ASKED;
    if (atomic_compare_exchange_strong(&d->state, &asked, DUMP_MAKING)) { /* else nobody waits for it any more */
        d->text = d->make(list_entry(d, executor, dump));
        atomic_store(&d->state, DUMP_TOLD);
    }
}

void dump_init(dump *d) {
    d->mail.arrived = on_mail;
}

void dump_deinit(dump *d) {
    free(d->text);
    d->text = NULL;
}

/* ---- on the watchdog ---- */

static void ask(executor *ex, void *unused) {
    (void)unused;
    if (!ex->dump.make) {
        return;
    }
    dump_deinit(&ex->dump);
    atomic_store(&ex->dump.state, DUMP_ASKED);
    inbox_post(&ex->inbox, &ex->dump.mail);
}

static void count(executor *ex, void *of) {
    int state = atomic_load(&ex->dump.state);
    ((unsigned *)of)[0] += state == DUMP_ASKED;
    ((unsigned *)of)[1] += state == DUMP_MAKING;
}

/* Waits for all who come round. */
static void await(void) {
    for (int ms = 0;; ms++) {
        unsigned of[2] = {0, 0};
        holder_each(count, of);
        if ((!of[0] || ms >= ROUND_MS) && (!of[1] || ms >= MAKING_MS)) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    }
}

static void say(const char *text) {
    for (size_t left = strlen(text); left;) {
        struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
        ssize_t n = poll(&err, 1, WRITE_MS) == 1 ? write(STDERR_FILENO, text, left) : -1;
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return;
        }
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
        }
    }
}

static void tell_held(executor *ex) {
    holder_answer answer;
    char who[HOLDER_SAID], line[HOLDER_SAID + 64];
    holder_ask(ex, &answer);
    holder_describe(&answer, who);
    snprintf(line, sizeof line, "momo: a thread does not come round: %s\n", who);
    say(line);
}

static void tell(executor *ex, void *unused) {
    (void)unused;
    int asked = DUMP_ASKED;
    if (atomic_compare_exchange_strong(&ex->dump.state, &asked, DUMP_IDLE)) {
        tell_held(ex);
    } else if (atomic_load(&ex->dump.state) == DUMP_TOLD) {
        say(ex->dump.text ? ex->dump.text : "momo: a thread's tasks can't be told: not enough memory\n");
    }
}

void dump_all(void) {
    holder_each(ask, NULL);
    await();
    holder_each(tell, NULL);
}
