/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the table of host hooks and completes it with the documented defaults. */
#include "core/host.h"

#include "x86/insn.h"

static bool never_yield(void *ctx)
{
	(void)ctx;
	return false;
}

static bool never_poll(void *ctx)
{
	(void)ctx;
	return false;
}

static void fpu_nothing(void *ctx)
{
	(void)ctx;
}

static enum v3_status timer_none_create(void *ctx, unsigned int cpu, struct v3_host_timer **timer)
{
	(void)ctx;
	(void)cpu;
	*timer = NULL;
	return V3_OK;
}

static void timer_none(void *ctx, struct v3_host_timer *timer)
{
	(void)ctx;
	(void)timer;
}

static void timer_none_arm(void *ctx, struct v3_host_timer *timer, uint64_t deadline)
{
	(void)ctx;
	(void)timer;
	(void)deadline;
}

static enum v3_status virt_granted(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
	return V3_OK;
}

static void virt_released(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
}

static enum v3_status cr4_write(void *ctx, uint64_t set, uint64_t clear)
{
	(void)ctx;
	v3_x86_write_cr4((v3_x86_read_cr4() | set) & ~clear);
	return V3_OK;
}

static void no_console_notify(void *ctx, struct v3_vm *vm, void *vm_ctx, unsigned int index)
{
	(void)ctx;
	(void)vm;
	(void)vm_ctx;
	(void)index;
}

static void no_state_notify(void *ctx, struct v3_vm *vm, void *vm_ctx)
{
	(void)ctx;
	(void)vm;
	(void)vm_ctx;
}

static unsigned int nodes_unknown(void *ctx)
{
	(void)ctx;
	return 0;
}

static unsigned int cpu_on_node_0(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
	return 0;
}

static unsigned int distance_by_default(void *ctx, unsigned int from, unsigned int to)
{
	(void)ctx;
	return from == to ? 10 : 20;
}

static int choose_any_cpu(void *ctx, void *vm_ctx, unsigned int node)
{
	(void)ctx;
	(void)vm_ctx;
	(void)node;
	return V3_CPU_ANY;
}

/* Name of the first mandatory hook that is missing, or NULL. */
static const char *missing_hook(const struct v3_os_hooks *os)
{
	const struct {
		bool there;
		const char *name;
	} mandatory[] = {
		{ os->log != NULL, "log" },
		{ os->page_alloc != NULL, "page_alloc" },
		{ os->page_free != NULL, "page_free" },
		{ os->phys_to_virt != NULL, "phys_to_virt" },
		{ os->virt_to_phys != NULL, "virt_to_phys" },
		{ os->heap_alloc != NULL, "heap_alloc" },
		{ os->heap_free != NULL, "heap_free" },
		{ os->cpu_current != NULL, "cpu_current" },
		{ os->cpu_count != NULL, "cpu_count" },
		{ os->cpu_call != NULL, "cpu_call" },
		{ os->cpu_kick != NULL, "cpu_kick" },
		{ os->thread_start != NULL, "thread_start" },
		{ os->thread_join != NULL, "thread_join" },
		{ os->event_create != NULL, "event_create" },
		{ os->event_destroy != NULL, "event_destroy" },
		{ os->event_wait != NULL, "event_wait" },
		{ os->event_signal != NULL, "event_signal" },
		{ os->yield != NULL, "yield" },
		{ os->clock_ns != NULL, "clock_ns" },
		{ os->tsc_khz != NULL, "tsc_khz" },
	};
	size_t i;

	for (i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
		if (!mandatory[i].there)
			return mandatory[i].name;
	/* Groups come whole or not at all. */
	if (!os->fpu_begin != !os->fpu_end)
		return os->fpu_begin ? "fpu_end" : "fpu_begin";
	if (os->timer_create && !(os->timer_destroy && os->timer_arm && os->timer_cancel))
		return "timer_destroy, timer_arm or timer_cancel";
	if (!os->virt_acquire != !os->virt_release)
		return os->virt_acquire ? "virt_release" : "virt_acquire";
	if (os->own_begin && !(os->own_end && os->own_enter && os->own_leave && os->own_yield &&
			       os->own_wait))
		return "own_end, own_enter, own_leave, own_yield or own_wait";
	if (os->block_claim && !(os->block_zero && os->block_release && os->block_query))
		return "block_zero, block_release or block_query";
	if (!os->block_claim && (os->block_zero || os->block_release || os->block_query))
		return "block_claim";
	if (os->node_count ? !(os->cpu_node && os->node_distance)
			   : os->cpu_node || os->node_distance)
		return "node_count, cpu_node or node_distance";
	return NULL;
}

enum v3_status v3_hooks_check(const struct v3_os_hooks *hooks, struct v3_os_hooks *out,
			      const char **missing)
{
	*missing = NULL;
	if (!hooks)
		return V3_ERR_INVALID;
	/* The table only grows: a larger one has hooks that this library does not know. */
	if (hooks->abi_version != V3_HOOKS_ABI_VERSION || hooks->struct_size != sizeof(*hooks))
		return V3_ERR_VERSION;
	*missing = missing_hook(hooks);
	if (*missing)
		return V3_ERR_HOOK;
	*out = *hooks;
	if (!out->should_yield)
		out->should_yield = never_yield;
	if (!out->can_poll)
		out->can_poll = never_poll;
	if (!out->fpu_begin) {
		out->fpu_begin = fpu_nothing;
		out->fpu_end = fpu_nothing;
	}
	if (!out->timer_create) {
		out->timer_create = timer_none_create;
		out->timer_destroy = timer_none;
		out->timer_arm = timer_none_arm;
		out->timer_cancel = timer_none;
	}
	if (!out->virt_acquire) {
		out->virt_acquire = virt_granted;
		out->virt_release = virt_released;
	}
	if (!out->cr4_update)
		out->cr4_update = cr4_write;
	if (!out->node_count) {
		out->node_count = nodes_unknown;
		out->cpu_node = cpu_on_node_0;
		out->node_distance = distance_by_default;
	}
	if (!out->cpu_choose)
		out->cpu_choose = choose_any_cpu;
	if (!out->console_notify)
		out->console_notify = no_console_notify;
	if (!out->state_notify)
		out->state_notify = no_state_notify;
	return V3_OK;
}
