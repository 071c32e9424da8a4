/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What disturbs a vCPU on its own CPU, by cause. Linux counts the interrupts of each CPU anyway; what
 * is added here is which of them came while the guest would have run, and what they took from it. The
 * vCPU's thread counts, anyone reads.
 */
#ifndef V3_LX_NOISE_H
#define V3_LX_NOISE_H

#include <linux/kernel_stat.h>

#include <asm/hardirq.h>
#include <asm/msr.h>

#include "lx.h"

struct v3_lx_noise {
	/* The thread's own. */
	u32 sum;			/* v3_lx_noise_sum() when it was last looked at */
	u32 seen[V3_IOC_NOISE_CAUSES];	/* the host's counters then */
	u64 left;			/* TSC when the guest was left; 0: no matter */
	bool away;			/* it is not to run on at once: paused, or in HLT */
	u32 epoch;			/* of "longest" */
	u32 wanted;			/* as the last reader wants it */
	/* Written by the thread, read by anyone. */
	struct v3_ioc_noise_cause causes[V3_IOC_NOISE_CAUSES];
};

/* Counts everything that interrupts this CPU; it may wrap. Interrupts off. */
static __always_inline u32 v3_lx_noise_sum(void)
{
	u32 sum = raw_cpu_read(irq_stat.apic_timer_irqs) + raw_cpu_read(irq_stat.__nmi_count) +
		  raw_cpu_read(irq_stat.irq_spurious_count) +
		  raw_cpu_read(irq_stat.x86_platform_ipis) +
		  raw_cpu_read(irq_stat.apic_perf_irqs) +
		  raw_cpu_read(irq_stat.apic_irq_work_irqs) +
		  raw_cpu_read(irq_stat.irq_resched_count) +
		  raw_cpu_read(irq_stat.irq_call_count);

#ifdef CONFIG_X86_THERMAL_VECTOR
	sum += raw_cpu_read(irq_stat.irq_thermal_count);
#endif
#ifdef CONFIG_X86_MCE_THRESHOLD
	sum += raw_cpu_read(irq_stat.irq_threshold_count);
#endif
	return sum + (u32)raw_cpu_read(kstat.irqs_sum);
}

/* noise.c */
void v3_lx_noise_account(struct v3_lx_noise *noise, bool guest_timer);

/* The guest was left, at that TSC. Interrupts off. */
static __always_inline void v3_lx_noise_leave(struct v3_lx_noise *noise, u64 tsc)
{
	noise->left = tsc;
}

/* The guest is about to be entered. guest_timer: its own timer is due. Interrupts off. */
#define v3_lx_noise_enter(noise, guest_timer)				\
	do {								\
		if (unlikely((noise)->sum != v3_lx_noise_sum() || (noise)->away)) \
			v3_lx_noise_account(noise, guest_timer);	\
	} while (0)

/*
 * The guest does not run on at once: what came until now counts, but took nothing that could be told;
 * what comes until it is entered again does not disturb it.
 */
void v3_lx_noise_away(struct v3_lx_noise *noise);
/* As if nothing had come until now. */
void v3_lx_noise_forget(struct v3_lx_noise *noise);
/* Linux had the CPU since that TSC. */
void v3_lx_noise_yielded(struct v3_lx_noise *noise, u64 since);

/* What counts for a vCPU of a VM, made the first time, and kept as long as the VM; NULL: no memory. */
struct v3_lx_noise *v3_lx_noise_of(struct v3_lx_vm *vm, unsigned int vcpu, unsigned int cpu);
/* When nobody has the VM any more. */
void v3_lx_noise_free(struct v3_lx_vm *vm);

#endif
