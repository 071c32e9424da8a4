/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake x86 CPU in place of src/x86/priv.c: MSRs, CPUID, control and debug registers, XCR0, FPU
 * state, TSC, interrupt flag and GIF are data that tests set and look at.
 *
 * Strict: what would be a #GP or #UD on a real CPU (absent MSR, reserved bit, CLGI without
 * EFER.SVME, misaligned XSAVE area ...) is v3_fake_fail().
 *
 * There are V3_FAKE_MAX_CPUS CPUs; each thread is on one of them (0 to begin with). MSRs, CRs, DRs,
 * XCR0, the FPU and the trace belong to a CPU; the interrupt flag and GIF to a thread; CPUID and
 * TSC to all. Threads on one CPU must not run at once; on different CPUs they may.
 */
#ifndef V3_FAKES_FAKE_X86_H
#define V3_FAKES_FAKE_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86/insn.h"

#define V3_FAKE_MAX_CPUS	8
#define V3_FAKE_FPU_SIZE	4096u
#define V3_FAKE_TRACE_SIZE	256u

/*
 * All CPUs to power-on of a plain AMD-V machine: NPT and 16 ASIDs and no other SVM feature, XSAVE
 * with AVX, 48-bit addresses, no hypervisor; interrupts on, GIF set, TSC 0. Call it first in each
 * test. v3_fake_host_create() does.
 */
void v3_fake_x86_reset(void);

/* CPU of the calling thread. */
unsigned int v3_fake_cpu(void);
void v3_fake_set_cpu(unsigned int cpu);

/* CPUID: entries replace what was there; other leaves read as zeros. */
#define V3_FAKE_ANY_SUBLEAF	0xffffffffu
void v3_fake_cpuid_set(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
		       uint32_t edx);
/* AMD's TSC scaling: its bit of CPUID, and the MSR with 40 bits that can be written. */
void v3_fake_svm_tsc_scaling(void);
/* The entry, to change bits in place; fails the test if there is none. */
struct v3_cpuid_regs *v3_fake_cpuid_at(uint32_t leaf, uint32_t subleaf);

/*
 * MSRs. v3_fake_msr_set adds or changes one on every CPU, all bits writable; the others are of the
 * calling thread's CPU. v3_fake_msr_writable makes writes that change other bits fail (#GP).
 */
void v3_fake_msr_set(uint32_t msr, uint64_t value);
void v3_fake_msr_remove(uint32_t msr);
void v3_fake_msr_writable(uint32_t msr, uint64_t mask);
uint64_t v3_fake_msr_get(uint32_t msr);
uint64_t v3_fake_msr_get_on(unsigned int cpu, uint32_t msr);
void v3_fake_msr_set_on(unsigned int cpu, uint32_t msr, uint64_t value);
/* RDMSR and WRMSR instructions on this MSR and CPU since reset. */
unsigned int v3_fake_msr_reads(uint32_t msr);
unsigned int v3_fake_msr_writes(uint32_t msr);

/* TSC: advances by step at each read (0 to begin with) and by v3_fake_tsc_advance. */
void v3_fake_tsc_set(uint64_t value);
void v3_fake_tsc_advance(uint64_t ticks);
void v3_fake_tsc_step(uint64_t ticks);

/* FPU registers of this CPU, in the XSAVE area's standard layout. */
uint8_t *v3_fake_fpu(void);

/* Interrupt flag and GIF of this thread. */
bool v3_fake_irqs_on(void);
bool v3_fake_gif(void);
void v3_fake_set_irqs(bool on);

/* What was executed on this CPU, in order; CPUID and reads of registers are left out. */
enum v3_fake_op {
	V3_FAKE_WRMSR,		/* arg: MSR, value: value */
	V3_FAKE_WRITE_CR,	/* arg: number, value: value; likewise DR and XCR */
	V3_FAKE_WRITE_DR,
	V3_FAKE_XSETBV,
	V3_FAKE_XSAVE,		/* value: mask */
	V3_FAKE_XRSTOR,
	V3_FAKE_FXSAVE,
	V3_FAKE_FXRSTOR,
	V3_FAKE_CLI,		/* also irq_save */
	V3_FAKE_STI,		/* also irq_restore with IF */
	V3_FAKE_STGI,
	V3_FAKE_CLGI,
	V3_FAKE_VMSAVE,		/* value: physical address */
	V3_FAKE_VMLOAD,
	V3_FAKE_INVLPGA,	/* arg: ASID, value: address */
	V3_FAKE_WBINVD,
	V3_FAKE_INT_MCE,
	V3_FAKE_INT_NMI,
	V3_FAKE_VMXON,		/* value: physical address */
	V3_FAKE_VMXOFF,
	V3_FAKE_VMCLEAR,	/* value: physical address */
	V3_FAKE_VMPTRLD,
	V3_FAKE_VMENTRY,	/* arg: 0 VMLAUNCH, 1 VMRESUME; value: physical address */
	V3_FAKE_INVEPT,		/* arg: type, value: EPT pointer */
	V3_FAKE_INVVPID,	/* arg: type << 16 | VPID, value: address */
	V3_FAKE_VERW,
};

struct v3_fake_trace {
	enum v3_fake_op op;
	uint32_t arg;
	uint64_t value;
};

void v3_fake_trace_clear(void);
/* Operations since clear, also those that fell out of the ring. */
unsigned int v3_fake_trace_count(void);
/* One of the last V3_FAKE_TRACE_SIZE, by its number since clear. */
const struct v3_fake_trace *v3_fake_trace_at(unsigned int index);
/* How many of those still in the ring are op. */
unsigned int v3_fake_trace_find(enum v3_fake_op op);

#endif
