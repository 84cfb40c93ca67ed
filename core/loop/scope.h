/* SPDX-License-Identifier: MIT
 *
 * A scope: a stretch of a task's work that can be cancelled by itself, and the children that must end within it.
 *
 *   task --scope--> innermost --outer--> ... --outer--> NULL        cancelled from the inside out, as far as the first shield
 *                      |
 *                      children --> task --> task
 *
 * The owner embeds it in memory that lives until it has left the scope and every child has ended.
 */
#pragma once
#include "loop/task.h"

typedef struct momo_scope {
    struct momo_scope *outer; /* of the same task */
    task *task;               /* that is in it; NULL once it has left */
    timer timer;              /* pending while it has a limit */
    const char *why;          /* it was cancelled, where no one said */
    uint8_t raises;           /* how often that was raised */
    bool cancelled;
    bool shield;        /* cancellations from outside do not reach what is inside */
    bool expired;       /* its limit passed */
    bool supervises;    /* a child that fails is reported, and cancels nobody */
    bool reached;       /* a cancellation from outside has reached its children */
    bool limited;       /* only so many children at once: room and places are valid */
    list children;      /* tasks, by their sibling */
    list waiters;       /* for the children's end */
    unsigned room;      /* places for children that nobody has, */
    list places;        /* and tasks that wait for one; a place that gets free is handed to the first */
    uint64_t processes; /* number of the first process that was spawned in it; 0: none was */
} scope;

/* The innermost scope that is cancelled, if no shield is between; NULL: if anything is in force, then a cancellation of the
 * whole task. */
scope *scope_in_force(const task *);
/* The task enters it, with a limit or DEADLINE_NEVER. */
void scope_enter(scope *, task *, uint64_t deadline_ms, bool shield);
/* Leaves it, also when it is not the innermost. A cancellation from further out is in force again. */
void scope_leave(scope *);
/* The task's operations in it raise, and its children are cancelled. Doing it again does nothing. */
void scope_cancel(scope *, const char *why);
/* A cancellation of the task, or of a scope further out, reaches the children of those of its scopes that no shield
 * protects. */
void scope_reach_children(task *);
/* Cancellations reach through every shield of every task from now on. */
void scope_break_shields(executor *);
/* A task that is about to be started becomes a child; of a cancelled scope, it is cancelled from birth, and of a
 * daemon's scope, it is a daemon. */
void scope_add(scope *, task *);
/* From now on the scope has so many places for children at once, of which each is taken before. */
void scope_limit(scope *, unsigned places);
/* A child has ended: the last one wakes the waiters. */
void scope_remove(task *);
