/* SPDX-License-Identifier: MIT
 *
 * Channels without Lua: senders on threads with executors of their own, and the receiver on this one. */
#include "thread/channel.h"

#include <string.h>

#include "check.h"

enum { SENDERS = 3, RECORDS = 10000 };

static atomic_uint dropped;

static void drop(const lane_record *r, list *closing) {
    (void)closing;
    CHECK(r->size == sizeof(uint64_t));
    atomic_fetch_add(&dropped, 1);
}

/* ---- tasks: what runs on an executor is a function of its user ---- */

typedef void job(task *, enum wake);

static void resume(task *t) {
    ((job *)t->user)(t, task_take_wake(t));
}

static void begin(executor *ex) {
    CHECK(executor_init(ex) == 0);
    ex->resume = resume;
}

static void finish(executor *ex) {
    CHECK(ex->tasks.live == 0 && ex->keepalive == 0 && list_empty(&ex->dirty));
    channel_close_all(ex);
    CHECK(list_empty(&ex->ends));
    executor_deinit(ex);
}

static void spawn(executor *ex, job *run) {
    task *t;
    CHECK(task_new(ex, &t) == 0);
    t->user = (void *)run;
    task_start(t);
}

static void park(channel_end *end, task *t) {
    task_park(t, "test", DEADLINE_NEVER, WAKE_TIMEOUT);
    task_keep_alive(t);
    list_push(&end->waiters, &t->place.link);
}

/* ---- senders ---- */

typedef struct sending {
    executor ex; /* first: a task finds it by its executor */
    channel_end *end;
    void *holder;
    uint64_t number, count;
    bool gave_up;
} sending;

static void push(sender *s, uint64_t value) {
    void *record = sender_reserve(s, sizeof value);
    CHECK(record != NULL);
    memcpy(record, &value, sizeof value);
    sender_push(s, 0, sizeof value);
}

static void send_all(task *t, enum wake wake) {
    sending *own = (sending *)t->executor;
    sender *s = sender_of(own->end);
    for (unsigned turns = 0; own->count < RECORDS; turns++) {
        if (turns == 32) {
            task_yield(t, WAKE_NONE);
            return;
        }
        int status = sender_take_credit(s, t, wake == WAKE_READY);
        wake = WAKE_NONE;
        if (status < 0) {
            CHECK(status == UV_EPIPE);
            own->gave_up = true;
            break;
        }
        if (status == 0) {
            park(own->end, t);
            sender_await(s);
            return;
        }
        push(s, own->number << 32 | own->count++);
    }
    channel_close(own->end);
    CHECK(own->holder == NULL);
    task_end(t);
}

static void *send_on_thread(void *argument) {
    sending *own = argument;
    begin(&own->ex);
    channel_arrive(own->end, &own->ex, &own->holder);
    spawn(&own->ex, send_all);
    CHECK(executor_run(&own->ex));
    finish(&own->ex);
    return NULL;
}

/* ---- the receiver ---- */

static executor here;
static channel *c;
static void *receiver_holder, *sender_holder;
static uint64_t next[SENDERS], received, receive_max;
static bool ended;

static void receive(task *t, enum wake wake) {
    lane_record r;
    int found;
    while ((found = receiver_peek(c, t, wake == WAKE_READY, &r)) == 1 && received < receive_max) {
        uint64_t value;
        CHECK(r.size == sizeof value);
        memcpy(&value, r.bytes, sizeof value);
        CHECK(value >> 32 < SENDERS && (uint32_t)value == next[value >> 32]++);
        receiver_pop(c);
        received++;
        long credits = atomic_load(&c->credits);
        CHECK(credits >= 0 && credits + c->freed <= c->capacity);
        wake = WAKE_NONE;
        if (received % 32 == 0) {
            task_yield(t, WAKE_NONE);
            return;
        }
    }
    if (found == 0) {
        park(&c->receiver, t);
        receiver_await(c);
        return;
    }
    ended = found == UV_EOF;
    c->busy = false;
    channel_close(&c->receiver);
    task_end(t);
}

static sender *make(long capacity) {
    sender *s;
    CHECK(channel_new(&here, capacity, drop, &s, &c) == 0);
    s->end.holder = &sender_holder;
    sender_holder = &s->end;
    c->receiver.holder = &receiver_holder;
    receiver_holder = &c->receiver;
    memset(next, 0, sizeof next);
    received = 0;
    ended = false;
    atomic_store(&dropped, 0);
    return s;
}

/* Several threads send; the receiver takes `max` records and closes its end, or takes them all. */
static void exchange(long capacity, uint64_t max) {
    static sending senders[SENDERS];
    pthread_t threads[SENDERS];
    begin(&here);
    sender *s = make(capacity);
    receive_max = max;
    for (unsigned i = 0; i < SENDERS; i++) {
        sender *clone = sender_clone(s);
        CHECK(clone != NULL);
        channel_depart(&clone->end);
        senders[i] = (sending){.end = &clone->end, .number = i};
        CHECK(pthread_create(&threads[i], NULL, send_on_thread, &senders[i]) == 0);
    }
    channel_close(&s->end);
    spawn(&here, receive);
    CHECK(executor_run(&here));
    uint64_t sent = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        sent += senders[i].count;
    }
    CHECK(ended == (max > sent) && receiver_holder == NULL);
    CHECK(sent == received + dropped);
    CHECK(ended ? sent == SENDERS * RECORDS : received == max);
    finish(&here);
}

