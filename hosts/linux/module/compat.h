/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Everything in which kernels from 6.1 on differ, and nothing else: the other files of the module
 * know no version. V3_LX_HAVE_* come from Kbuild, which looks into the kernel's headers, because
 * Debian's 6.1 has parts of later kernels.
 */
#ifndef V3_LX_COMPAT_H
#define V3_LX_COMPAT_H

#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/mmzone.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/version.h>

#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "v3.ko needs Linux 6.1 or later"
#endif
#ifndef CONFIG_SMP
#error "v3.ko needs a kernel with CONFIG_SMP"
#endif
#ifndef CONFIG_CONTIG_ALLOC
#error "v3.ko needs a kernel with CONFIG_CONTIG_ALLOC: guest memory comes from alloc_contig_range()"
#endif

/* Largest order of alloc_pages(): before 6.4 MAX_ORDER was one more than that. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define V3_LX_MAX_ORDER MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define V3_LX_MAX_ORDER MAX_ORDER
#else
#define V3_LX_MAX_ORDER (MAX_ORDER - 1)
#endif

/* Later kernels took the migrate type out of alloc_contig_range(). */
static inline int v3_lx_alloc_contig_range(unsigned long start, unsigned long end, gfp_t gfp)
{
#ifdef ACR_FLAGS_NONE
	return alloc_contig_range(start, end, ACR_FLAGS_NONE, gfp);
#else
	return alloc_contig_range(start, end, MIGRATE_MOVABLE, gfp);
#endif
}

static inline void v3_lx_hrtimer_setup(struct hrtimer *timer,
				       enum hrtimer_restart (*fn)(struct hrtimer *),
				       enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = fn;
#endif
}

static inline int v3_lx_timer_delete_sync(struct timer_list *timer)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	return timer_delete_sync(timer);
#else
	return del_timer_sync(timer);
#endif
}

/* From 6.4 on the common name is a macro that traces, which modules had better not. */
static inline void v3_lx_send_reschedule(unsigned int cpu)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	arch_smp_send_reschedule(cpu);
#else
	smp_send_reschedule(cpu);
#endif
}

/* rdmsrl and wrmsrl were renamed in 6.16; the calls with two halves stayed. */
static inline int v3_lx_rdmsr(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	int err = rdmsr_safe(msr, &low, &high);

	*value = (u64)high << 32 | low;
	return err;
}

static inline void v3_lx_wrmsr(u32 msr, u64 value)
{
	wrmsr_safe(msr, (u32)value, (u32)(value >> 32));
}

/* STI and HLT: no interrupt can come between them. The kernel's own names for it have moved. */
static __always_inline void v3_lx_safe_halt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

/*
 * Bits of this CPU's CR4 and of the kernel's copy of it; interrupts off. False: the kernel does not
 * let modules do that. Writing CR4 alone would not do: the kernel's next write, as for a task with
 * another CR4.TSD, would clear VMXE again, which is a fault in VMX operation.
 */
static inline bool v3_lx_cr4_change(unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	return false;
#else
	cr4_update_irqsoff(set, clear);
	return true;
#endif
}

/* Before VMXON and after VMXOFF: most CPUs cannot trace (Intel PT) in VMX operation. */
static inline void v3_lx_tracing_vmx(bool vmx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	intel_pt_handle_vmx(vmx);
#endif
}

/*
 * What runs on each CPU in a crash or an emergency reboot, with interrupts off. Kernels without
 * this registration turn SVM and VMX off themselves there.
 */
static inline void v3_lx_emergency_register(void (*fn)(void))
{
#ifdef V3_LX_HAVE_EMERGENCY_CALLBACK
	cpu_emergency_register_virt_callback(fn);
#endif
}

static inline void v3_lx_emergency_unregister(void (*fn)(void))
{
#ifdef V3_LX_HAVE_EMERGENCY_CALLBACK
	cpu_emergency_unregister_virt_callback(fn);
#endif
}

#endif
