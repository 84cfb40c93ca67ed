/* SPDX-License-Identifier: MIT
 *
 * How threads that exchange messages through a channel sleep and wake, for spin: see core/loop/inbox.h.
 *
 * Spin's memory is sequentially consistent; a CPU's is not. So each thread has a store buffer here, first in, first out: a
 * store goes there, the thread itself reads it back from there, and it reaches memory at some later moment. An acquire load
 * and a release store need no more than that. A fence waits until the buffer is empty; so does unlocking, which lets no
 * store pass. Locking and atomic additions wait for nothing here, though on x86 they would: C does not promise it.
 *
 *   one sender, one receiver, a channel of CAPACITY credits, MESSAGES messages, then the sender closes its end;
 *   with -DRECEIVER_CLOSES the receiver closes its own after the first message, and the sender may be waiting
 *
 *   here                 in core/
 *   arm, flush           loop/inbox.h doorbell_arm; loop/inbox.c inbox_flush
 *   post                 loop/inbox.c inbox_post
 *   poll_and_take        loop/executor.c poll_events: flush_dirty, inbox_sleep, poller_wait (on the eventfd), inbox_awake
 *   serve                thread/channel.c credits_serve
 *   Sender               binding/thread/thread_channel.c channel_send: sender.c sender_take_credit, sender_push, sender_await;
 *                        sender_arrived; ring; channel.c close_sender
 *   Receiver             binding/thread/thread_channel.c channel_recv: receiver.c receiver_peek, receiver_pop, receiver_await;
 *                        receiver_arrived; receiver_publish, receiver_ring; channel.c close_receiver
 *
 * All is well if no thread sleeps for ever (an invalid end state), and the messages arrive once, and in order (assert).
 * -DNO_FENCE_ARM=0 and -DNO_FENCE_FLUSH=0 leave one of the two fences out where the doorbell of messages is armed, or looked at;
 * =1 (or nothing) where it is the doorbell of credits, =5 where it is that of an inbox. Each of the six must fail. */

#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define BUFFER 4 /* stores under way at most */

#define S 0 /* the sender's thread */
#define R 1 /* the receiver's */

/* What threads store to without a lock or a locked instruction: through the store buffers. */
#define DATA 0   /* channel.data.armed */
#define SPACE 1  /* channel.space.armed */
#define CLOSED 2 /* channel.open == 0 */
#define RECEIVER_CLOSED 3   /* channel.receiver_closed */
#define CREDITS 4   /* no cell: one more in `credits` */
#define SLEEPING 5 /* SLEEPING + thread: inbox.sleeping.armed */
#define MAIL 7   /* MAIL + thread: inbox.has_mail */
#define RECORD 9 /* RECORD + i: the header of the i-th record; 0: not there yet */
#define CELLS (RECORD + MESSAGES + 1)
byte memory[CELLS];

byte credits = CAPACITY;                 /* channel.credits */
bool blocked = false, granted = false; /* of the sender, under the channel's lock */
bool posted[2];                       /* the mail of each thread */
byte eventfd[2];
bool locked = false, inbox_locked[2]; /* channel.lock; inbox.lock */

chan stores[2] = [BUFFER] of { byte, byte };
byte pending0[CELLS], pending1[CELLS]; /* how many of each thread's stores of a cell are under way, */
byte newest0[CELLS], newest1[CELLS];   /* and the last of them: what the thread itself reads */

#define PENDING(me, cell) (me == S -> pending0[cell] : pending1[cell])
#define NEWEST(me, cell) (me == S -> newest0[cell] : newest1[cell])
#define LOAD(me, cell) (PENDING(me, cell) > 0 -> NEWEST(me, cell) : memory[cell])

inline store(me, cell, value) {
    atomic {
        nfull(stores[me]);
        stores[me]!cell, value;
        if
        :: me == S -> pending0[cell]++; newest0[cell] = value
        :: me == R -> pending1[cell]++; newest1[cell] = value
        fi
    }
}

/* The buffer drains, whenever it likes. */
proctype Drain(bit me) {
    byte cell, value;
end:
    do
    :: atomic {
           stores[me]?cell, value ->
           if
           :: cell == CREDITS -> credits++; assert(credits <= CAPACITY)
           :: else -> memory[cell] = value
           fi;
           if
           :: me == S -> pending0[cell]--
           :: me == R -> pending1[cell]--
           fi;
           cell = 0;
           value = 0
       }
    od
}

#define FENCE(me) empty(stores[me])

inline lock(me, mutex) { atomic { !mutex -> mutex = true } }
inline unlock(me, mutex) { atomic { FENCE(me) -> mutex = false } }

inline arm_fence(me, doorbell) {
#ifdef NO_FENCE_ARM
    if
    :: doorbell != NO_FENCE_ARM -> FENCE(me)
    :: else
    fi
#else
    FENCE(me)
#endif
}

inline arm(me, doorbell) {
    store(me, doorbell, 1);
    arm_fence(me, doorbell)
}

inline flush_fence(me, doorbell) {
#ifdef NO_FENCE_FLUSH
    if
    :: doorbell != NO_FENCE_FLUSH -> FENCE(me)
    :: else
    fi
#else
    FENCE(me)
#endif
}

inline post(me, to) {
    lock(me, inbox_locked[to]);
    if
    :: !posted[to] ->
        posted[to] = true;
        store(me, MAIL + to, 1);
        flush_fence(me, SLEEPING);
        if
        :: LOAD(me, SLEEPING + to) == 1 -> store(me, SLEEPING + to, 0); eventfd[to] = 1
        :: else
        fi
    :: else
    fi;
    unlock(me, inbox_locked[to]);
}

