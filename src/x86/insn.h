/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that C cannot say: one tiny out-of-line function each, and nothing else in it.
 * They are defined in priv.c; tests link other definitions in its place (tests/fakes/fake_x86.c).
 * All but CPUID, RDTSC, XGETBV, XSAVE and FXSAVE and their counterparts need CPL 0. None of them
 * can report a fault: ask CPUID first, the host's exception handler gets the rest.
 */
#ifndef V3_X86_INSN_H
#define V3_X86_INSN_H

#include <stdint.h>

struct v3_cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

void v3_x86_cpuid(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs);

/* #GP for an absent MSR or a reserved bit. */
uint64_t v3_x86_rdmsr(uint32_t msr);
void v3_x86_wrmsr(uint32_t msr, uint64_t value);


uint64_t v3_x86_read_cr0(void);
void v3_x86_write_cr0(uint64_t value);
void v3_x86_write_cr3(uint64_t value);
void v3_x86_write_cr4(uint64_t value);

uint64_t v3_x86_read_dr0(void);
void v3_x86_write_dr0(uint64_t value);
uint64_t v3_x86_read_dr1(void);
void v3_x86_write_dr1(uint64_t value);
uint64_t v3_x86_read_dr2(void);
void v3_x86_write_dr2(uint64_t value);
uint64_t v3_x86_read_dr3(void);
void v3_x86_write_dr3(uint64_t value);
uint64_t v3_x86_read_dr6(void);
void v3_x86_write_dr6(uint64_t value);
uint64_t v3_x86_read_dr7(void);
void v3_x86_write_dr7(uint64_t value);

/* CR4.OSXSAVE must be set, else #UD. */
uint64_t v3_x86_xgetbv(uint32_t xcr);
void v3_x86_xsetbv(uint32_t xcr, uint64_t value);
/* area: 64-byte aligned, as large as CPUID 0xD says for mask, header zeroed before first use. */
void v3_x86_xsave64(void *area, uint64_t mask);
void v3_x86_xrstor64(const void *area, uint64_t mask);
/* area: 512 bytes, 16-byte aligned; the REX.W form with 64-bit pointers. */
void v3_x86_fxsave64(void *area);
void v3_x86_fxrstor64(const void *area);

/* RFLAGS as it was, and interrupts off; irq_restore turns them on again if flags has IF set. */
uint64_t v3_x86_irq_save(void);
void v3_x86_irq_restore(uint64_t flags);

/* EFER.SVME must be set, else #UD. hpa: physical address of a VMCB, 4 KiB aligned. */
void v3_x86_vmsave(uint64_t hpa);
void v3_x86_vmload(uint64_t hpa);
void v3_x86_invlpga(uint64_t va, uint32_t asid);

void v3_x86_wbinvd(void);

/* Enter the host's machine-check handler, as the intercepted machine check would have (INT 18). */
void v3_x86_int_mce(void);

/*
 * What every guest entry executes: inline where V3_X86_INLINE says so (freestanding builds),
 * because a call and its prologue cost more than the instruction.
 */
#ifdef V3_X86_INLINE
#define V3_X86_HOT static inline
#else
#define V3_X86_HOT
#endif

/* Not ordered against the instructions around it (APM2 13.2.4). */
V3_X86_HOT uint64_t v3_x86_rdtsc(void);
/* EFER.SVME must be set, else #UD. */
V3_X86_HOT void v3_x86_stgi(void);
V3_X86_HOT void v3_x86_clgi(void);
V3_X86_HOT void v3_x86_cli(void);
V3_X86_HOT void v3_x86_sti(void);
V3_X86_HOT uint64_t v3_x86_read_cr2(void);
V3_X86_HOT void v3_x86_write_cr2(uint64_t value);
V3_X86_HOT uint64_t v3_x86_read_cr3(void);
V3_X86_HOT uint64_t v3_x86_read_cr4(void);

#ifdef V3_X86_INLINE
#include "x86/insn_hot.h"
#endif

static inline void v3_x86_pause(void)
{
	__builtin_ia32_pause();
}

#endif
