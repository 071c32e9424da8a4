/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cooperative threads in a ring, on one CPU. A thread that waits is looked at when another gives
 * the CPU away; nobody is woken, so an interrupt handler needs only to set a flag.
 */
#include "cpu.h"
#include "host.h"

#define STACK_PAGES	8

enum thread_state {
	READY,
	WAITING,	/* for event or deadline */
	JOINING,	/* for another thread to be DONE */
	DONE,
};

struct v3_host_thread {
	uint64_t rsp;
	enum thread_state state;
	struct v3_host_event *event;
	uint64_t deadline;	/* clock_ns, and as TSC */
	uint64_t deadline_tsc;
	struct v3_host_thread *joined;
	void (*fn)(void *arg);
	void *arg;
	uint64_t stack;
	struct v3_host_thread *next;
};

static struct v3_host_thread first_thread;
static struct v3_host_thread *current;

void mh_sched_init(void)
{
	first_thread.next = &first_thread;
	current = &first_thread;
}

static bool event_take(struct v3_host_event *event)
{
	return __atomic_exchange_n(&event->signaled, 0, __ATOMIC_ACQ_REL);
}

static bool is_ready(const struct v3_host_thread *t)
{
	switch (t->state) {
	case READY:
		return true;
	case WAITING:
		return __atomic_load_n(&t->event->signaled, __ATOMIC_ACQUIRE) ||
		       bm_tsc() >= t->deadline_tsc;
	case JOINING:
		return t->joined->state == DONE;
	default:
		return false;
	}
}

/* Also asked before each guest entry, with interrupts blocked. */
bool mh_others_ready(void)
{
	for (struct v3_host_thread *t = current->next; t != current; t = t->next) {
		if (is_ready(t))
			return true;
	}
	return false;
}

uint64_t mh_sched_deadline(uint64_t after)
{
	struct v3_host_thread *t = current;
	uint64_t first = UINT64_MAX;

	do {
		if (t->state == WAITING && t->deadline > after && t->deadline < first)
			first = t->deadline;
		t = t->next;
	} while (t != current);
	return first;
}

/* The next ready thread after the current one, or the current one, or NULL. */
static struct v3_host_thread *pick(void)
{
	struct v3_host_thread *t = current;

	do {
		t = t->next;
		if (is_ready(t))
			return t;
	} while (t != current);
	return NULL;
}

/* Interrupts stay on but around the HLT, which must not miss the one it waits for. */
static void schedule(void)
{
	struct v3_host_thread *from = current, *to;

	bm_irq_off();
	for (;;) {
		to = pick();
		if (to)
			break;
		mh_timer_program();
		bm_wait();
	}
	bm_irq_on();
	to->state = READY;
	if (to == from)
		return;
	current = to;
	mh_switch(&from->rsp, to->rsp);
}

static void thread_main(void)
{
	current->fn(current->arg);
	current->state = DONE;
	schedule();
}

struct v3_host_thread *mh_thread_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct v3_host_thread *t = mh_heap_alloc(sizeof(*t));
	uint64_t *sp;

	(void)name;
	if (!t)
		return NULL;
	t->stack = mh_pages_alloc(STACK_PAGES, 1, 0);
	if (!t->stack) {
		mh_heap_free(t, sizeof(*t));
		return NULL;
	}
	t->fn = fn;
	t->arg = arg;
	/*
	 * As mh_switch() leaves it: six registers, then where to return; aligned as after a call.
	 */
	sp = (uint64_t *)(t->stack + STACK_PAGES * V3_PAGE_SIZE);
	*--sp = 0;
	*--sp = (uint64_t)thread_main;
	sp -= 6;
	memset(sp, 0, 6 * sizeof(*sp));
	t->rsp = (uint64_t)sp;
	t->state = READY;
	t->next = current->next;
	current->next = t;
	return t;
}

void mh_thread_join(struct v3_host_thread *thread)
{
	struct v3_host_thread *t = current;

	if (thread->state != DONE) {
		current->joined = thread;
		current->state = JOINING;
		schedule();
	}
	while (t->next != thread)
		t = t->next;
	t->next = thread->next;
	mh_pages_free(thread->stack, STACK_PAGES);
	mh_heap_free(thread, sizeof(*thread));
}

void mh_event_wait(struct v3_host_event *event, uint64_t deadline)
{
	if (event_take(event))
		return;
	current->event = event;
	current->deadline = deadline;
	current->deadline_tsc = mh_clock_tsc(deadline);
	current->state = WAITING;
	/* The deadline must also interrupt a guest that another thread runs. */
	mh_timer_program();
	schedule();
	event_take(event);
}

void mh_event_signal(struct v3_host_event *event)
{
	__atomic_store_n(&event->signaled, 1, __ATOMIC_RELEASE);
}

void mh_yield(void)
{
	schedule();
}
