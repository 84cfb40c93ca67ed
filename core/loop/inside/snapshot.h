/* SPDX-License-Identifier: MIT
 *
 * Snapshots: what the executors of a process count, for one of them that wants to know of all.
 *
 *      asks: mail to every other one that runs ---------> makes its snapshot anew, and posts mail to those that wait
 *      waits, but not for long            <------------------'
 *      takes what there is: of one that does not come round, its last
 *
 * What an executor has counted counts on when it has gone: before it goes, it adds what it has to the one text of the past.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "loop/inbox.h"

struct momo_executor;

enum { SNAPSHOT_QUESTION = 192 };

/* What an executor has for this. */
typedef struct snapshot {
    /* On the executor's thread, between two resumes: the text, which free() ends; NULL: there is no memory. Set before it runs. */
    char *(*make)(struct momo_executor *, const char *question);
    list link;  /* among those that there are. Guarded by the lock of snapshot.c, as what follows, */
    char *text; /* the last; NULL: none yet */
    char question[SNAPSHOT_QUESTION]; /* what it is to answer besides; "": nothing */
    uint64_t wanted;                  /* the last round in which it was asked; */
    uint64_t made;                    /* and the one for which the text was made */
    bool runs;                        /* whether it is asked; */
    bool waits;                       /* it is to be told when others have made theirs: down to here */
    mail asked, answered;
    list waiters; /* tasks of the executor that wait for the answers: its own */
} snapshot;

void snapshot_init(snapshot *);
void snapshot_deinit(struct momo_executor *);
/* It is about to run, or runs no more. */
void snapshot_enter(struct momo_executor *);
void snapshot_leave(struct momo_executor *);

/* Asks all others that run: the number of the round. question: what else they are to answer, for who makes snapshots to
 * understand; or NULL. */
uint64_t snapshot_ask(struct momo_executor *, const char *question);
/* How many others have not answered in this round. */
unsigned snapshot_missing(const struct momo_executor *, uint64_t round);
/* A task was parked among the waiters: it is woken when another one has answered, to look again. */
void snapshot_await(struct momo_executor *, uint64_t round);
/* Calls f under the lock with the text of the past, whose number is returned, and, if there is an asker, with that of each other
 * executor. */
uint64_t snapshot_each(const struct momo_executor *asker, void (*f)(const char *text, void *), void *user);
/* The executor goes: this text, which has the past with that number in it, stands for both from now on, and is owned. False: there has been a newer one, and nothing
 * is changed. */
bool snapshot_retire(struct momo_executor *, uint64_t seen, char *text);
/* Whether anybody has asked yet, or wants what it counts to be kept. */
bool snapshot_is_wanted(void);
void snapshot_want(void);
