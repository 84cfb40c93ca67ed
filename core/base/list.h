/* SPDX-License-Identifier: MIT
 *
 * An intrusive, circular, doubly linked list: the queue everything else in the core is linked into.
 *
 *      head <-> first <-> second <-> ... <-> last <-> head
 *
 * A head and a node are the same type. The list owns nothing: a node lives in the item that embeds it, and an item is
 * found again with list_entry(). A node that is on no list points at itself, so it can be removed without knowing which
 * list it is on, or whether it is on one at all. Every function is O(1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct list list;

struct list {
    list *next, *prev;
};

/* The item of `type` whose `member` is the list node `node`. */
#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/* Makes an empty list, or a node that is on no list. */
static inline void list_init(list *node) {
    node->next = node->prev = node;
}

static inline bool list_empty(const list *head) {
    return head->next == head;
}

/* Whether the node is on a list; it must have been through list_init() once. */
static inline bool list_linked(const list *node) {
    return node->next != node;
}

/* The oldest node, or NULL; it stays on the list. */
static inline list *list_first(const list *head) {
    return list_empty(head) ? NULL : head->next;
}

/* Adds the node at the tail. What the node pointed at before is overwritten: it must be on no list. */
static inline void list_push(list *head, list *node) {
    list *last = head->prev;
    node->next = head;
    node->prev = last;
    last->next = node;
    head->prev = node;
}

/* Takes the node off the list it is on, if any; afterwards it points at itself. */
static inline void list_remove(list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the oldest node off the list, or returns NULL. */
static inline list *list_pop_front(list *head) {
    list *node = list_first(head);
    if (node != NULL) list_remove(node);
    return node;
}

/* The same for a list that is not empty, and a node that is about to be added to another: it is left as it is. */
static inline list *list_take_first(list *head) {
    list *node = head->next;
    head->next = node->next;
    node->next->prev = head;
    return node;
}

/* Moves every node of `src`, in order, to the tail of `dst`; `src` is empty afterwards. */
static inline void list_append(list *dst, list *src) {
    if (list_empty(src)) return;
    src->next->prev = dst->prev;
    src->prev->next = dst;
    dst->prev->next = src->next;
    dst->prev = src->prev;
    list_init(src);
}
