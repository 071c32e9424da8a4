/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event trace: for each vCPU a ring that only its thread writes and anyone reads. Events go through
 * v3_vcpu.enter, which points here instead of to the back end while there is something to trace:
 * when there is not, the way into and out of the guest has not even a branch more.
 */
#include <v3/trace.h>

#include "core/vm.h"

#include "lib/mem.h"
#include "x86/insn.h"

#define WORDS (sizeof(struct v3_trace_event) / sizeof(uint64_t))

_Static_assert(sizeof(struct v3_trace_event) == WORDS * sizeof(uint64_t), "events are whole words");
_Static_assert(!(V3_TRACE_EVENTS & (V3_TRACE_EVENTS - 1)), "positions are masked");
_Static_assert(V3_TRACE_REQ_INTR == V3_REQ_INTR && V3_TRACE_REQ_TIMER == V3_REQ_TIMER &&
	       V3_TRACE_REQ_NMI == V3_REQ_NMI && V3_TRACE_REQ_INIT == V3_REQ_INIT &&
	       V3_TRACE_REQ_SIPI == V3_REQ_SIPI, "requests are shown as they are");

/* In pages of its own: no other vCPU's data shares a cache line with it. */
struct v3_trace_ring {
	/*
	 * Events written so far. The event at position n is in slot n modulo the number of slots.
	 */
	uint64_t head;
	uint64_t pad[7];
	uint64_t slots[V3_TRACE_EVENTS][WORDS];
};
#define RING_PAGES ((sizeof(struct v3_trace_ring) + V3_PAGE_SIZE - 1) / V3_PAGE_SIZE)

/* --- Writing: the vCPU's thread --- */

/*
 * Readers take a slot's words for the event at position n only if head is at most n + SLOTS - 1
 * after they have read them, so head has to be visible before the words of the next event are.
 */
static void ring_put(struct v3_trace_ring *ring, const struct v3_trace_event *event)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED), words[WORDS];
	uint64_t *slot = ring->slots[head & (V3_TRACE_EVENTS - 1)];
	unsigned int i;

	memcpy(words, event, sizeof(words));
	for (i = 0; i < WORDS; i++)
		/* Release: what a reader sees of this event comes after the head before it. */
		__atomic_store_n(&slot[i], words[i], __ATOMIC_RELEASE);
	__atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

static void emit(struct v3_vcpu *vcpu, struct v3_trace_event *event)
{
	unsigned int on = __atomic_load_n(&vcpu->trace_on, __ATOMIC_ACQUIRE);
	struct v3_host *host = vcpu->host;

	event->tsc = v3_x86_rdtsc();
	event->rip = vcpu->rip;
	if (on & V3_TRACE_ON_RING)
		ring_put(vcpu->trace, event);
	if (on & V3_TRACE_ON_HOST)
		host->os.trace(host->os.ctx, vcpu, vcpu->vm->ctx, event);
}

static uint64_t pair(uint64_t low, uint64_t high)
{
	return (uint32_t)low | high << 32;
}

void v3_trace_describe(const uint64_t *gpr, const struct v3_exit *exit,
		       struct v3_trace_event *event)
{
	event->kind = V3_TRACE_EXIT;
	event->code = (uint8_t)exit->kind;
	switch (exit->kind) {
	case V3_EXIT_IO:
		event->info = exit->io.port | (uint64_t)exit->io.size << 16 |
			      (uint64_t)exit->io.in << 24 | (uint64_t)exit->io.string << 25;
		if (!exit->io.in && !exit->io.string)
			event->info2 = gpr[0] & ((1ull << 8 * exit->io.size) - 1);
		break;
	case V3_EXIT_NESTED_FAULT:
		event->info = exit->npf.gpa;
		event->info2 = (unsigned int)exit->npf.write | (unsigned int)exit->npf.fetch << 1 |
			       (unsigned int)exit->npf.present << 2 |
			       (unsigned int)exit->npf.walk << 3 |
			       (unsigned int)exit->npf.delivery << 4;
		break;
	case V3_EXIT_CPUID:
		event->info = pair(gpr[0], gpr[1]);
		break;
	case V3_EXIT_RDMSR:
	case V3_EXIT_WRMSR:
		event->info = (uint32_t)gpr[1];
		if (exit->kind == V3_EXIT_WRMSR)
			event->info2 = pair(gpr[0], gpr[2]);
		break;
	case V3_EXIT_CR:
		event->info = exit->cr.cr | (uint64_t)exit->cr.write << 8;
		break;
	case V3_EXIT_DR:
		event->info = exit->dr.dr | (uint64_t)exit->dr.write << 8;
		break;
	case V3_EXIT_EXCEPTION:
		event->info = exit->exception.vector;
		event->info2 = exit->exception.cr2;
		break;
	case V3_EXIT_HYPERCALL:
		event->info = gpr[0];
		event->info2 = gpr[3];
		break;
	case V3_EXIT_SHUTDOWN:
	case V3_EXIT_INVALID:
	case V3_EXIT_UNKNOWN:
		event->info = exit->raw.info1;
		event->info2 = exit->raw.info2;
		break;
	default:
		break;
	}
}

static void enter_traced(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	struct v3_trace_event entry = { .kind = V3_TRACE_ENTRY }, left = { 0 };

	emit(vcpu, &entry);
	v3_vm_run_fn(vcpu->vm)(vcpu, exit);
	v3_trace_describe(vcpu->gpr, exit, &left);
	emit(vcpu, &left);
}

