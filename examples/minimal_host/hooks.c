/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole port: struct v3_os_hooks on top of this host. With one CPU, an identity map and no
 * sleeping locks most hooks are one line.
 */
#include "cpu.h"
#include "host.h"

static void hook_log(void *ctx, enum v3_log_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info", "debug", "trace" };

	(void)ctx;
	bm_printf("%s: %s: %s\n", bm_name, level < BM_ARRAY_SIZE(names) ? names[level] : "log",
		  line);
}

static enum v3_status hook_page_alloc(void *ctx, size_t count, size_t align, int node,
				      uint64_t limit, v3_hpa_t *hpa)
{
	(void)ctx;
	if (node != V3_NODE_ANY && node != 0)
		return V3_ERR_NOMEM;
	*hpa = mh_pages_alloc(count, align, limit);
	return *hpa ? V3_OK : V3_ERR_NOMEM;
}

static void hook_page_free(void *ctx, v3_hpa_t hpa, size_t count)
{
	(void)ctx;
	mh_pages_free(hpa, count);
}

static void *hook_phys_to_virt(void *ctx, v3_hpa_t hpa)
{
	(void)ctx;
	return (void *)hpa;
}

static v3_hpa_t hook_virt_to_phys(void *ctx, const void *virt)
{
	(void)ctx;
	return (v3_hpa_t)virt;
}

static void *hook_heap_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return mh_heap_alloc(size);
}

static void hook_heap_free(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	mh_heap_free(ptr, size);
}

static unsigned int hook_cpu_current(void *ctx)
{
	(void)ctx;
	return 0;
}

static unsigned int hook_cpu_count(void *ctx)
{
	(void)ctx;
	return 1;
}

static enum v3_status hook_cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	(void)ctx;
	if (cpu != 0)
		return V3_ERR_NOENT;
	bm_irq_off();
	fn(arg);
	bm_irq_on();
	return V3_OK;
}

/* Taken at once, or, with interrupts blocked, as soon as the guest is entered. */
static void hook_cpu_kick(void *ctx, unsigned int cpu)
{
	(void)ctx;
	(void)cpu;
	bm_apic_self_ipi(MH_VEC_KICK);
}

static enum v3_status hook_thread_start(void *ctx, const char *name, int cpu,
					void (*fn)(void *arg), void *arg,
					struct v3_host_thread **thread)
{
	(void)ctx;
	if (cpu != V3_CPU_ANY && cpu != 0)
		return V3_ERR_NOENT;
	*thread = mh_thread_start(name, fn, arg);
	return *thread ? V3_OK : V3_ERR_NOMEM;
}

static void hook_thread_join(void *ctx, struct v3_host_thread *thread)
{
	(void)ctx;
	mh_thread_join(thread);
}

static enum v3_status hook_event_create(void *ctx, struct v3_host_event **event)
{
	(void)ctx;
	*event = mh_heap_alloc(sizeof(**event));
	return *event ? V3_OK : V3_ERR_NOMEM;
}

static void hook_event_destroy(void *ctx, struct v3_host_event *event)
{
	(void)ctx;
	mh_heap_free(event, sizeof(*event));
}

static void hook_event_wait(void *ctx, struct v3_host_event *event, uint64_t deadline)
{
	(void)ctx;
	mh_event_wait(event, deadline);
}

static void hook_event_signal(void *ctx, struct v3_host_event *event)
{
	(void)ctx;
	mh_event_signal(event);
}

static void hook_yield(void *ctx)
{
	(void)ctx;
	mh_yield();
}

static uint64_t hook_clock_ns(void *ctx)
{
	(void)ctx;
	return mh_clock_ns();
}

static uint64_t hook_tsc_khz(void *ctx)
{
	(void)ctx;
	return mh_tsc_khz();
}

static bool hook_should_yield(void *ctx)
{
	(void)ctx;
	return mh_others_ready();
}

static bool hook_can_poll(void *ctx)
{
	(void)ctx;
	return !mh_others_ready();
}

static enum v3_status hook_timer_create(void *ctx, unsigned int cpu, struct v3_host_timer **timer)
{
	(void)ctx;
	(void)cpu;
	*timer = mh_timer_create();
	return *timer ? V3_OK : V3_ERR_NOMEM;
}

static void hook_timer_destroy(void *ctx, struct v3_host_timer *timer)
{
	(void)ctx;
	mh_timer_destroy(timer);
}

static void hook_timer_arm(void *ctx, struct v3_host_timer *timer, uint64_t deadline)
{
	(void)ctx;
	mh_timer_arm(timer, deadline);
}

static void hook_timer_cancel(void *ctx, struct v3_host_timer *timer)
{
	(void)ctx;
	timer->deadline = UINT64_MAX;
}

/* Both notifications wake the main thread, which looks for itself what there is. */
static void hook_console_notify(void *ctx, struct v3_vm *vm, void *vm_ctx, unsigned int index)
{
	(void)ctx;
	(void)vm;
	(void)index;
	mh_event_signal(vm_ctx);
}

static void hook_state_notify(void *ctx, struct v3_vm *vm, void *vm_ctx)
{
	(void)ctx;
	(void)vm;
	mh_event_signal(vm_ctx);
}

/* The FPU is nobody's but the guests', and nobody else wants SVM: no fpu_ and no virt_ hooks. */
const struct v3_os_hooks mh_hooks = {
	.abi_version = V3_HOOKS_ABI_VERSION,
	.struct_size = sizeof(struct v3_os_hooks),
	.log = hook_log,
	.page_alloc = hook_page_alloc,
	.page_free = hook_page_free,
	.phys_to_virt = hook_phys_to_virt,
	.virt_to_phys = hook_virt_to_phys,
	.heap_alloc = hook_heap_alloc,
	.heap_free = hook_heap_free,
	.cpu_current = hook_cpu_current,
	.cpu_count = hook_cpu_count,
	.cpu_call = hook_cpu_call,
	.cpu_kick = hook_cpu_kick,
	.thread_start = hook_thread_start,
	.thread_join = hook_thread_join,
	.event_create = hook_event_create,
	.event_destroy = hook_event_destroy,
	.event_wait = hook_event_wait,
	.event_signal = hook_event_signal,
	.yield = hook_yield,
	.clock_ns = hook_clock_ns,
	.tsc_khz = hook_tsc_khz,
	.should_yield = hook_should_yield,
	.timer_create = hook_timer_create,
	.timer_destroy = hook_timer_destroy,
	.timer_arm = hook_timer_arm,
	.timer_cancel = hook_timer_cancel,
	.console_notify = hook_console_notify,
	.state_notify = hook_state_notify,
	.can_poll = hook_can_poll,
};
