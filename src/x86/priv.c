/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions of insn.h. Built without a red zone in every configuration: PUSHF writes below RSP.
 * Each is a compiler barrier ("memory"), because what it does is seen by the code around it.
 */
#include "x86/cr.h"
#include "x86/insn.h"
#ifndef V3_X86_INLINE
#include "x86/insn_hot.h"
#endif

void v3_x86_cpuid(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	__asm__ volatile("cpuid"
			 : "=a"(regs->eax), "=b"(regs->ebx), "=c"(regs->ecx), "=d"(regs->edx)
			 : "a"(leaf), "c"(subleaf)
			 : "memory");
}

uint64_t v3_x86_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

void v3_x86_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#define V3_REG_ACCESSORS(reg) \
	V3_REG_READ(, reg) \
	V3_REG_WRITE(, reg)

V3_REG_ACCESSORS(cr0)
V3_REG_WRITE(, cr3)
V3_REG_WRITE(, cr4)
V3_REG_ACCESSORS(dr0)
V3_REG_ACCESSORS(dr1)
V3_REG_ACCESSORS(dr2)
V3_REG_ACCESSORS(dr3)
V3_REG_ACCESSORS(dr6)
V3_REG_ACCESSORS(dr7)

uint64_t v3_x86_xgetbv(uint32_t xcr)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(xcr) : "memory");
	return (uint64_t)high << 32 | low;
}

void v3_x86_xsetbv(uint32_t xcr, uint64_t value)
{
	__asm__ volatile("xsetbv"
			 : : "c"(xcr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

void v3_x86_xsave64(void *area, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)"
			 : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

void v3_x86_xrstor64(const void *area, uint64_t mask)
{
	__asm__ volatile("xrstor64 (%0)"
			 : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

void v3_x86_fxsave64(void *area)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void v3_x86_fxrstor64(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

uint64_t v3_x86_irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

void v3_x86_irq_restore(uint64_t flags)
{
	if (flags & V3_RFLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

void v3_x86_vmsave(uint64_t hpa)
{
	__asm__ volatile("vmsave %%rax" : : "a"(hpa) : "memory");
}

void v3_x86_vmload(uint64_t hpa)
{
	__asm__ volatile("vmload %%rax" : : "a"(hpa) : "memory");
}

void v3_x86_invlpga(uint64_t va, uint32_t asid)
{
	__asm__ volatile("invlpga %%rax, %%ecx" : : "a"(va), "c"(asid) : "memory");
}

void v3_x86_wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

void v3_x86_int_mce(void)
{
	__asm__ volatile("int $18" : : : "memory");
}
