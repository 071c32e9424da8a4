/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies of the instructions of insn.h that may be inline; included by insn.h or by priv.c, never elsewhere. */
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

#endif
