/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's clock and its timers. All time is host TSC ticks since vm->tsc_base, shown as
 * nanoseconds, and as the guest's TSC (tsc.c has the rest of that); the TSCs of all host CPUs are
 * taken to be equal, as on every CPU with an invariant TSC.
 */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/insn.h"

#define NEVER (~0ull)

/*
 * Base and pause belong together, and devices on other threads read them while a control call
 * changes them. Readers wait for the writer; its lock keeps interrupts off.
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

V3_RARE void v3_vm_clock_stop(struct v3_vm *vm)
{
	uint64_t flags = clock_change_begin(vm);

	__atomic_store_n(&vm->paused_tsc, v3_x86_rdtsc(), __ATOMIC_RELEASE);
	clock_change_end(vm, flags);
}

V3_RARE void v3_vm_clock_go_on(struct v3_vm *vm)
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

uint64_t v3_vm_ticks(const struct v3_vm *vm)
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
	return v3_mul_shift32(v3_vm_ticks(vm), vm->host->ns_per_tick_32);
}

uint64_t v3_guest_tsc(const struct v3_vcpu *vcpu)
{
	if (__builtin_expect(vcpu->vm->tsc_ratio, 0))
		return v3_guest_tsc_scaled(vcpu);
	return v3_vm_ticks(vcpu->vm) + vcpu->tsc_adjust;
}

uint64_t v3_vm_tsc_khz(const struct v3_vm *vm)
{
	return vm->tsc_khz;
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

/* --- The vCPU's own timer: no lock, as only its thread touches it --- */

/* What the thread has to look at by itself: its own timer, and the host's. */
static void local_update(struct v3_vcpu *vcpu)
{
	vcpu->local_tsc = vcpu->own_tsc < vcpu->host_timer_tsc ? vcpu->own_tsc :
								 vcpu->host_timer_tsc;
}

static void own_update(struct v3_vcpu *vcpu)
{
	vcpu->own_tsc = vcpu->own_deadline == NEVER ? NEVER :
						      v3_vm_ns_to_tsc(vcpu->vm, vcpu->own_deadline);
	local_update(vcpu);
}

/* --- Waiting for them --- */

static uint64_t first_tsc(const struct v3_vcpu *vcpu)
{
	uint64_t tsc = __atomic_load_n(&vcpu->timer_tsc, __ATOMIC_RELAXED);

	return vcpu->own_tsc < tsc ? vcpu->own_tsc : tsc;
}

/*
 * So long after the host's clock was read it follows from the TSC: by at most 500 ppm of steering.
 */
#define CLOCK_KEPT_NS 250000u

/* The host's clock when the TSC will be there. */
static uint64_t clock_at(struct v3_vcpu *vcpu, uint64_t tsc, uint64_t now)
{
	uint64_t most = v3_mul_shift32(CLOCK_KEPT_NS, vcpu->host->ticks_per_ns_32);

	if (now - vcpu->clock_tsc > most) {
		vcpu->clock_ns = v3_os_clock_ns(vcpu->host);
		vcpu->clock_tsc = now;
	}
	if (tsc < now)
		tsc = now;
	return vcpu->clock_ns + 1 +
	       v3_mul_shift32(tsc - vcpu->clock_tsc, vcpu->host->ns_per_tick_32);
}

uint64_t v3_timers_deadline(struct v3_vcpu *vcpu)
{
	uint64_t tsc = first_tsc(vcpu);

	return tsc == NEVER ? UINT64_MAX : clock_at(vcpu, tsc, v3_x86_rdtsc());
}

/*
 * The host's timer only has to fire by the first deadline, earlier by what its interrupt takes. One
 * that is armed for an earlier time is left alone: guests move deadlines back far more often than
 * these pass.
 */
static void host_timer_arm(struct v3_vcpu *vcpu, uint64_t now)
{
	uint64_t tsc = first_tsc(vcpu);

	if (vcpu->host_timer_tsc <= now)
		vcpu->host_timer_tsc = NEVER;	/* it has fired */
	vcpu->host_timer_first = tsc;
	if (tsc != NEVER && vcpu->host_timer) {
		tsc = tsc > now && tsc - now > vcpu->lead ? tsc - vcpu->lead : now;
		if (tsc < vcpu->host_timer_tsc) {
			vcpu->host_timer_tsc = tsc;
			vcpu->host_timer_ns = clock_at(vcpu, tsc, now);
			/*
			 * Not if it is that near: the guest is not entered before it then. The CPU
			 * may do it by itself while it runs the guest, and else nobody waits for it.
			 */
			if (tsc > now && !vcpu->host->timer_in_guest)
				v3_os_timer_arm(vcpu->host, vcpu->host_timer,
						vcpu->host_timer_ns);
		}
	}
	local_update(vcpu);
}