/* Nothing is left to do: sleeps until there is mail, or goes on at once; then takes it. */
inline poll_and_take(me, mail) {
    store(me, SLEEPING + me, 1);
    arm_fence(me, SLEEPING);
    if
    :: LOAD(me, MAIL + me) == 1
    :: LOAD(me, MAIL + me) == 0 ->
        atomic { eventfd[me] == 1 -> eventfd[me] = 0 } /* it may be one of long ago */
    fi;
    store(me, SLEEPING + me, 0);
    mail = false;
    if
    :: LOAD(me, MAIL + me) == 1 ->
        lock(me, inbox_locked[me]);
        store(me, MAIL + me, 0);
        mail = posted[me];
        posted[me] = false;
        unlock(me, inbox_locked[me])
    :: else
    fi
}

/* Under the channel's lock. */
inline serve(me) {
    if
    :: atomic { blocked && credits > 0 -> credits-- };
        blocked = false;
        granted = true;
        post(me, S)
    :: atomic { !(blocked && credits > 0) }
    fi;
    if
    :: !blocked -> store(me, SPACE, 0)
    :: else
    fi;
}

proctype Sender() {
    byte n = 0;
    bool has_credit, mail, armed;

    do
    :: n < MESSAGES && !LOAD(S, RECEIVER_CLOSED) ->
        /* sender_take_credit: credits_take */
        has_credit = false;
        if
        :: atomic { credits > 0 -> credits--; has_credit = true }
        :: credits == 0
        fi;
        if
        :: has_credit
        :: else ->
            /* sender_await, and park */
            lock(S, locked);
            if
            :: !granted && !blocked ->
                blocked = true;
                arm(S, SPACE);
                serve(S)
            :: else
            fi;
            unlock(S, locked);
            if
            :: LOAD(S, RECEIVER_CLOSED) -> post(S, S)
            :: else
            fi;
            /* poll_events, until sender_arrived wakes the task */
            do
            :: poll_and_take(S, mail);
                if
                :: mail && LOAD(S, RECEIVER_CLOSED) -> break
                :: mail && !LOAD(S, RECEIVER_CLOSED) ->
                    lock(S, locked);
                    has_credit = granted;
                    granted = false;
                    unlock(S, locked);
                    if
                    :: has_credit -> break
                    :: else
                    fi
                :: else
                fi
            od
        fi;
        if
        :: has_credit ->
            n++;
            store(S, RECORD + n - 1, n); /* lane_commit */
            /* sender_push sees the doorbell armed, and rings; or inbox_flush does */
            if
            :: LOAD(S, DATA) -> armed = true
            :: flush_fence(S, DATA);
                armed = LOAD(S, DATA)
            fi;
            if
            :: armed ->
                lock(S, locked);
                if
                :: !LOAD(S, RECEIVER_CLOSED) -> store(S, DATA, 0); post(S, R)
                :: else
                fi;
                unlock(S, locked)
            :: else
            fi;
            has_credit = false
        :: else
        fi
    :: n == MESSAGES || LOAD(S, RECEIVER_CLOSED) -> break
    od;
    /* close_sender */
    lock(S, locked);
    store(S, CLOSED, 1);
    if
    :: !LOAD(S, RECEIVER_CLOSED) -> post(S, R)
    :: else
    fi;
    unlock(S, locked)
}

proctype Receiver() {
    byte next = 0;
    bool has_ended, found, mail, armed, waits = false;

    do
    :: /* receiver_peek, or receiver_await's look again: the end is looked for before the last record */
        has_ended = LOAD(R, CLOSED);
        found = LOAD(R, RECORD + next) != 0;
        if
        :: found ->
            if
            :: waits -> store(R, DATA, 0) /* doorbell_disarm */
            :: else
            fi;
            waits = false;
            /* receiver_pop */
            assert(memory[RECORD + next] == next + 1);
            next++;
#ifdef RECEIVER_CLOSES
            break;
#endif
            /* receiver_publish and receiver_ring, which inbox_flush calls at the latest */
            store(R, CREDITS, 1);
            if
            :: LOAD(R, SPACE) ->
                lock(R, locked);
                serve(R);
                unlock(R, locked)
            :: true
            fi;
            flush_fence(R, SPACE);
            armed = LOAD(R, SPACE);
            if
            :: armed ->
                lock(R, locked);
                serve(R);
                unlock(R, locked)
            :: else
            fi
        :: !found && has_ended -> break
        :: !found && !has_ended && !waits ->
            waits = true;
            arm(R, DATA) /* receiver_await; then it looks again */
        :: !found && !has_ended && waits ->
            /* parked: poll_events, until receiver_arrived, which arms the doorbell and looks again */
            do
            :: poll_and_take(R, mail);
                if
                :: mail -> break
                :: else
                fi
            od;
            arm(R, DATA)
        fi
    od;
    /* close_receiver */
    lock(R, locked);
    store(R, DATA, 0); /* leave */
    store(R, RECEIVER_CLOSED, 1);
    if
    :: !LOAD(R, CLOSED) -> post(R, S)
    :: else
    fi;
    unlock(R, locked);
#ifndef RECEIVER_CLOSES
    assert(next == MESSAGES)
#endif
}

init {
    atomic {
        run Drain(S);
        run Drain(R);
        run Sender();
        run Receiver()
    }
}
