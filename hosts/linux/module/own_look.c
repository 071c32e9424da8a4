/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What Linux wants of a CPU that a VM owns, and when it gets it. A look has up to three stages,
 * each a short absence of its own from the guest's view: the timer interrupt with Linux's tick, which
 * is all in most of them; turns for tasks that wait; giving up the duty to keep jiffies.
 */
#include <linux/cpu.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/tick.h>
#include <linux/timer.h>
#include <linux/timerqueue.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "own.h"

/* Tasks that had the CPU may have left timers behind that want the tick: so long it goes on. */
#define SETTLE_NS 40000000ull
/* What a VM's start left behind for Linux to do is done soon after. */
#define START_NS 1000000000ull
/*
 * What waits for the CPU gets at one look: most of it has so little to do that a few absences are
 * enough that a guest hardly notices. After so many of them, what still waits gets long ones.
 */
#define TURN_NS 200000ull
#define NAP_NS 2400ull
#define NAPS 32
#define SLEEP_NS 1000000ull
#define SLEEPS 20
/* How long the CPU is idle in Linux's eyes so that it gives up its duties, and how much later. */
#define IDLE_NS 3000ull
#define SHED_NS 1000000ull
/* Ticks for which CPU 0 keeps jiffies before and after the first stage of a look. */
#define KEEP_BEFORE 4
#define KEEP_AFTER 2

/* --- Linux's timers --- */

/* Whether it is the tick's, by the name of its function. */
static bool is_tick(const char *name)
{
	return !strcmp(name, "tick_sched_timer") || !strcmp(name, "tick_nohz_handler");
}

/* The tick, and the watchdog for soft lockups, can wait for the next look. */
static void waiting_find(struct v3_host_own *own)
{
	struct hrtimer_clock_base *base = own->hold_timer.base;
	char name[KSYM_SYMBOL_LEN];
	struct timerqueue_node *node;
	struct hrtimer *timer;
	unsigned long flags;

	raw_spin_lock_irqsave(&base->cpu_base->lock, flags);
	for (node = timerqueue_getnext(&base->active); node; node = timerqueue_iterate_next(node)) {
		timer = container_of(node, struct hrtimer, node);
		sprint_symbol_no_offset(name, (unsigned long)timer->function);
		if (is_tick(name))
			own->tick = timer;
		else if (!strcmp(name, "watchdog_timer_fn"))
			own->watchdog = timer;
	}
	raw_spin_unlock_irqrestore(&base->cpu_base->lock, flags);
}

static bool can_wait(const struct v3_host_own *own, const struct timerqueue_node *node)
{
	const struct hrtimer *timer = container_of(node, struct hrtimer, node);

	return timer == own->tick || timer == own->watchdog;
}

notrace u64 v3_lx_own_next_event(const struct v3_host_own *own)
{
	struct hrtimer_cpu_base *cpu_base = own->hold_timer.base->cpu_base;
	struct hrtimer_clock_base *base = cpu_base->clock_base;
	struct timerqueue_node *node;
	ktime_t next = KTIME_MAX;
	unsigned long flags;

	raw_spin_lock_irqsave(&cpu_base->lock, flags);
	for (; base < cpu_base->clock_base + HRTIMER_MAX_CLOCK_BASES; base++) {
		node = timerqueue_getnext(&base->active);
		while (node && can_wait(own, node))
			node = timerqueue_iterate_next(node);
		if (node)
			next = min(next, ktime_sub(node->expires, base->offset));
	}
	raw_spin_unlock_irqrestore(&cpu_base->lock, flags);
	return min_t(u64, max_t(ktime_t, next, 0), own->next_look);
}

/* --- When --- */

static u64 timer_expires(const struct hrtimer *timer)
{
	return timer && hrtimer_is_queued((struct hrtimer *)timer) ? hrtimer_get_expires(timer) :
								     KTIME_MAX;
}

