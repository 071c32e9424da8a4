/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs, clock, timers, FPU and ownership of virtualization of the fake host. */
#include <stdint.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_lock.h"
#include "fakes/fake_x86_state.h"
#include "lib/bits.h"
#include "x86/cr.h"

static bool is_online(const struct v3_fake_host *host, unsigned int cpu)
{
	return cpu < host->num_cpus && !host->offline[cpu];
}

static bool in_process(void)
{
	return v3_fake_irqs_on() && v3_fake_locks_held() == 0 && fake_context.cpu_calls == 0 &&
	       !fake_context.fpu;
}

static unsigned int cpu_current(void *ctx)
{
	(void)ctx;
	if (in_process() && !fake_context.pinned)
		v3_fake_fail("cpu_current in a thread that may be moved to another CPU");
	return v3_fake_cpu();
}

static unsigned int cpu_count(void *ctx)
{
	const struct v3_fake_host *host = ctx;

	return host->num_cpus;
}

static enum v3_status cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct v3_fake_host *host = ctx;
	struct fake_thread before = fake_thread;

	fake_need_process("cpu_call");
	if (!is_online(host, cpu))
		return V3_ERR_NOENT;
	v3_fake_set_cpu(cpu);
	v3_fake_set_irqs(false);
	fake_context.cpu_calls++;
	fn(arg);
	fake_context.cpu_calls--;
	if (fake_thread.irqs_on || !fake_thread.gif || v3_fake_locks_held() > 0)
		v3_fake_fail("function of cpu_call left interrupts on, GIF clear or a lock held");
	fake_thread = before;
	return V3_OK;
}

static void cpu_kick(void *ctx, unsigned int cpu)
{
	struct v3_fake_host *host = ctx;
	void (*fn)(void *arg, unsigned int cpu);
	void *arg;

	if (cpu >= host->num_cpus) {
		v3_fake_fail("cpu_kick(%u) with %u CPUs", cpu, host->num_cpus);
		return;
	}
	fake_host_lock(host);
	host->kicks[cpu]++;
	host->irqs[cpu]++;
	fn = host->on_kick;
	arg = host->on_kick_arg;
	fake_host_unlock(host);
	if (fn)
		fn(arg, cpu);
}

void v3_fake_host_set_cpu_count(struct v3_fake_host *host, unsigned int count)
{
	if (count == 0 || count > V3_FAKE_MAX_CPUS)
		v3_fake_fail("%u fake CPUs, at most %u", count, V3_FAKE_MAX_CPUS);
	else
		host->num_cpus = count;
}

void v3_fake_host_set_online(struct v3_fake_host *host, unsigned int cpu, bool online)
{
	host->offline[cpu] = !online;
}

unsigned int v3_fake_host_take_irqs(struct v3_fake_host *host, unsigned int cpu)
{
	unsigned int irqs;

	fake_host_lock(host);
	irqs = host->irqs[cpu];
	host->irqs[cpu] = 0;
	fake_host_unlock(host);
	return irqs;
}

unsigned int v3_fake_host_kicks(const struct v3_fake_host *host, unsigned int cpu)
{
	unsigned int kicks;

	fake_host_lock(host);
	kicks = host->kicks[cpu];
	fake_host_unlock(host);
	return kicks;
}

void v3_fake_host_on_kick(struct v3_fake_host *host, void (*fn)(void *arg, unsigned int cpu),
			  void *arg)
{
	fake_host_lock(host);
	host->on_kick = fn;
	host->on_kick_arg = arg;
	fake_host_unlock(host);
}

static bool should_yield(void *ctx)
{
	struct v3_fake_host *host = ctx;

	return __atomic_load_n(&host->should_yield, __ATOMIC_RELAXED);
}

void v3_fake_host_set_should_yield(struct v3_fake_host *host, bool answer)
{
	__atomic_store_n(&host->should_yield, answer, __ATOMIC_RELAXED);
}

static bool can_poll(void *ctx)
{
	struct v3_fake_host *host = ctx;

	if (!fake_context.fpu)
		v3_fake_fail("can_poll outside of fpu_begin and fpu_end");
	return __atomic_load_n(&host->can_poll, __ATOMIC_RELAXED);
}

/* Events of a VM that is traced for the host; a test that looks at them puts its own hook here. */
static void trace(void *ctx, struct v3_vcpu *vcpu, void *vm_ctx, const struct v3_trace_event *event)
{
	(void)ctx;
	(void)vm_ctx;
	if (!vcpu || !event)
		v3_fake_fail("trace without a vCPU or an event");
}

