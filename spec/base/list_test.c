/* SPDX-License-Identifier: MIT
 *
 * The list: order, removal from any place, and what a node says of itself. */
#include "base/list.h"

#include "check.h"

struct item {
    int number;
    list link;
};

enum { ITEMS = 8 };

static struct item items[ITEMS];

/* Holds when the list is exactly these numbers, read forwards and backwards. */
static bool is(const list *head, int count, const int *numbers) {
    const list *node = head->next;
    for (int i = 0; i < count; i++, node = node->next) {
        if (node == head || list_entry(node, struct item, link)->number != numbers[i]) return false;
        if (node->prev->next != node || node->next->prev != node) return false;
    }
    return node == head;
}
#define IS(head, ...) is(head, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

static void fresh(list *head, int from, int to) {
    list_init(head);
    for (int i = from; i < to; i++) {
        items[i].number = i;
        list_init(&items[i].link);
        list_push(head, &items[i].link);
    }
}

static void push_and_pop(void) {
    list head;
    fresh(&head, 0, 3);
    CHECK(IS(&head, 0, 1, 2));
    CHECK(list_first(&head) == &items[0].link);
    CHECK(list_pop_front(&head) == &items[0].link);
    CHECK(!list_linked(&items[0].link) && list_linked(&items[1].link));
    CHECK(IS(&head, 1, 2));
    CHECK(list_pop_front(&head) != NULL && list_pop_front(&head) != NULL);
    CHECK(list_empty(&head) && list_first(&head) == NULL && list_pop_front(&head) == NULL);
}

static void remove_from_any_place(void) {
    list head;
    fresh(&head, 0, 5);
    list_remove(&items[2].link);
    CHECK(IS(&head, 0, 1, 3, 4));
    list_remove(&items[0].link);
    CHECK(IS(&head, 1, 3, 4));
    list_remove(&items[4].link);
    CHECK(IS(&head, 1, 3));
    list_remove(&items[4].link); /* on no list: nothing happens */
    CHECK(IS(&head, 1, 3));
    list_push(&head, &items[4].link);
    CHECK(IS(&head, 1, 3, 4));
}

static void append(void) {
    list a, b, empty;
    list_init(&empty);
    fresh(&a, 0, 2);
    fresh(&b, 2, 5);
    list_append(&a, &b);
    CHECK(IS(&a, 0, 1, 2, 3, 4));
    CHECK(list_empty(&b));
    list_append(&a, &empty);
    CHECK(IS(&a, 0, 1, 2, 3, 4));
    list_append(&empty, &a);
    CHECK(IS(&empty, 0, 1, 2, 3, 4) && list_empty(&a));
    list_append(&a, &b);
    CHECK(list_empty(&a) && list_empty(&b));
}

/* Two queues of numbers in arrays say what the two lists must hold. */
static void random_walk(void) {
    list heads[2];
    int queue[2][ITEMS], length[2] = {ITEMS, 0};
    fresh(&heads[0], 0, ITEMS);
    list_init(&heads[1]);
    for (int i = 0; i < ITEMS; i++) queue[0][i] = i;

    for (int step = 0; step < 100000; step++) {
        int from = (int)check_below(2), to = (int)check_below(2);
        if (check_below(8) == 0 && from != to) {
            list_append(&heads[to], &heads[from]);
            for (int i = 0; i < length[from]; i++) queue[to][length[to]++] = queue[from][i];
            length[from] = 0;
        } else if (length[from] > 0) {
            int at = (int)check_below((uint64_t)length[from]), number = queue[from][at];
            list_remove(&items[number].link);
            CHECK(!list_linked(&items[number].link));
            length[from]--;
            for (int i = at; i < length[from]; i++) queue[from][i] = queue[from][i + 1];
            list_push(&heads[to], &items[number].link);
            queue[to][length[to]++] = number;
        }
        for (int i = 0; i < 2; i++) {
            CHECK(is(&heads[i], length[i], queue[i]));
            CHECK(list_empty(&heads[i]) == (length[i] == 0));
        }
    }
}

int main(void) {
    check_begin();
    push_and_pop();
    remove_from_any_place();
    append();
    random_walk();
    return 0;
}
