/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control, debug and flag registers of x86-64: bit names and their masks.
 * APM2 3.1 (control registers, EFER), 13.1.1 (debug registers), APM2 11.5 (XCR0); SDM vol. 3 2.5.
 */
#ifndef V3_X86_CR_H
#define V3_X86_CR_H

#include <stdint.h>

/* CR0, APM2 3.1.1 */
#define V3_CR0_PE		(1ULL << 0)	/* protection enabled */
#define V3_CR0_MP		(1ULL << 1)	/* monitor coprocessor */
#define V3_CR0_EM		(1ULL << 2)	/* emulation */
#define V3_CR0_TS		(1ULL << 3)	/* task switched */
#define V3_CR0_ET		(1ULL << 4)	/* extension type, always 1 */
#define V3_CR0_NE		(1ULL << 5)	/* numeric error */
#define V3_CR0_WP		(1ULL << 16)	/* write protect */
#define V3_CR0_AM		(1ULL << 18)	/* alignment mask */
#define V3_CR0_NW		(1ULL << 29)	/* not write-through */
#define V3_CR0_CD		(1ULL << 30)	/* cache disable */
#define V3_CR0_PG		(1ULL << 31)	/* paging */
#define V3_CR0_DEFINED		(V3_CR0_PE | V3_CR0_MP | V3_CR0_EM | V3_CR0_TS | V3_CR0_ET | \
				 V3_CR0_NE | V3_CR0_WP | V3_CR0_AM | V3_CR0_NW | V3_CR0_CD | \
				 V3_CR0_PG)
#define V3_CR0_RESET		(V3_CR0_CD | V3_CR0_NW | V3_CR0_ET)	/* 0x60000010 */
/* What SMSW shows and LMSW can write; LMSW sets PE but never clears it. */
#define V3_CR0_LMSW_MASK	(V3_CR0_PE | V3_CR0_MP | V3_CR0_EM | V3_CR0_TS)

/* CR3, APM2 5.2.1, 5.3.2 */
#define V3_CR3_PWT		(1ULL << 3)
#define V3_CR3_PCD		(1ULL << 4)
#define V3_CR3_PCID_MASK	0xfffULL		/* with CR4.PCIDE */
#define V3_CR3_NOFLUSH		(1ULL << 63)		/* MOV to CR3 with CR4.PCIDE only */
#define V3_CR3_ADDR_MASK	0x000ffffffffff000ULL	/* 4-level and 5-level, legacy */
#define V3_CR3_PAE_ADDR_MASK	0x00000000ffffffe0ULL	/* legacy PAE: 32-byte aligned */

/* CR4, APM2 3.1.3, SDM vol. 3 2.5 */
#define V3_CR4_VME		(1ULL << 0)
#define V3_CR4_PVI		(1ULL << 1)
#define V3_CR4_TSD		(1ULL << 2)
#define V3_CR4_DE		(1ULL << 3)
#define V3_CR4_PSE		(1ULL << 4)
#define V3_CR4_PAE		(1ULL << 5)
#define V3_CR4_MCE		(1ULL << 6)
#define V3_CR4_PGE		(1ULL << 7)
#define V3_CR4_PCE		(1ULL << 8)
#define V3_CR4_OSFXSR		(1ULL << 9)
#define V3_CR4_OSXMMEXCPT	(1ULL << 10)
#define V3_CR4_UMIP		(1ULL << 11)
#define V3_CR4_LA57		(1ULL << 12)
#define V3_CR4_VMXE		(1ULL << 13)
#define V3_CR4_SMXE		(1ULL << 14)
#define V3_CR4_FSGSBASE		(1ULL << 16)
#define V3_CR4_PCIDE		(1ULL << 17)
#define V3_CR4_OSXSAVE		(1ULL << 18)
#define V3_CR4_SMEP		(1ULL << 20)
#define V3_CR4_SMAP		(1ULL << 21)
#define V3_CR4_PKE		(1ULL << 22)
#define V3_CR4_CET		(1ULL << 23)
#define V3_CR4_PKS		(1ULL << 24)
/* Bits whose change flushes the TLB, global entries included. APM2 5.5.2 */
#define V3_CR4_TLB_FLUSH	(V3_CR4_PSE | V3_CR4_PAE | V3_CR4_PGE | V3_CR4_LA57 | \
				 V3_CR4_PCIDE | V3_CR4_SMEP | V3_CR4_SMAP | V3_CR4_PKE)

/* CR8: task priority, the high nibble of the local APIC's TPR */
#define V3_CR8_TPR_MASK		0xfULL

