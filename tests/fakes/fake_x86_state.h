/* SPDX-License-Identifier: BSD-2-Clause */
/* State of the fake CPUs: between fake_x86.c and fake_x86_tables.c, not for tests. */
#ifndef V3_FAKES_FAKE_X86_STATE_H
#define V3_FAKES_FAKE_X86_STATE_H

#include "fakes/fake_x86.h"

#define FAKE_MAX_MSRS	128
#define FAKE_MAX_CPUID	128

struct fake_msr {
	uint32_t number;
	uint64_t value;
	uint64_t writable;
	unsigned int reads, writes;
};

struct fake_cpu {
	uint64_t cr0, cr2, cr3, cr4, xcr0;
	uint64_t dr[8];
	struct fake_msr msrs[FAKE_MAX_MSRS];
	unsigned int num_msrs;
	uint8_t fpu[V3_FAKE_FPU_SIZE];
	struct v3_fake_trace trace[V3_FAKE_TRACE_SIZE];
	unsigned int trace_count;
};

struct fake_cpuid {
	uint32_t leaf, subleaf;
	struct v3_cpuid_regs regs;
};

struct fake_x86 {
	struct fake_cpu cpus[V3_FAKE_MAX_CPUS];
	struct fake_cpuid cpuid[FAKE_MAX_CPUID];
	unsigned int num_cpuid;
	uint64_t tsc, tsc_step;
};

struct fake_thread {
	unsigned int cpu;
	bool irqs_on, gif;
};

extern struct fake_x86 fake_x86;
extern _Thread_local struct fake_thread fake_thread;

struct fake_cpu *fake_this_cpu(void);
void fake_trace(enum v3_fake_op op, uint32_t arg, uint64_t value);

#endif
