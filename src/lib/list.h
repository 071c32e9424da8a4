/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive doubly linked list with a head. The caller locks. */
#ifndef V3_LIB_LIST_H
#define V3_LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/bits.h"

/* A head, or the link inside an element. */
struct v3_list {
	struct v3_list *next, *prev;
};

static inline void v3_list_init(struct v3_list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool v3_list_empty(const struct v3_list *head)
{
	return head->next == head;
}

static inline void v3_list_insert_between(struct v3_list *item, struct v3_list *prev,
					  struct v3_list *next)
{
	item->prev = prev;
	item->next = next;
	prev->next = item;
	next->prev = item;
}

static inline void v3_list_add_head(struct v3_list *head, struct v3_list *item)
{
	v3_list_insert_between(item, head, head->next);
}

static inline void v3_list_add_tail(struct v3_list *head, struct v3_list *item)
{
	v3_list_insert_between(item, head->prev, head);
}

/* The item becomes a list of its own: removing it twice is harmless. */
static inline void v3_list_remove(struct v3_list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	v3_list_init(item);
}

/* Removes and returns the first link, NULL if there is none. */
static inline struct v3_list *v3_list_pop(struct v3_list *head)
{
	struct v3_list *first = head->next;

	if (first == head)
		return NULL;
	v3_list_remove(first);
	return first;
}

#define V3_LIST_ENTRY(link, type, member)	V3_CONTAINER_OF(link, type, member)

/* The body must not remove pos; the _safe form allows that, with next as scratch. */
#define v3_list_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
#define v3_list_for_each_safe(pos, scratch, head) \
	for ((pos) = (head)->next, (scratch) = (pos)->next; (pos) != (head); \
	     (pos) = (scratch), (scratch) = (pos)->next)

#endif
