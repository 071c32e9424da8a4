/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * A vCPU's thread on a CPU that its VM owns. Linux does not see the CPU while the guest runs: RCU
 * takes it for idle, and the timer interrupt, which would come HZ times a second, is put off to the
 * next look at what Linux wants, or to the guest's own next timer. Then it comes once, and
 * Linux catches up by itself.
 */
#include <linux/context_tracking.h>
#include <linux/cpu.h>
#include <linux/ktime.h>
#include <linux/nmi.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tick.h>

#include <asm/apic.h>
#include <asm/hardirq.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#include "compat.h"
#include "noise.h"
#include "own.h"

/* Without an interval of its own, a policy still has Linux looked after so often. */
#define LOOK_NS 10000000000ull
/* The hardware is never set for more: ticks of it have to fit into 64 bits. */
#define FAR_NS 3600000000000ull

DEFINE_PER_CPU(struct v3_host_own *, v3_lx_own_here);

/* --- The timer of the local APIC --- */

static u32 apic_get(const struct v3_lx_apic_timer *apic, u32 reg)
{
	u32 low, high;

	if (!apic->x2apic)
		return native_apic_mem_read(reg);
	rdmsr(APIC_BASE_MSR + (reg >> 4), low, high);
	return low;
}

static void apic_set(const struct v3_lx_apic_timer *apic, u32 reg, u32 value)
{
	if (apic->x2apic)
		wrmsr(APIC_BASE_MSR + (reg >> 4), value, 0);
	else
		native_apic_mem_write(reg, value);
}

static u64 deadline_get(void)
{
	u32 low, high;

	rdmsr(MSR_IA32_TSC_DEADLINE, low, high);
	return (u64)high << 32 | low;
}

static void deadline_set(u64 tsc)
{
	wrmsr(MSR_IA32_TSC_DEADLINE, (u32)tsc, (u32)(tsc >> 32));
}

/* What Linux had in the timer: if we find our own value, nothing has changed since. */
static void apic_learn(struct v3_lx_apic_timer *apic)
{
	u32 left;

	if (apic->deadline) {
		u64 deadline = deadline_get();

		if (!apic->pushed || deadline != apic->ours)
			apic->linux_left = deadline;
		return;
	}
	left = apic_get(apic, V3_LX_APIC_TMCCT);
	if (apic->pushed && apic_get(apic, V3_LX_APIC_TMICT) == apic->ours)
		apic->linux_left = v3_lx_count_left(apic->linux_left, apic->ours, left);
	else
		apic->linux_left = left;
}

/* The interrupt comes in so many TSC ticks, whatever Linux wanted. Interrupts off. */
static void apic_push(struct v3_lx_apic_timer *apic, u64 tsc)
{
	u32 lvtt = apic_get(apic, V3_LX_APIC_LVTT);

	if (apic->off || !v3_lx_lvtt_usable(lvtt))
		return;
	apic->deadline = (lvtt & V3_LX_LVTT_MODE) == V3_LX_LVTT_DEADLINE;
	apic_learn(apic);
	apic->pushed = true;
	if (apic->deadline) {
		apic->ours = v3_lx_deadline_for(rdtsc(), tsc);
		deadline_set(apic->ours);
	} else {
		apic->ours = v3_lx_count_for(tsc, apic->count_per_tsc);
		apic_set(apic, V3_LX_APIC_TMICT, apic->ours);
	}
}

/* Linux's own again. Interrupts off. */
static void apic_pull(struct v3_lx_apic_timer *apic)
{
	if (!apic->pushed)
		return;
	apic->pushed = false;
	if (apic->deadline) {
		if (deadline_get() == apic->ours)
			deadline_set(v3_lx_deadline_left(apic->linux_left));
	} else if (apic_get(apic, V3_LX_APIC_TMICT) == apic->ours) {
		apic_set(apic, V3_LX_APIC_TMICT,
			 v3_lx_count_left(apic->linux_left, apic->ours,
					  apic_get(apic, V3_LX_APIC_TMCCT)));
	}
}

/* How fast the count runs, from a millisecond of it; Linux's goes on after it. Interrupts off. */
static void apic_calibrate(struct v3_lx_apic_timer *apic)
{
	u32 lvtt = apic_get(apic, V3_LX_APIC_LVTT), left, gone;
	u64 begin, ticks, most = tsc_khz;

	if ((lvtt & V3_LX_LVTT_MODE) == V3_LX_LVTT_DEADLINE)
		return;
	apic->off = (lvtt & V3_LX_LVTT_MODE) != V3_LX_LVTT_ONESHOT;
	if (apic->off || lvtt & V3_LX_LVTT_MASKED)
		return;
	left = apic_get(apic, V3_LX_APIC_TMCCT);
	apic_set(apic, V3_LX_APIC_TMICT, U32_MAX);
	begin = rdtsc();
	do {
		cpu_relax();
		ticks = rdtsc() - begin;
	} while (ticks < most);
	gone = U32_MAX - apic_get(apic, V3_LX_APIC_TMCCT);
	apic->count_per_tsc = v3_lx_count_rate(gone, rdtsc() - begin);
	apic->off = !apic->count_per_tsc;
	apic_set(apic, V3_LX_APIC_TMICT, v3_lx_count_left(left, gone, 0));
}