/* ---- what is closed while the receiver waits ---- */

static unsigned length(const list *head) {
    unsigned n = 0;
    for (const list *node = head->next; node != head; node = node->next) n++;
    return n;
}

static void clone_and_close(task *t, enum wake wake) {
    (void)wake;
    channel_end *end = sender_holder;
    if (++next[0] < 1000) {
        sender *clone = sender_clone(sender_of(end));
        CHECK(clone != NULL);
        channel_close(&clone->end);
        CHECK(length(&c->reading) + length(&c->arrivals) <= 3); /* they do not heap up */
        task_yield(t, WAKE_NONE);
        return;
    }
    channel_close(end);
    task_end(t);
}

static void clones_are_freed(void) {
    begin(&here);
    make(1);
    receive_max = 1;
    spawn(&here, receive);
    spawn(&here, clone_and_close);
    CHECK(executor_run(&here));
    CHECK(ended && received == 0);
    finish(&here);
}

/* ---- who was woken is not overtaken ---- */

static char order[8];
static unsigned told;

/* Each waits for a credit of the same sender. */
static void send_in_turn(task *t, enum wake wake, char name) {
    sender *s = sender_of(sender_holder);
    if (sender_take_credit(s, t, wake == WAKE_READY) == 0) {
        park(&s->end, t);
        sender_await(s);
        return;
    }
    order[told++] = name;
    push(s, 0);
    task_end(t);
}

static void send_first(task *t, enum wake wake) {
    send_in_turn(t, wake, 'a');
}

static void send_third(task *t, enum wake wake) {
    send_in_turn(t, wake, 'c');
}

/* Makes room for both while the first one waits: it is woken, and the third one's turn comes before it runs. */
static void receive_two(task *t, enum wake wake) {
    lane_record r;
    (void)wake;
    for (int i = 0; i < 2; i++) {
        CHECK(receiver_peek(c, t, false, &r) == 1);
        receiver_pop(c);
    }
    task_end(t);
}

static void senders_have_their_turn(void) {
    begin(&here);
    sender *s = make(2);
    told = 0;
    for (int i = 0; i < 2; i++) {
        CHECK(sender_take_credit(s, &(task){.head = {.index = 1}}, false) == 1);
        push(s, 0);
    }
    spawn(&here, send_first);
    spawn(&here, receive_two);
    spawn(&here, send_third);
    CHECK(executor_run(&here));
    CHECK(told == 2 && order[0] == 'a' && order[1] == 'c');
    CHECK(atomic_load(&c->credits) == 0 && !doorbell_armed(&c->space));
    finish(&here);
}

/* What one receives, told as a receiver's task. */
static void receive_in_turn(task *t, enum wake wake, char name) {
    lane_record r;
    if (receiver_peek(c, t, wake == WAKE_READY, &r) == 0) {
        park(&c->receiver, t);
        receiver_await(c);
        return;
    }
    uint64_t value;
    memcpy(&value, r.bytes, sizeof value);
    CHECK(value == told);
    receiver_pop(c);
    order[told++] = name;
    task_end(t);
}

static void receive_first(task *t, enum wake wake) {
    receive_in_turn(t, wake, 'a');
}

static void receive_third(task *t, enum wake wake) {
    receive_in_turn(t, wake, 'c');
}

static void send_two(task *t, enum wake wake) {
    (void)wake;
    sender *s = sender_of(sender_holder);
    for (uint64_t i = 0; i < 2; i++) {
        CHECK(sender_take_credit(s, t, false) == 1);
        push(s, i);
    }
    CHECK(!doorbell_armed(&c->data)); /* it was rung */
    task_end(t);
}

static void receivers_have_their_turn(void) {
    begin(&here);
    make(2);
    told = 0;
    spawn(&here, receive_first);
    spawn(&here, send_two);
    spawn(&here, receive_third);
    CHECK(executor_run(&here));
    CHECK(told == 2 && order[0] == 'a' && order[1] == 'c');
    finish(&here);
}

/* ---- a state that is closed while a message is being received ---- */

static void all_ends_close(void) {
    begin(&here);
    sender *s = make(1);
    channel_close(&s->end);
    c->busy = true;
    channel_close_all(&here);
    CHECK(list_empty(&here.ends) && !sender_holder && !receiver_holder);
    executor_deinit(&here);
}

int main(void) {
    check_begin();
    clones_are_freed();
    senders_have_their_turn();
    receivers_have_their_turn();
    all_ends_close();
    exchange(1, UINT64_MAX);
    exchange(2, UINT64_MAX);
    exchange(100, UINT64_MAX);
    exchange(5000, UINT64_MAX);
    for (int round = 0; round < 20; round++) exchange(1 + (long)check_below(20), 1 + check_below(500));
    return 0;
}