void v3_vcpu_timer_set(struct v3_vcpu *vcpu, uint64_t deadline)
{
	vcpu->own_deadline = deadline;
	own_update(vcpu);
	/* The host's timer has to be moved forward; it is never moved back. */
	if (vcpu->own_tsc == NEVER || vcpu->own_tsc - vcpu->lead >= vcpu->host_timer_tsc)
		return;
	/* A timer of a vCPU that is parked, or not started, is set by another thread. */
	if (vcpu->host_timer &&
	    __atomic_load_n(&vcpu->mode, __ATOMIC_RELAXED) == V3_VCPU_OUTSIDE)
		host_timer_arm(vcpu, v3_x86_rdtsc());
	else
		v3_vcpu_request(vcpu, V3_REQ_TIMER);
}

/*
 * The rest of the lead. What wants the thread ends it; then the guest is not entered and this comes
 * again.
 */
static uint64_t wait_for_first(struct v3_vcpu *vcpu)
{
	uint64_t tsc = first_tsc(vcpu), now = v3_x86_rdtsc();

	if (tsc - now > vcpu->lead)
		return now;
	while (now < tsc && !__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) &&
	       !v3_os_should_yield(vcpu->host)) {
		v3_x86_pause();
		now = v3_x86_rdtsc();
	}
	return now;
}

/*
 * The host's timer ended the guest's run. Its interrupt takes its time, so from now on it is armed
 * earlier by half of what it was late, or later by an eighth of what it was early. What is later
 * than V3_LEAD_MAX_NS had other reasons.
 */
static void lead_learn(struct v3_vcpu *vcpu)
{
	uint64_t most = v3_mul_shift32(V3_LEAD_MAX_NS, vcpu->host->ticks_per_ns_32);
	int64_t late = (int64_t)(v3_x86_rdtsc() - vcpu->host_timer_first);

	if (late > (int64_t)most || late < -(int64_t)most)
		return;
	if (late > 0)
		vcpu->lead += ((uint64_t)late + 1) / 2;
	else
		vcpu->lead -= (uint64_t)-late / 8 < vcpu->lead ? (uint64_t)-late / 8 : vcpu->lead;
	if (vcpu->lead > most)
		vcpu->lead = most;
}

void v3_timers_interrupted(struct v3_vcpu *vcpu)
{
	if (vcpu->host_timer_tsc == NEVER)
		return;
	/* By the TSC it has fired. By the host's clock it may have before, as that is steered. */
	if (v3_x86_rdtsc() < vcpu->host_timer_tsc &&
	    v3_os_clock_ns(vcpu->host) < vcpu->host_timer_ns)
		return;
	if (first_tsc(vcpu) == vcpu->host_timer_first)
		lead_learn(vcpu);
	vcpu->host_timer_tsc = NEVER;
	v3_timers_run(vcpu);
}

/* The vCPU's own timer is due. */
static void own_run(struct v3_vcpu *vcpu)
{
	vcpu->own_deadline = vcpu->own_tsc = NEVER;
	vcpu->vm->intc->timer(vcpu, vcpu->vm->intc_ctx, true);
}

static void others_run(struct v3_vcpu *vcpu)
{
	uint64_t now = v3_now(vcpu->vm);
	struct v3_timer *timer;

	while ((timer = timer_due(vcpu, now)))
		timer->fn(timer, timer->ctx);
}

void v3_timers_run(struct v3_vcpu *vcpu)
{
	uint64_t now = wait_for_first(vcpu);

	if (vcpu->own_tsc <= now)
		own_run(vcpu);
	/* Of others' timers none is due before the time that they publish: no lock then. */
	if (__atomic_load_n(&vcpu->timer_tsc, __ATOMIC_RELAXED) <= now)
		others_run(vcpu);
	host_timer_arm(vcpu, v3_x86_rdtsc());
}

V3_RARE void v3_timers_restart(struct v3_vcpu *vcpu)
{
	uint64_t flags = v3_lock_irqsave(&vcpu->timer_lock);

	deadline_update(vcpu);
	v3_lock_irqrestore(&vcpu->timer_lock, flags);
	vcpu->host_timer_tsc = NEVER;
	own_update(vcpu);
	v3_vcpu_request(vcpu, V3_REQ_TIMER);
}

V3_RARE void v3_timers_host_start(struct v3_vcpu *vcpu, unsigned int cpu)
{
	vcpu->host_timer_tsc = NEVER;
	local_update(vcpu);
	vcpu->clock_tsc = v3_x86_rdtsc();
	vcpu->clock_ns = v3_os_clock_ns(vcpu->host);
	if (v3_os_timer_create(vcpu->host, cpu, &vcpu->host_timer) != V3_OK) {
		vcpu->host_timer = NULL;
		v3_vm_log(vcpu->vm, V3_LOG_WARN,
			  "vCPU %u: no host timer on CPU %u: guest timers will be late",
			  vcpu->index, cpu);
	}
}

V3_RARE void v3_timers_host_stop(struct v3_vcpu *vcpu)
{
	if (!vcpu->host_timer)
		return;
	v3_os_timer_cancel(vcpu->host, vcpu->host_timer);
	v3_os_timer_destroy(vcpu->host, vcpu->host_timer);
	vcpu->host_timer = NULL;
}