void v3_trace_inject(struct v3_vcpu *vcpu, const struct v3_event *what)
{
	struct v3_trace_event event = {
		.kind = V3_TRACE_INJECT, .code = what->type, .vector = what->vector,
		.flags = what->has_error, .info = what->has_error ? what->error : 0,
	};

	emit(vcpu, &event);
}

void v3_trace_requests(struct v3_vcpu *vcpu, uint32_t taken)
{
	struct v3_trace_event event = { .kind = V3_TRACE_REQUEST, .info = taken };

	emit(vcpu, &event);
}

/* --- Turning it on and off --- */

void v3_trace_init(struct v3_vcpu *vcpu)
{
	vcpu->enter = v3_vm_run_fn(vcpu->vm);
}

void v3_trace_destroy(struct v3_vcpu *vcpu)
{
	if (!vcpu->trace)
		return;
	/* It has values of the guest's. */
	memset(vcpu->trace, 0, sizeof(*vcpu->trace));
	v3_os_page_free(vcpu->host, vcpu->trace_hpa, RING_PAGES);
	vcpu->trace = NULL;
}

/* The ring of a vCPU that has none; another caller may be as far. */
static enum v3_status ring_add(struct v3_vcpu *vcpu)
{
	struct v3_vm *vm = vcpu->vm;
	struct v3_trace_ring *ring;
	enum v3_status status;
	uint64_t flags;
	v3_hpa_t hpa;

	status = v3_os_page_alloc(vcpu->host, RING_PAGES, 1, V3_NODE_ANY, 0, &hpa);
	if (status != V3_OK)
		return status;
	ring = v3_os_virt(vcpu->host, hpa);
	memset(ring, 0, sizeof(*ring));
	flags = v3_lock_irqsave(&vm->lock);
	if (!vcpu->trace) {
		vcpu->trace_hpa = hpa;
		vm->vcpu_bytes += RING_PAGES * V3_PAGE_SIZE;
		__atomic_store_n(&vcpu->trace, ring, __ATOMIC_RELEASE);
		ring = NULL;
	}
	v3_lock_irqrestore(&vm->lock, flags);
	if (ring)
		v3_os_page_free(vcpu->host, hpa, RING_PAGES);
	return V3_OK;
}

static void change(struct v3_vm *vm, unsigned int what, bool on)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	unsigned int i, bits;

	bits = on ? vm->trace_on | what : vm->trace_on & ~what;
	__atomic_store_n(&vm->trace_on, bits, __ATOMIC_RELAXED);
	for (i = 0; i < vm->num_vcpus; i++) {
		struct v3_vcpu *vcpu = vm->vcpus[i];

		/* Release: with the bit the vCPU's thread sees the ring. */
		__atomic_store_n(&vcpu->trace_on, bits, __ATOMIC_RELEASE);
		__atomic_store_n(&vcpu->enter, bits ? enter_traced : v3_vm_run_fn(vm),
				 __ATOMIC_RELAXED);
	}
	v3_lock_irqrestore(&vm->lock, flags);
}

enum v3_status v3_trace_set(struct v3_vm *vm, bool on)
{
	enum v3_status status;
	unsigned int i;

	for (i = 0; on && i < vm->num_vcpus; i++) {
		if (__atomic_load_n(&vm->vcpus[i]->trace, __ATOMIC_ACQUIRE))
			continue;
		status = ring_add(vm->vcpus[i]);
		if (status != V3_OK)
			return status;
	}
	change(vm, V3_TRACE_ON_RING, on);
	return V3_OK;
}

bool v3_trace_is_on(const struct v3_vm *vm)
{
	return __atomic_load_n(&vm->trace_on, __ATOMIC_RELAXED) & V3_TRACE_ON_RING;
}

void v3_trace_host(struct v3_vm *vm, bool on)
{
	if (vm->host->os.trace)
		change(vm, V3_TRACE_ON_HOST, on);
}

/* --- Reading: anyone --- */

enum v3_status v3_trace_read(struct v3_vcpu *vcpu, uint64_t *position,
			     struct v3_trace_event *events, unsigned int capacity,
			     unsigned int *count, uint64_t *lost)
{
	const struct v3_trace_ring *ring = __atomic_load_n(&vcpu->trace, __ATOMIC_ACQUIRE);
	uint64_t head, from = *position, first, words[WORDS];
	unsigned int i, n = 0, skip = 0;

	*count = 0;
	*lost = 0;
	if (!ring)
		return V3_ERR_NOENT;
	head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	if (from > head)
		from = head;
	/* The slot of the oldest may be the one that is being written. */
	first = head >= V3_TRACE_EVENTS ? head - V3_TRACE_EVENTS + 1 : 0;
	if (from < first) {
		*lost = first - from;
		from = first;
	}
	for (; n < capacity && from + n < head; n++) {
		const uint64_t *slot = ring->slots[(from + n) & (V3_TRACE_EVENTS - 1)];

		/* Acquire: the look at head below comes after all of them. */
		for (i = 0; i < WORDS; i++)
			words[i] = __atomic_load_n(&slot[i], __ATOMIC_ACQUIRE);
		memcpy(&events[n], words, sizeof(words));
	}
	head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	first = head >= V3_TRACE_EVENTS ? head - V3_TRACE_EVENTS + 1 : 0;
	/*
	 * The writer came round meanwhile: what it may have touched is none of what was asked for.
	 */
	if (from < first)
		skip = first - from < n ? (unsigned int)(first - from) : n;
	*lost += skip;
	*count = n - skip;
	*position = from + n;
	if (skip)
		memmove(events, events + skip, (n - skip) * sizeof(*events));
	return V3_OK;
}
