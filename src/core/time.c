/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's clock and its timers. All time is host TSC ticks since vm->tsc_base, shown as
 * nanoseconds; the TSCs of all host CPUs are taken to be equal, as on every CPU with an invariant TSC.
 */
#include "core/vm.h"

#include "x86/insn.h"

#define NEVER (~0ull)

/*
 * Base and pause belong together, and devices on other threads read them while a control call changes
 * them. Readers wait for the writer; its lock keeps interrupts off.
 */
static uint64_t clock_change_begin(struct v3_vm *vm)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);

	__atomic_store_n(&vm->clock_seq, vm->clock_seq + 1, __ATOMIC_SEQ_CST);
	return flags;
}

static void clock_change_end(struct v3_vm *vm, uint64_t flags)
{
	__atomic_store_n(&vm->clock_seq, vm->clock_seq + 1, __ATOMIC_RELEASE);
	v3_lock_irqrestore(&vm->lock, flags);
}

void v3_vm_clock_stop(struct v3_vm *vm)
{
	uint64_t flags = clock_change_begin(vm);

	__atomic_store_n(&vm->paused_tsc, v3_x86_rdtsc(), __ATOMIC_RELEASE);
	clock_change_end(vm, flags);
}

void v3_vm_clock_go_on(struct v3_vm *vm)
{
	uint64_t flags = clock_change_begin(vm);

	__atomic_store_n(&vm->tsc_base, vm->tsc_base + v3_x86_rdtsc() - vm->paused_tsc,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&vm->paused_tsc, 0, __ATOMIC_RELEASE);
	clock_change_end(vm, flags);
}

static uint64_t clock_base(const struct v3_vm *vm)
{
	return __atomic_load_n(&vm->tsc_base, __ATOMIC_RELAXED);
}

static uint64_t vm_ticks(const struct v3_vm *vm)
{
	uint64_t base, now;
	uint32_t seq;

	/* The TSC is read in here, too: a moment after a pause would be one that never was. */
	do {
		seq = __atomic_load_n(&vm->clock_seq, __ATOMIC_ACQUIRE);
		base = __atomic_load_n(&vm->tsc_base, __ATOMIC_ACQUIRE);
		now = __atomic_load_n(&vm->paused_tsc, __ATOMIC_ACQUIRE);
		if (!now)
			now = v3_x86_rdtsc();
	} while (seq & 1 || seq != __atomic_load_n(&vm->clock_seq, __ATOMIC_RELAXED));
	return now - base;
}

uint64_t v3_now(const struct v3_vm *vm)
{
	return v3_mul_shift32(vm_ticks(vm), vm->host->ns_per_tick_32);
}

uint64_t v3_guest_tsc(const struct v3_vcpu *vcpu)
{
	return vm_ticks(vcpu->vm) + vcpu->tsc_adjust;
}

uint64_t v3_vm_tsc_khz(const struct v3_vm *vm)
{
	return vm->host->tsc_khz;
}

uint64_t v3_vm_ns_to_tsc(const struct v3_vm *vm, uint64_t ns)
{
	unsigned __int128 product = (unsigned __int128)ns * vm->host->ticks_per_ns_32;
	uint64_t ticks = (uint64_t)(product >> 32);
	uint64_t shown = v3_mul_shift32(ticks, vm->host->ns_per_tick_32);

	/* Centuries away, as devices say "never": must not wrap around to soon. */
	if (product >> 94)
		return NEVER;
	/*
	 * Both factors are rounded down, which adds up to 40 us a day: v3_now() has to have reached
	 * ns when the TSC reaches the result, or timers that are due by the TSC find nothing to do.
	 */
	if (shown < ns)
		ticks += v3_mul_shift32(ns - shown, vm->host->ticks_per_ns_32) + 2;
	return clock_base(vm) + ticks;
}

void v3_vcpu_sync_tsc(struct v3_vcpu *vcpu)
{
	vcpu->vm->arch->set_tsc_offset(vcpu, vcpu->tsc_adjust - clock_base(vcpu->vm));
}

void v3_timer_init(struct v3_timer *timer, struct v3_vcpu *vcpu,
		   void (*fn)(struct v3_timer *timer, void *ctx), void *ctx)
{
	*timer = (struct v3_timer){ .vcpu = vcpu, .fn = fn, .ctx = ctx };
}

/* Caller holds timer_lock. */
static void timer_unlink(struct v3_timer *timer)
{
	if (!timer->pprev)
		return;
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->pprev = NULL;
}

static void timer_link(struct v3_vcpu *vcpu, struct v3_timer *timer)
{
	struct v3_timer **at = &vcpu->timers;

	while (*at && (*at)->deadline <= timer->deadline)
		at = &(*at)->next;
	timer->next = *at;
	timer->pprev = at;
	if (timer->next)
		timer->next->pprev = &timer->next;
	*at = timer;
}

