/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* CPUs that VMs own: own.c knows whose they are, own_run.c keeps Linux away from them. */
#ifndef V3_LX_OWN_H
#define V3_LX_OWN_H

#include <linux/hrtimer.h>
#include <linux/workqueue.h>

#include "lx.h"
#include "own_timer.h"

/* How a VM has a CPU. */
struct v3_lx_owner {
	const struct v3_lx_vm *vm;	/* NULL: nobody owns the CPU */
	u32 vcpu;
	u32 policy;			/* enum v3_yield_policy */
	u64 yield_ns;			/* as the policy has it */
	bool fifo;			/* V3_IOC_CREATE_OWN_FIFO */
};

/*
 * Enters the CPUs that the VM owns or is pinned to, as the request says; each refusal has its
 * message. Once per VM, before it has threads.
 */
enum v3_status v3_lx_own_claim(struct v3_lx_call *call, struct v3_lx_vm *vm,
			       const struct v3_ioc_create *arg);
/* Whatever it owns; when none of its threads is left. */
void v3_lx_own_release(const struct v3_lx_vm *vm);
/* enum v3_yield_policy of a request, and its interval. */
u32 v3_lx_own_policy(const struct v3_ioc_create *arg, u64 *yield_ns);
/* For V3_IOC_CAPS. */
void v3_lx_own_describe(unsigned int cpu, struct v3_ioc_cpu *out);
/* The owner of a CPU as it is now. Any context. */
struct v3_lx_owner v3_lx_owner(unsigned int cpu);

/* What the next look at what Linux wants is for. */
enum v3_lx_look {
	V3_LX_LOOK_TICK,		/* its timer interrupt; whether anything waits */
	V3_LX_LOOK_TURN,		/* tasks that wait */
	V3_LX_LOOK_SHED,		/* to give up the duty to keep jiffies */
};

/*
 * A vCPU's thread on its own CPU; nobody else looks at it, but the keeper at next_look. All but the
 * first five are used with preemption off or by the thread alone.
 */
struct v3_host_own {
	unsigned int cpu;
	u32 policy;
	bool fifo;
	bool told;			/* nohz_full: Linux tells when it wants the CPU */
	u64 period;			/* ns from one look at what Linux wants to the next */
	struct task_struct *task;	/* the thread */
	struct hrtimer hold_timer;	/* wakes it */
	enum v3_lx_look stage;
	u64 next_look, slack;		/* ktime; how much earlier will do */
	u64 looked, wait;		/* ktime of the last look's end; ns to the next */
	unsigned int naps;		/* turns that were not enough */
	struct hrtimer *tick, *watchdog; /* Linux's that can wait for a look; NULL: none */
	u64 ticks_at;			/* ktime: when the tick was due, as last looked at */
	u64 settled;			/* ktime: till then the tick goes on */
	unsigned long jiffies;		/* as the guest was left */
	bool keeps_jiffies;		/* this CPU has that duty */
	bool keeps;			/* CPU 0 has it around looks: the next two are in use */
	struct timer_list keep_timer;
	struct work_struct keeper;
	struct hrtimer *guest_timer;	/* the vCPU's, or NULL */
	ktime_t guest_expires;		/* what the hardware was set for */
	bool guest_next;		/* and it was for this, not for a look */
	unsigned int timer_irqs, irqs;	/* of the CPU, when the hardware was set */
	struct v3_lx_noise *noise;	/* of the vCPU */
	u64 touched;			/* TSC: the watchdogs last heard of this CPU */
	struct v3_lx_apic_timer apic;
};

/* own_run.c: the hooks of struct v3_os_hooks. */
enum v3_status v3_lx_own_begin(void *ctx, const struct v3_own_request *request,
			       struct v3_host_own **own);
void v3_lx_own_end(void *ctx, struct v3_host_own *own);
bool v3_lx_own_enter(void *ctx, struct v3_host_own *own);
void v3_lx_own_leave(void *ctx, struct v3_host_own *own);
void v3_lx_own_yield(void *ctx, struct v3_host_own *own);
void v3_lx_own_wait(void *ctx, struct v3_host_own *own, struct v3_host_event *event,
		    uint64_t deadline);
/* What the calling thread has, or NULL. */
DECLARE_PER_CPU(struct v3_host_own *, v3_lx_own_here);
/* The thread is about to give the CPU away: Linux's timer interrupt comes when it has to. */
void v3_lx_own_out(struct v3_host_own *own);

/* own_look.c */
void v3_lx_own_look_begin(struct v3_host_own *own);
void v3_lx_own_look_end(struct v3_host_own *own);
/*
 * An interrupt has come, and may have been what a look is for, in its first stage; interrupts off,
 * before the guest is entered. False: it has to be left.
 */
bool v3_lx_own_look_here(struct v3_host_own *own, u64 now);
/* The later stages, out of the guest; switched: others have just had the CPU. */
void v3_lx_own_look(struct v3_host_own *own, bool switched);
/* Others had the CPU outside of looks. */
void v3_lx_own_settle(struct v3_host_own *own);
/* When the first of the CPU's timers is due that cannot wait: the guest's, strangers', a look. */
u64 v3_lx_own_next_event(const struct v3_host_own *own);

#endif
