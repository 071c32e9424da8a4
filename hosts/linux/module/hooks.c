/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* struct v3_os_hooks for Linux, and the hooks that are only a line or two. */
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/io.h>
#include <asm/tsc.h>

#include "blocks.h"
#include "compat.h"
#include "own.h"

static void *lx_phys_to_virt(void *ctx, v3_hpa_t hpa)
{
	return __va(hpa);
}

static unsigned int lx_cpu_current(void *ctx)
{
	return raw_smp_processor_id();
}

static unsigned int lx_cpu_count(void *ctx)
{
	return nr_cpu_ids;
}

/*
 * The reschedule interrupt: it may be sent with interrupts off, needs no memory, stays pending in
 * the target's APIC while the target has interrupts off, and its handler does next to nothing.
 */
static void lx_cpu_kick(void *ctx, unsigned int cpu)
{
	if (cpu < nr_cpu_ids && cpu_online(cpu))
		v3_lx_send_reschedule(cpu);
}

static void lx_yield(void *ctx)
{
	/* not cond_resched() alone: it is empty in fully preemptible kernels */
	if (need_resched())
		schedule();
	else
		cond_resched();
}

static uint64_t lx_clock_ns(void *ctx)
{
	return ktime_get_ns();
}

static uint64_t lx_tsc_khz(void *ctx)
{
	return tsc_khz;
}

/*
 * Kernels in which kernel_fpu_begin() turns softirqs off (6.15 and later) raise them without
 * running them while a guest runs: that is a reason to leave, too.
 */
static bool lx_should_yield(void *ctx)
{
	return need_resched() || (softirq_count() && local_softirq_pending());
}

static bool lx_can_poll(void *ctx)
{
	return single_task_running() && !lx_should_yield(ctx);
}

/*
 * A kernel thread's FPU registers are not saved by the context switch, and kernel_fpu_begin() turns
 * preemption off; so guest state is in the registers between these two only, and
 * libv3 saves and loads it inside of them.
 */
static void lx_fpu_begin(void *ctx)
{
	kernel_fpu_begin();
}

static void lx_fpu_end(void *ctx)
{
	struct v3_host_own *own = this_cpu_read(v3_lx_own_here);

	if (own)
		v3_lx_own_out(own);
	/* VM exits leave a TSS without I/O permissions: Linux loads it anew for who has some. */
	if (boot_cpu_has(X86_FEATURE_VMX))
		invalidate_tss_limit();
	kernel_fpu_end();
}

struct v3_host_timer {
	struct hrtimer timer;
};

/* The interrupt itself is what libv3 wants. */
static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static enum v3_status lx_timer_create(void *ctx, unsigned int cpu, struct v3_host_timer **out)
{
	struct v3_host_timer *timer;
	struct v3_host_own *own;

	timer = kzalloc_node(sizeof(*timer), GFP_KERNEL, cpu_to_node(cpu));
	if (!timer)
		return V3_ERR_NOMEM;
	/* hard: with PREEMPT_RT, too, it expires in the interrupt, not in a thread */
	v3_lx_hrtimer_setup(&timer->timer, timer_expired, HRTIMER_MODE_ABS_PINNED_HARD);
	own = this_cpu_read(v3_lx_own_here);
	if (own)
		own->guest_timer = &timer->timer;
	*out = timer;
	return V3_OK;
}

static void lx_timer_destroy(void *ctx, struct v3_host_timer *timer)
{
	struct v3_host_own *own = this_cpu_read(v3_lx_own_here);

	if (own)
		own->guest_timer = NULL;
	hrtimer_cancel(&timer->timer);
	kfree(timer);
}

static void lx_timer_arm(void *ctx, struct v3_host_timer *timer, uint64_t deadline)
{
	ktime_t expires = ns_to_ktime(min_t(u64, deadline, KTIME_MAX));

	if (hrtimer_is_queued(&timer->timer) && hrtimer_get_expires(&timer->timer) == expires)
		return;
	hrtimer_start(&timer->timer, expires, HRTIMER_MODE_ABS_PINNED_HARD);
}

static void lx_timer_cancel(void *ctx, struct v3_host_timer *timer)
{
	/* if it is expiring this very moment there is one spurious interrupt */
	hrtimer_try_to_cancel(&timer->timer);
}

static unsigned int lx_node_count(void *ctx)
{
	return nr_node_ids;
}

static unsigned int lx_cpu_node(void *ctx, unsigned int cpu)
{
	int node = cpu < nr_cpu_ids ? cpu_to_node(cpu) : 0;

	return node < 0 ? 0 : node;
}

static unsigned int lx_node_distance(void *ctx, unsigned int from, unsigned int to)
{
	return min(node_distance(from, to), 254);
}

const struct v3_os_hooks v3_lx_hooks = {
	.abi_version = V3_HOOKS_ABI_VERSION,
	.struct_size = sizeof(struct v3_os_hooks),
	.log = v3_lx_log,
	.page_alloc = v3_lx_page_alloc,
	.page_free = v3_lx_page_free,
	.phys_to_virt = lx_phys_to_virt,
	.virt_to_phys = v3_lx_virt_to_phys,
	.heap_alloc = v3_lx_heap_alloc,
	.heap_free = v3_lx_heap_free,
	.cpu_current = lx_cpu_current,
	.cpu_count = lx_cpu_count,
	.cpu_call = v3_lx_cpu_call,
	.cpu_kick = lx_cpu_kick,
	.thread_start = v3_lx_thread_start,
	.thread_join = v3_lx_thread_join,
	.event_create = v3_lx_event_create,
	.event_destroy = v3_lx_event_destroy,
	.event_wait = v3_lx_event_wait,
	.event_signal = v3_lx_event_signal,
	.yield = lx_yield,
	.clock_ns = lx_clock_ns,
	.tsc_khz = lx_tsc_khz,
	.should_yield = lx_should_yield,
	.fpu_begin = lx_fpu_begin,
	.fpu_end = lx_fpu_end,
	.timer_create = lx_timer_create,
	.timer_destroy = lx_timer_destroy,
	.timer_arm = lx_timer_arm,
	.timer_cancel = lx_timer_cancel,
	.virt_acquire = v3_lx_virt_acquire,
	.virt_release = v3_lx_virt_release,
	.cr4_update = v3_lx_cr4_update,
	.console_notify = v3_lx_console_notify,
	.state_notify = v3_lx_state_notify,
	.trace = v3_lx_trace,
	.can_poll = lx_can_poll,
	.own_begin = v3_lx_own_begin,
	.own_end = v3_lx_own_end,
	.own_enter = v3_lx_own_enter,
	.own_leave = v3_lx_own_leave,
	.own_yield = v3_lx_own_yield,
	.own_wait = v3_lx_own_wait,
	.block_claim = v3_lx_block_claim,
	.block_zero = v3_lx_block_zero,
	.block_release = v3_lx_block_release,
	.block_query = v3_lx_block_query,
	.node_count = lx_node_count,
	.cpu_node = lx_cpu_node,
	.node_distance = lx_node_distance,
	.cpu_choose = v3_lx_cpu_choose,
};