/* Publishes when the first timer is due. Caller holds timer_lock. */
static void deadline_update(struct v3_vcpu *vcpu)
{
	uint64_t tsc = vcpu->timers ? v3_vm_ns_to_tsc(vcpu->vm, vcpu->timers->deadline) : NEVER;

	__atomic_store_n(&vcpu->timer_tsc, tsc, __ATOMIC_RELAXED);
}

void v3_timer_arm(struct v3_timer *timer, uint64_t deadline)
{
	struct v3_vcpu *vcpu = timer->vcpu;
	uint64_t flags = v3_lock_irqsave(&vcpu->timer_lock);
	bool first;

	timer_unlink(timer);
	timer->deadline = deadline;
	timer_link(vcpu, timer);
	first = vcpu->timers == timer;
	deadline_update(vcpu);
	v3_lock_irqrestore(&vcpu->timer_lock, flags);
	if (first)
		v3_vcpu_request(vcpu, V3_REQ_TIMER);
}

void v3_timer_cancel(struct v3_timer *timer)
{
	struct v3_vcpu *vcpu = timer->vcpu;
	uint64_t flags = v3_lock_irqsave(&vcpu->timer_lock);

	timer_unlink(timer);
	deadline_update(vcpu);
	v3_lock_irqrestore(&vcpu->timer_lock, flags);
}

/* Takes the first timer off the list if it is due. */
static struct v3_timer *timer_due(struct v3_vcpu *vcpu, uint64_t now)
{
	uint64_t flags = v3_lock_irqsave(&vcpu->timer_lock);
	struct v3_timer *timer = vcpu->timers;

	if (timer && timer->deadline <= now) {
		timer_unlink(timer);
		deadline_update(vcpu);
	} else {
		timer = NULL;
	}
	v3_lock_irqrestore(&vcpu->timer_lock, flags);
	return timer;
}

uint64_t v3_timers_deadline(struct v3_vcpu *vcpu)
{
	uint64_t tsc = __atomic_load_n(&vcpu->timer_tsc, __ATOMIC_RELAXED);
	uint64_t now = v3_x86_rdtsc(), clock = v3_os_clock_ns(vcpu->host);

	if (tsc == NEVER)
		return UINT64_MAX;
	if (tsc <= now)
		return clock;
	return clock + v3_mul_shift32(tsc - now, vcpu->host->ns_per_tick_32) + 1;
}

/*
 * The host's timer only has to fire by the first deadline. One that is armed for an earlier time is left
 * alone: guests move deadlines back far more often than these pass.
 */
static void host_timer_arm(struct v3_vcpu *vcpu)
{
	uint64_t tsc = __atomic_load_n(&vcpu->timer_tsc, __ATOMIC_RELAXED);

	if (!vcpu->host_timer)
		return;
	if (vcpu->host_timer_tsc <= v3_x86_rdtsc())
		vcpu->host_timer_tsc = NEVER;	/* it has fired */
	if (tsc >= vcpu->host_timer_tsc)
		return;
	vcpu->host_timer_tsc = tsc;
	vcpu->host_timer_ns = v3_timers_deadline(vcpu);
	v3_os_timer_arm(vcpu->host, vcpu->host_timer, vcpu->host_timer_ns);
}

void v3_timers_interrupted(struct v3_vcpu *vcpu)
{
	if (vcpu->host_timer_tsc == NEVER ||
	    v3_os_clock_ns(vcpu->host) < vcpu->host_timer_ns)
		return;
	vcpu->host_timer_tsc = NEVER;
	host_timer_arm(vcpu);
}

void v3_timers_run(struct v3_vcpu *vcpu)
{
	uint64_t now = v3_now(vcpu->vm);
	struct v3_timer *timer;

	while ((timer = timer_due(vcpu, now)))
		timer->fn(timer, timer->ctx);
	host_timer_arm(vcpu);
}

void v3_timers_restart(struct v3_vcpu *vcpu)
{
	uint64_t flags = v3_lock_irqsave(&vcpu->timer_lock);

	deadline_update(vcpu);
	v3_lock_irqrestore(&vcpu->timer_lock, flags);
	vcpu->host_timer_tsc = NEVER;
	v3_vcpu_request(vcpu, V3_REQ_TIMER);
}

void v3_timers_host_start(struct v3_vcpu *vcpu, unsigned int cpu)
{
	vcpu->host_timer_tsc = NEVER;
	if (v3_os_timer_create(vcpu->host, cpu, &vcpu->host_timer) != V3_OK) {
		vcpu->host_timer = NULL;
		v3_vm_log(vcpu->vm, V3_LOG_WARN,
			  "vCPU %u: no host timer on CPU %u: guest timers will be late",
			  vcpu->index, cpu);
	}
}

void v3_timers_host_stop(struct v3_vcpu *vcpu)
{
	if (!vcpu->host_timer)
		return;
	v3_os_timer_cancel(vcpu->host, vcpu->host_timer);
	v3_os_timer_destroy(vcpu->host, vcpu->host_timer);
	vcpu->host_timer = NULL;
}