/*
 * When Linux wants this CPU at the earliest. With nohz_full it says so: it stops its tick while one
 * task has the CPU and no timer is set, and sends an interrupt when a second one or a timer comes, as
 * the thread is not SCHED_FIFO there. Else there is no telling.
 */
static u64 wanted(const struct v3_host_own *own)
{
	if (!own->told || !own->tick || !single_task_running())
		return 0;
	return min(timer_expires(own->tick), timer_expires(own->watchdog));
}

/* After a tick, so that CPU 0, which has one at the same time, has brought jiffies up. */
static u64 off_tick(const struct v3_host_own *own, u64 time)
{
	u64 tick = timer_expires(own->tick);

	if (own->told || own->period < 2 * TICK_NSEC || tick == KTIME_MAX)
		return time;
	return time + TICK_NSEC - (time - tick % TICK_NSEC) % TICK_NSEC - TICK_NSEC * 3 / 4;
}

static void stage_in(struct v3_host_own *own, enum v3_lx_look stage, u64 ns)
{
	own->stage = stage;
	own->slack = min_t(u64, ns / 256, TICK_NSEC);
	WRITE_ONCE(own->next_look, ktime_get_ns() + min(ns, own->period));
}

/* The next look: a period after the last one, or when Linux wants it, if that is later. */
static void look_next(struct v3_host_own *own)
{
	u64 want = wanted(own), time = own->looked + own->wait;

	own->stage = V3_LX_LOOK_TICK;
	own->slack = min_t(u64, own->wait / 256, TICK_NSEC);
	WRITE_ONCE(own->next_look, off_tick(own, max(want, time)));
}

/* A look is over but for what the CPU took upon itself in it, or will while the tick goes on. */
static void look_end(struct v3_host_own *own)
{
	u64 now = ktime_get_ns();

	own->naps = 0;
	own->looked = now;
	own->wait = own->period;
	if (own->keeps_jiffies)
		stage_in(own, V3_LX_LOOK_SHED, max(own->settled, now) - now + SHED_NS);
	else
		look_next(own);
}

/* Whether the tick came with the interrupt: what else there is to do then comes after the next. */
static bool ticked(struct v3_host_own *own)
{
	u64 tick = timer_expires(own->tick);
	bool moved = tick != own->ticks_at;

	own->ticks_at = tick;
	return moved;
}

/* In the first stage the interrupt itself was all, or nearly; others come later. */
notrace bool v3_lx_own_look_here(struct v3_host_own *own, u64 now)
{
	bool tick = ticked(own);

	if (!v3_lx_look_due(now, own->next_look, own->slack)) {
		/* what Linux wants may have changed */
		if (own->told && own->stage == V3_LX_LOOK_TICK)
			look_next(own);
		return true;
	}
	if (own->stage != V3_LX_LOOK_TICK) {
		if (tick)
			stage_in(own, own->stage, TURN_NS);
		return tick;
	}
	if (need_resched() || !single_task_running())
		stage_in(own, V3_LX_LOOK_TURN, TURN_NS);
	else
		look_end(own);
	return true;
}

/* --- Who keeps jiffies --- */

/*
 * The tick of any CPU takes the duty to keep jiffies if all others are idle, and makes up for the
 * time that they were: a long interrupt, and other CPUs would wait for this one then. So CPU 0 gets
 * something to do in some ticks before a look, which makes it keep its own tick and that duty.
 */
static void keep(struct work_struct *work)
{
	struct v3_host_own *own = container_of(work, struct v3_host_own, keeper);
	u64 now = ktime_get_ns(), look = READ_ONCE(own->next_look);
	unsigned long ticks = 1;

	if (now >= look + KEEP_AFTER * TICK_NSEC || look == KTIME_MAX) {
		/* nobody looks, as the vCPU sleeps: it can be found out later that it does again */
		ticks = own->period / TICK_NSEC / 2;
	} else if (now + (KEEP_BEFORE + 1) * TICK_NSEC < look) {
		ticks = (look - now) / TICK_NSEC - KEEP_BEFORE;
		/* timers far off are up to an eighth late, and the look may get earlier */
		if (ticks >= 64)
			ticks -= ticks / 4;
		ticks = min_t(unsigned long, ticks, own->period / TICK_NSEC / 2);
	}
	/* a timer comes in the tick after its time */
	if (READ_ONCE(own->keeps))
		mod_timer(&own->keep_timer, jiffies + max(ticks, 1ul) - 1);
}

