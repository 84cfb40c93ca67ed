/* SPDX-License-Identifier: MIT
 *
 * The FFI API of queues: see loop/queue.h.
 */
#include "loop/queue.h"

int momo_queue_wake(queue *q) {
    return task_wake_first(&q->waiters, WAKE_NONE) != NULL;
}

void momo_queue_wake_all(queue *q) {
    task_wake_all(&q->waiters, WAKE_NONE);
}

int momo_queue_waiting(const queue *q) {
    return !list_empty(&q->waiters);
}