void v3_fake_host_set_can_poll(struct v3_fake_host *host, bool answer)
{
	__atomic_store_n(&host->can_poll, answer, __ATOMIC_RELAXED);
}

/* FPU */

static void fpu_begin(void *ctx)
{
	(void)ctx;
	if (fake_context.fpu)
		v3_fake_fail("fpu_begin twice");
	fake_need_process("fpu_begin");
	fake_context.fpu = true;
}

static void fpu_end(void *ctx)
{
	(void)ctx;
	if (!fake_context.fpu)
		v3_fake_fail("fpu_end without fpu_begin");
	fake_context.fpu = false;
	fake_need_process("fpu_end");
}

bool v3_fake_host_in_fpu(void)
{
	return fake_context.fpu;
}

/* Clock and timers */

static uint64_t clock_ns(void *ctx)
{
	const struct v3_fake_host *host = ctx;

	return __atomic_load_n(&host->now, __ATOMIC_RELAXED);
}

uint64_t v3_fake_host_now(const struct v3_fake_host *host)
{
	return __atomic_load_n(&host->now, __ATOMIC_RELAXED);
}

static uint64_t tsc_khz(void *ctx)
{
	(void)ctx;
	return V3_FAKE_TSC_KHZ;
}

static void fire_due_timers(struct v3_fake_host *host)
{
	for (unsigned int i = 0; i < FAKE_MAX_TIMERS; i++) {
		struct v3_host_timer *timer = &host->timers[i];

		if (timer->used && timer->armed && timer->deadline <= host->now) {
			timer->armed = false;
			host->irqs[timer->cpu]++;
		}
	}
}

void fake_clock_to(struct v3_fake_host *host, uint64_t now)
{
	uint64_t ns = now - host->now;

	if (now <= host->now)
		return;
	__atomic_store_n(&host->now, now, __ATOMIC_RELAXED);
	v3_fake_tsc_advance(v3_mul_div(ns, V3_FAKE_TSC_KHZ, 1000000));
	fire_due_timers(host);
	for (unsigned int i = 0; i < FAKE_MAX_EVENTS; i++)
		if (host->events[i].used)
			pthread_cond_broadcast(&host->events[i].cond);
}

void v3_fake_host_advance(struct v3_fake_host *host, uint64_t ns)
{
	fake_host_lock(host);
	fake_clock_to(host, host->now + ns);
	fake_host_unlock(host);
}

void v3_fake_host_set_auto_clock(struct v3_fake_host *host, bool on)
{
	fake_host_lock(host);
	host->auto_clock = on;
	fake_host_unlock(host);
}

static enum v3_status timer_create_hook(void *ctx, unsigned int cpu, struct v3_host_timer **timer)
{
	struct v3_fake_host *host = ctx;
	unsigned int i;

	fake_need_process("timer_create");
	if (cpu >= host->num_cpus)
		v3_fake_fail("timer_create for CPU %u of %u", cpu, host->num_cpus);
	if (fake_alloc_fails(host, "timer_create"))
		return V3_ERR_NOMEM;
	fake_host_lock(host);
	for (i = 0; i < FAKE_MAX_TIMERS && host->timers[i].used; i++)
		;
	if (i < FAKE_MAX_TIMERS) {
		host->timers[i] = (struct v3_host_timer){ .used = true, .cpu = cpu };
		*timer = &host->timers[i];
	}
	fake_host_unlock(host);
	return i < FAKE_MAX_TIMERS ? V3_OK : V3_ERR_NOMEM;
}

static bool check_timer(const char *hook, const struct v3_host_timer *timer, bool on_cpu)
{
	if (!timer || !timer->used) {
		v3_fake_fail("%s of a timer that is not there", hook);
		return false;
	}
	if (on_cpu && timer->cpu != v3_fake_cpu())
		v3_fake_fail("%s of CPU %u's timer on CPU %u", hook, timer->cpu, v3_fake_cpu());
	return true;
}

static void timer_destroy(void *ctx, struct v3_host_timer *timer)
{
	struct v3_fake_host *host = ctx;

	fake_need_process("timer_destroy");
	fake_host_lock(host);
	if (check_timer("timer_destroy", timer, false))
		timer->used = false;
	fake_host_unlock(host);
}

static void timer_arm(void *ctx, struct v3_host_timer *timer, uint64_t deadline)
{
	struct v3_fake_host *host = ctx;

	fake_host_lock(host);
	if (check_timer("timer_arm", timer, true)) {
		timer->armed = true;
		timer->deadline = deadline;
		fire_due_timers(host);
	}
	fake_host_unlock(host);
}

