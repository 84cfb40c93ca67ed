/* SPDX-License-Identifier: MIT
 *
 * Mail: what is posted arrives once, in its order, unless it is withdrawn; a thread that sleeps is woken by one write; and the
 * doorbells of what was written are rung where they are armed. */
#include "loop/inbox.h"

#include <unistd.h>

#include "check.h"

enum { LETTERS = 5, STEPS = 20000 };

static inbox box;
static mail letters[LETTERS];
static unsigned order[LETTERS], arrived;
static mail *posts_again; /* by the letter that arrives next */

static void on_mail(mail *m) {
    CHECK(!m->posted && arrived < LETTERS);
    order[arrived++] = (unsigned)(m - letters);
    if (posts_again) {
        inbox_post(&box, posts_again);
        posts_again = NULL;
    }
}

/* What was written to wake the thread, or 0. */
static uint64_t rings(void) {
    uint64_t n = 0;
    return read(box.wake, &n, sizeof n) == sizeof n ? n : 0;
}

/* Any letters are posted, withdrawn, taken, beside a list in the order in which they should arrive. */
static void letters_arrive(void) {
    unsigned expected[LETTERS], count = 0;
    for (int step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)check_below(LETTERS), at = 0;
        while (at < count && expected[at] != i) at++;
        switch (check_below(4)) {
        case 0:
        case 1:
            inbox_post(&box, &letters[i]);
            if (at == count) expected[count++] = i;
            break;
        case 2:
            inbox_withdraw(&box, &letters[i]);
            if (at < count) {
                count--;
                for (; at < count; at++) expected[at] = expected[at + 1];
            }
            break;
        default:
            CHECK(inbox_has_mail(&box) || count == 0);
            arrived = 0;
            inbox_take(&box);
            CHECK(arrived == count && !inbox_has_mail(&box));
            while (count > 0) {
                count--;
                CHECK(order[count] == expected[count]);
            }
        }
    }
    arrived = 0;
    inbox_take(&box);
    CHECK(rings() == 0); /* nobody slept */
}

/* What is posted while mail is taken waits for the next time. */
static void answers_wait(void) {
    arrived = 0;
    posts_again = &letters[0];
    inbox_post(&box, &letters[0]);
    inbox_take(&box);
    CHECK(arrived == 1 && inbox_has_mail(&box));
    inbox_take(&box);
    CHECK(arrived == 2 && order[1] == 0 && !inbox_has_mail(&box));
}

static void a_sleeper_is_woken_once(void) {
    CHECK(inbox_sleep(&box) && rings() == 0);
    inbox_post(&box, &letters[0]);
    CHECK(rings() == 1);
    inbox_post(&box, &letters[1]); /* it is awake, as far as others know */
    CHECK(rings() == 0);
    inbox_awake(&box);
    CHECK(!inbox_sleep(&box)); /* there is mail */
    inbox_awake(&box);
    inbox_post(&box, &letters[2]);
    CHECK(rings() == 0);
    arrived = 0;
    inbox_take(&box);
    CHECK(arrived == 3 && inbox_sleep(&box));
    inbox_awake(&box);
    inbox_post(&box, &letters[0]);
    CHECK(rings() == 0);
    inbox_withdraw(&box, &letters[0]);
    arrived = 0;
    inbox_take(&box);
    CHECK(arrived == 0 && inbox_sleep(&box)); /* it is there no more */
    inbox_awake(&box);
}

static doorbell bells[2];
static unsigned published, rung;

static void publish(dirty_entry *t) {
    (void)t;
    CHECK(rung == 0); /* all of them before any is rung */
    published++;
}

static void ring(dirty_entry *t) {
    doorbell_disarm(t->doorbell);
    rung++;
}

static void armed_doorbells_are_rung(void) {
    list dirty;
    list_init(&dirty);
    dirty_entry entries[2];
    for (int i = 0; i < 2; i++) {
        entries[i] = (dirty_entry){.doorbell = &bells[i], .publish = i ? publish : NULL, .ring = ring};
        list_init(&entries[i].link);
    }
    for (int round = 0; round < 2; round++) {
        doorbell_arm(&bells[1]);
        for (int i = 0; i < 2; i++) {
            dirty_mark(&dirty, &entries[i]);
            dirty_mark(&dirty, &entries[i]); /* once is enough */
        }
        published = rung = 0;
        inbox_flush(&dirty);
        CHECK(list_empty(&dirty) && published == 1 && rung == 1 && !doorbell_armed(&bells[1]));
    }
}

int main(void) {
    check_begin();
    CHECK(inbox_init(&box) == 0);
    for (int i = 0; i < LETTERS; i++) letters[i] = (mail){.arrived = on_mail};
    letters_arrive();
    answers_wait();
    a_sleeper_is_woken_once();
    armed_doorbells_are_rung();
    inbox_deinit(&box);
    return 0;
}