/* --- In and out of the guest --- */

static u64 ns_to_tsc(u64 ns)
{
	return mul_u64_u64_div_u64(ns, tsc_khz, 1000000);
}

static ktime_t guest_expires(const struct v3_host_own *own)
{
	return own->guest_timer ? hrtimer_get_expires(own->guest_timer) : KTIME_MAX;
}

/*
 * Linux had the CPU, or the guest's timer has moved: the hardware is set anew. False: it is time
 * to look at what Linux wants.
 */
static notrace bool retime(struct v3_host_own *own)
{
	u64 now = ktime_get_ns(), next;

	/* it jumped in our own tick, so nobody else keeps it */
	own->keeps_jiffies |= jiffies - own->jiffies > 1;
	if (!v3_lx_own_look_here(own, now))
		return false;
	own->guest_expires = guest_expires(own);
	own->guest_next = own->guest_timer && hrtimer_is_queued(own->guest_timer);
	if (now < own->settled) {
		apic_pull(&own->apic);
	} else {
		next = v3_lx_own_next_event(own);
		own->guest_next = own->guest_next && own->guest_expires <= next;
		apic_push(&own->apic, next > now ? ns_to_tsc(min(next - now, FAR_NS)) : 0);
	}
	own->timer_irqs = this_cpu_read(irq_stat.apic_timer_irqs);
	own->irqs = own->noise->sum;
	return true;
}

static bool retime_needed(const struct v3_host_own *own)
{
	return own->timer_irqs != this_cpu_read(irq_stat.apic_timer_irqs) ||
	       own->guest_expires != guest_expires(own) ||
	       (own->told && own->irqs != own->noise->sum);
}

/* Whether the timer interrupt that came was for the guest's timer. */
static bool guest_timer_due(const struct v3_host_own *own)
{
	return own->guest_next && ktime_get() >= own->guest_expires;
}

/*
 * need_resched() is not a question of policy here: nothing but what comes before the thread sets
 * it, such as stop_machine() and CPU hotplug, which the host would wait for for ever. What a look's
 * interrupt woke has its turn a moment later.
 */
notrace bool v3_lx_own_enter(void *ctx, struct v3_host_own *own)
{
	v3_lx_noise_enter(own->noise, guest_timer_due(own));
	if (unlikely(retime_needed(own)) && !retime(own))
		return false;
	if (unlikely(need_resched()) && own->stage != V3_LX_LOOK_TURN)
		return false;
	ct_idle_enter();
	return true;
}

/* Interrupts and NMIs come next; the watchdogs' own timers have been put off with the others. */
notrace void v3_lx_own_leave(void *ctx, struct v3_host_own *own)
{
	u64 now = rdtsc();

	v3_lx_noise_leave(own->noise, now);
	ct_idle_exit();
	own->jiffies = jiffies;
	if (now - own->touched < (u64)tsc_khz * 1000)
		return;
	own->touched = now;
	touch_nmi_watchdog();
}

void v3_lx_own_out(struct v3_host_own *own)
{
	unsigned long flags;

	local_irq_save(flags);
	apic_pull(&own->apic);
	/* for the next time */
	own->timer_irqs = this_cpu_read(irq_stat.apic_timer_irqs) - 1;
	local_irq_restore(flags);
}

/* --- Yielding --- */

/* Whether another task ran. */
static bool reschedule(void)
{
	unsigned long switches = current->nvcsw + current->nivcsw;

	if (need_resched())
		schedule();
	return current->nvcsw + current->nivcsw != switches;
}

void v3_lx_own_yield(void *ctx, struct v3_host_own *own)
{
	u64 begin = rdtsc();
	bool yielded = need_resched(), switched;

	v3_lx_noise_away(own->noise);
	switched = reschedule();
	if (v3_lx_look_due(ktime_get_ns(), own->next_look, own->slack)) {
		yielded = true;
		v3_lx_own_look(own, switched);
		reschedule();
	} else if (switched) {
		v3_lx_own_settle(own);
	}
	if (yielded)
		v3_lx_noise_yielded(own->noise, begin);
}