static void timer_cancel(void *ctx, struct v3_host_timer *timer)
{
	struct v3_fake_host *host = ctx;

	fake_host_lock(host);
	if (check_timer("timer_cancel", timer, true))
		timer->armed = false;
	fake_host_unlock(host);
}

uint64_t v3_fake_host_timer_deadline(const struct v3_fake_host *host, unsigned int cpu)
{
	uint64_t deadline = UINT64_MAX;

	fake_host_lock(host);
	for (unsigned int i = 0; i < FAKE_MAX_TIMERS; i++) {
		const struct v3_host_timer *timer = &host->timers[i];

		if (timer->used && timer->armed && timer->cpu == cpu)
			deadline = v3_min_u64(deadline, timer->deadline);
	}
	fake_host_unlock(host);
	return deadline;
}

/* Ownership of virtualization */

static bool check_virt(const char *hook, unsigned int cpu)
{
	if (v3_fake_irqs_on() || cpu != v3_fake_cpu())
		v3_fake_fail("%s(%u) on CPU %u with interrupts %s", hook, cpu, v3_fake_cpu(),
			     v3_fake_irqs_on() ? "on" : "off");
	return cpu < V3_FAKE_MAX_CPUS;
}

static enum v3_status virt_acquire(void *ctx, unsigned int cpu)
{
	struct v3_fake_host *host = ctx;
	enum v3_status status;

	if (!check_virt("virt_acquire", cpu))
		return V3_ERR_NOENT;
	fake_host_lock(host);
	status = host->virt_answer;
	if (host->virt_held[cpu])
		v3_fake_fail("virt_acquire(%u) twice", cpu);
	host->virt_held[cpu] = status == V3_OK;
	fake_host_unlock(host);
	return status;
}

static void virt_release(void *ctx, unsigned int cpu)
{
	struct v3_fake_host *host = ctx;

	if (!check_virt("virt_release", cpu))
		return;
	fake_host_lock(host);
	if (!host->virt_held[cpu])
		v3_fake_fail("virt_release(%u) without virt_acquire", cpu);
	host->virt_held[cpu] = false;
	fake_host_unlock(host);
}

static enum v3_status cr4_update(void *ctx, uint64_t set, uint64_t clear)
{
	const struct v3_fake_host *host = ctx;

	if (v3_fake_irqs_on() || !host->virt_held[v3_fake_cpu()])
		v3_fake_fail("cr4_update(%#llx, %#llx) on CPU %u, which is not held, or with interrupts on",
			     (unsigned long long)set, (unsigned long long)clear, v3_fake_cpu());
	if ((set | clear) != V3_CR4_VMXE || set & clear)
		v3_fake_fail("cr4_update(%#llx, %#llx)", (unsigned long long)set,
			     (unsigned long long)clear);
	if (set && host->cr4_answer != V3_OK)
		return host->cr4_answer;
	v3_x86_write_cr4((v3_x86_read_cr4() | set) & ~clear);
	return V3_OK;
}

void v3_fake_host_set_cr4_answer(struct v3_fake_host *host, enum v3_status answer)
{
	host->cr4_answer = answer;
}

void v3_fake_host_set_virt_answer(struct v3_fake_host *host, enum v3_status answer)
{
	host->virt_answer = answer;
}

bool v3_fake_host_virt_held(const struct v3_fake_host *host, unsigned int cpu)
{
	return host->virt_held[cpu];
}

void fake_cpus_destroy(struct v3_fake_host *host)
{
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++)
		if (host->virt_held[cpu])
			v3_fake_fail("virt_acquire(%u) without virt_release", cpu);
	for (unsigned int i = 0; i < FAKE_MAX_TIMERS; i++)
		if (host->timers[i].used)
			v3_fake_fail("leak: a timer of CPU %u", host->timers[i].cpu);
}

void fake_cpu_hooks(struct v3_os_hooks *hooks)
{
	hooks->cpu_current = cpu_current;
	hooks->cpu_count = cpu_count;
	hooks->cpu_call = cpu_call;
	hooks->cpu_kick = cpu_kick;
	hooks->should_yield = should_yield;
	hooks->can_poll = can_poll;
	hooks->trace = trace;
	hooks->fpu_begin = fpu_begin;
	hooks->fpu_end = fpu_end;
	hooks->clock_ns = clock_ns;
	hooks->tsc_khz = tsc_khz;
	hooks->timer_create = timer_create_hook;
	hooks->timer_destroy = timer_destroy;
	hooks->timer_arm = timer_arm;
	hooks->timer_cancel = timer_cancel;
	hooks->virt_acquire = virt_acquire;
	hooks->virt_release = virt_release;
	hooks->cr4_update = cr4_update;
}