/* A timer alone would not do: it takes a task to end the state in which an idle CPU has no tick. */
static void keep_due(struct timer_list *timer)
{
	struct v3_host_own *own = container_of(timer, struct v3_host_own, keep_timer);

	queue_work_on(0, system_wq, &own->keeper);
}

static void keep_begin(struct v3_host_own *own)
{
	INIT_WORK(&own->keeper, keep);
	timer_setup(&own->keep_timer, keep_due, TIMER_PINNED);
	own->keeps = !tick_nohz_full_enabled() && cpu_online(0);
	if (own->keeps)
		queue_work_on(0, system_wq, &own->keeper);
}

/* The work sets the timer no more, which queues the work once more at most. */
static void keep_end(struct v3_host_own *own)
{
	WRITE_ONCE(own->keeps, false);
	cancel_work_sync(&own->keeper);
	v3_lx_timer_delete_sync(&own->keep_timer);
	cancel_work_sync(&own->keeper);
}

/* Idle CPUs give the duty up. With nohz_full it stays where it is. */
static void duties_shed(struct v3_host_own *own)
{
	own->keeps_jiffies = false;
	if (tick_nohz_full_enabled())
		return;
	if (!own->fifo)
		sched_set_fifo(current);
	play_idle_precise(IDLE_NS, 1);
	if (!own->fifo)
		sched_set_normal(current, MIN_NICE);
}

/* --- Turns for others --- */

/* For SCHED_FIFO only sleep lets others run. */
static void nap(struct v3_host_own *own, u64 ns)
{
	set_current_state(TASK_IDLE);
	hrtimer_start(&own->hold_timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
	schedule();
	hrtimer_cancel(&own->hold_timer);
}

/* Others had the CPU for long: the tick goes on, and this CPU may keep jiffies meanwhile. */
void v3_lx_own_settle(struct v3_host_own *own)
{
	own->settled = ktime_get_ns() + SETTLE_NS;
	own->keeps_jiffies = !tick_nohz_full_enabled();
	if (own->keeps_jiffies && own->stage == V3_LX_LOOK_TICK)
		stage_in(own, V3_LX_LOOK_SHED, SETTLE_NS + SHED_NS);
}

/* Tasks that wait for this CPU get it for a moment. True: once more. */
static bool others_run(struct v3_host_own *own)
{
	unsigned int i;

	if (single_task_running())
		return false;
	if (own->naps++ < NAPS) {
		nap(own, NAP_NS);
		return !single_task_running();
	}
	for (i = 0; i < SLEEPS && !single_task_running(); i++)
		nap(own, SLEEP_NS);
	v3_lx_own_settle(own);
	return false;
}

void v3_lx_own_look(struct v3_host_own *own, bool switched)
{
	if (!own->tick)
		waiting_find(own);
	if (own->stage == V3_LX_LOOK_SHED) {
		duties_shed(own);
		look_next(own);
	} else if (switched ? !single_task_running() : others_run(own)) {
		stage_in(own, V3_LX_LOOK_TURN, TURN_NS);
	} else {
		look_end(own);
	}
}

/* --- Begin and end --- */

void v3_lx_own_look_begin(struct v3_host_own *own)
{
	own->told = tick_nohz_full_cpu(own->cpu);
	own->looked = ktime_get_ns();
	own->wait = min(own->period, START_NS);
	waiting_find(own);
	duties_shed(own);
	look_next(own);
	v3_lx_own_settle(own);
	keep_begin(own);
}

void v3_lx_own_look_end(struct v3_host_own *own)
{
	keep_end(own);
}
