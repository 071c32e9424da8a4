/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of the instructions of insn.h that may be inline; included by insn.h or by priv.c, never
 * elsewhere.
 */
#ifndef V3_X86_INSN_HOT_H
#define V3_X86_INSN_HOT_H

V3_X86_HOT uint64_t v3_x86_rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

V3_X86_HOT void v3_x86_stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

V3_X86_HOT void v3_x86_clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

V3_X86_HOT void v3_x86_cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

V3_X86_HOT void v3_x86_sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

#define V3_REG_READ(attribute, reg) \
	attribute uint64_t v3_x86_read_##reg(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("movq %%" #reg ", %0" : "=r"(value) : : "memory"); \
		return value; \
	}
#define V3_REG_WRITE(attribute, reg) \
	attribute void v3_x86_write_##reg(uint64_t value) \
	{ \
		__asm__ volatile("movq %0, %%" #reg : : "r"(value) : "memory"); \
	}

V3_REG_READ(V3_X86_HOT, cr2)
V3_REG_WRITE(V3_X86_HOT, cr2)
V3_REG_READ(V3_X86_HOT, cr3)
V3_REG_READ(V3_X86_HOT, cr4)

#endif