/* EFER, APM2 3.1.7 */
#define V3_EFER_SCE		(1ULL << 0)	/* SYSCALL and SYSRET */
#define V3_EFER_LME		(1ULL << 8)	/* long mode enable */
#define V3_EFER_LMA		(1ULL << 10)	/* long mode active */
#define V3_EFER_NXE		(1ULL << 11)	/* no-execute */
#define V3_EFER_SVME		(1ULL << 12)	/* secure virtual machine enable */
#define V3_EFER_LMSLE		(1ULL << 13)	/* long mode segment limits */
#define V3_EFER_FFXSR		(1ULL << 14)	/* fast FXSAVE and FXRSTOR */
#define V3_EFER_TCE		(1ULL << 15)	/* translation cache extension */
#define V3_EFER_MCOMMIT		(1ULL << 17)
#define V3_EFER_INTWB		(1ULL << 18)	/* interruptible WBINVD */
#define V3_EFER_UAIE		(1ULL << 20)	/* upper address ignore */
#define V3_EFER_AIBRSE		(1ULL << 21)	/* automatic IBRS */

/* RFLAGS, APM2 3.1.6 */
#define V3_RFLAGS_CF		(1ULL << 0)
#define V3_RFLAGS_FIXED1	(1ULL << 1)	/* always 1 */
#define V3_RFLAGS_PF		(1ULL << 2)
#define V3_RFLAGS_AF		(1ULL << 4)
#define V3_RFLAGS_ZF		(1ULL << 6)
#define V3_RFLAGS_SF		(1ULL << 7)
#define V3_RFLAGS_TF		(1ULL << 8)
#define V3_RFLAGS_IF		(1ULL << 9)
#define V3_RFLAGS_DF		(1ULL << 10)
#define V3_RFLAGS_OF		(1ULL << 11)
#define V3_RFLAGS_IOPL_SHIFT	12
#define V3_RFLAGS_IOPL		(3ULL << V3_RFLAGS_IOPL_SHIFT)
#define V3_RFLAGS_NT		(1ULL << 14)
#define V3_RFLAGS_RF		(1ULL << 16)
#define V3_RFLAGS_VM		(1ULL << 17)
#define V3_RFLAGS_AC		(1ULL << 18)
#define V3_RFLAGS_VIF		(1ULL << 19)
#define V3_RFLAGS_VIP		(1ULL << 20)
#define V3_RFLAGS_ID		(1ULL << 21)
#define V3_RFLAGS_ARITH		(V3_RFLAGS_CF | V3_RFLAGS_PF | V3_RFLAGS_AF | V3_RFLAGS_ZF | \
				 V3_RFLAGS_SF | V3_RFLAGS_OF)
#define V3_RFLAGS_RESET		V3_RFLAGS_FIXED1

/* XCR0, APM2 11.5.2 */
#define V3_XCR0_X87		(1ULL << 0)	/* always 1 */
#define V3_XCR0_SSE		(1ULL << 1)
#define V3_XCR0_AVX		(1ULL << 2)	/* needs SSE */
#define V3_XCR0_BNDREG		(1ULL << 3)	/* MPX: both bits or none */
#define V3_XCR0_BNDCSR		(1ULL << 4)
#define V3_XCR0_OPMASK		(1ULL << 5)	/* AVX-512: all three or none, needs AVX */
#define V3_XCR0_ZMM_HI256	(1ULL << 6)
#define V3_XCR0_HI16_ZMM	(1ULL << 7)
#define V3_XCR0_PKRU		(1ULL << 9)
#define V3_XCR0_TILECFG		(1ULL << 17)	/* AMX: both bits or none */
#define V3_XCR0_TILEDATA	(1ULL << 18)
#define V3_XCR0_AVX512		(V3_XCR0_OPMASK | V3_XCR0_ZMM_HI256 | V3_XCR0_HI16_ZMM)

/* DR6 and DR7, APM2 13.1.1 */
#define V3_DR6_B(n)		(1ULL << (n))	/* breakpoint n matched, n = 0..3 */
#define V3_DR6_BUS_LOCK		(1ULL << 11)	/* active low */
#define V3_DR6_BD		(1ULL << 13)	/* debug register access with DR7.GD */
#define V3_DR6_BS		(1ULL << 14)	/* single step */
#define V3_DR6_BT		(1ULL << 15)	/* task switch */
#define V3_DR6_RESET		0xffff0ff0ULL
#define V3_DR7_L(n)		(1ULL << ((n) * 2))
#define V3_DR7_G(n)		(2ULL << ((n) * 2))
#define V3_DR7_ENABLE_MASK	0xffULL
#define V3_DR7_GD		(1ULL << 13)	/* general detect */
#define V3_DR7_RW_SHIFT(n)	(16 + (n) * 4)	/* 2 bits: 0 exec, 1 write, 2 I/O, 3 read/write */
#define V3_DR7_LEN_SHIFT(n)	(18 + (n) * 4)	/* 2 bits: 0 byte, 1 word, 2 qword, 3 dword */
#define V3_DR7_RESET		0x400ULL

#endif