/* --- HLT --- */

/* The end of a nap; for HLT the interrupt itself is enough. */
static enum hrtimer_restart expired(struct hrtimer *timer)
{
	wake_up_process(container_of(timer, struct v3_host_own, hold_timer)->task);
	return HRTIMER_NORESTART;
}

/*
 * HLT by the thread itself, as by Linux's idle task, which PF_IDLE makes it in RCU's eyes: the CPU
 * sleeps and nobody else gets it. The tick goes on. Interrupts are off before and after.
 */
static void halt_here(void)
{
	current->flags |= PF_IDLE;
	ct_idle_enter();
	v3_lx_safe_halt();
	local_irq_disable();
	ct_idle_exit();
	current->flags &= ~PF_IDLE;
}

static bool hold_over(const struct v3_host_own *own, struct v3_host_event *event, u64 deadline)
{
	u64 now = ktime_get_ns();

	return v3_lx_event_take(event) || now >= deadline || now >= own->next_look ||
	       need_resched();
}

static void hold(struct v3_host_own *own, struct v3_host_event *event, u64 deadline)
{
	if (min(deadline, own->next_look) < KTIME_MAX)
		hrtimer_start(&own->hold_timer, ns_to_ktime(min(deadline, own->next_look)),
			      HRTIMER_MODE_ABS_PINNED_HARD);
	v3_lx_event_watch(event, own->cpu);
	local_irq_disable();
	while (!hold_over(own, event, deadline)) {
		halt_here();
		local_irq_enable();
		local_irq_disable();
	}
	local_irq_enable();
	v3_lx_event_watch(event, -1);
	hrtimer_cancel(&own->hold_timer);
	v3_lx_own_yield(NULL, own);
}

void v3_lx_own_wait(void *ctx, struct v3_host_own *own, struct v3_host_event *event,
		    uint64_t deadline)
{
	if (own->policy == V3_YIELD_NEVER)
		hold(own, event, deadline);
	else
		v3_lx_event_wait(ctx, event, deadline);
	v3_lx_noise_forget(own->noise);
}

/* --- The thread's begin and end --- */

static void timer_prepare(struct v3_host_own *own)
{
	unsigned long flags;

#ifdef CONFIG_X86_X2APIC
	own->apic.x2apic = x2apic_mode;
#endif
	local_irq_save(flags);
	apic_calibrate(&own->apic);
	local_irq_restore(flags);
	if (own->apic.off)
		v3_lx_logf(V3_LOG_WARN,
			   "CPU %u: its timer is not in one-shot mode: the tick goes on while the guest runs",
			   own->cpu);
}

enum v3_status v3_lx_own_begin(void *ctx, const struct v3_own_request *request,
			       struct v3_host_own **out)
{
	struct v3_lx_owner owner = v3_lx_owner(request->cpu);
	struct v3_host_own *own;

	if (owner.vm != request->vm_ctx || owner.vcpu != request->vcpu) {
		v3_lx_logf(V3_LOG_ERROR, "vCPU %u does not own CPU %u", request->vcpu,
			   request->cpu);
		return V3_ERR_STATE;
	}
	own = kzalloc_node(sizeof(*own), GFP_KERNEL, cpu_to_node(request->cpu));
	if (!own)
		return V3_ERR_NOMEM;
	own->noise = v3_lx_noise_of(request->vm_ctx, request->vcpu, request->cpu);
	if (!own->noise) {
		kfree(own);
		return V3_ERR_NOMEM;
	}
	own->cpu = request->cpu;
	own->task = current;
	own->policy = owner.policy;
	/* Of a second task beside one that is SCHED_FIFO, nohz_full does not tell. */
	own->fifo = owner.fifo && !tick_nohz_full_cpu(request->cpu);
	own->period = owner.yield_ns ?: LOOK_NS;
	own->touched = rdtsc();
	v3_lx_hrtimer_setup(&own->hold_timer, expired, HRTIMER_MODE_ABS_PINNED_HARD);
	if (own->fifo)
		sched_set_fifo(current);
	else
		sched_set_normal(current, MIN_NICE);
	timer_prepare(own);
	own->timer_irqs = this_cpu_read(irq_stat.apic_timer_irqs) - 1;
	v3_lx_own_look_begin(own);
	v3_lx_noise_forget(own->noise);
	this_cpu_write(v3_lx_own_here, own);
	*out = own;
	return V3_OK;
}

void v3_lx_own_end(void *ctx, struct v3_host_own *own)
{
	this_cpu_write(v3_lx_own_here, NULL);
	v3_lx_own_look_end(own);
	hrtimer_cancel(&own->hold_timer);
	sched_set_normal(current, 0);
	kfree(own);
}
