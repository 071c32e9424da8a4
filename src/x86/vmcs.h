/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of the virtual machine control structure by encoding. SDM vol. 3 appendix B. */
#ifndef V3_X86_VMCS_H
#define V3_X86_VMCS_H

/* The parts of an encoding, SDM vol. 3 25.11.2 */
#define V3_VMCS_WIDTH(field)		((field) >> 13 & 3)
#define V3_VMCS_WIDTH_16		0
#define V3_VMCS_WIDTH_64		1
#define V3_VMCS_WIDTH_32		2
#define V3_VMCS_WIDTH_NATURAL		3
#define V3_VMCS_TYPE(field)		((field) >> 10 & 3)
#define V3_VMCS_TYPE_CONTROL		0
#define V3_VMCS_TYPE_READ_ONLY		1
#define V3_VMCS_TYPE_GUEST		2
#define V3_VMCS_TYPE_HOST		3

/* Controls, 16 bits */
#define V3_VMCS_VPID			0x0000
/* Guest, 16 bits. Segments in the order ES CS SS DS FS GS LDTR TR */
#define V3_VMCS_GUEST_SELECTOR(seg)	(0x0800 + 2 * (seg))
#define V3_VMCS_GUEST_INTR_STATUS	0x0810
/* Host, 16 bits */
#define V3_VMCS_HOST_ES			0x0c00
#define V3_VMCS_HOST_CS			0x0c02
#define V3_VMCS_HOST_SS			0x0c04
#define V3_VMCS_HOST_DS			0x0c06
#define V3_VMCS_HOST_FS			0x0c08
#define V3_VMCS_HOST_GS			0x0c0a
#define V3_VMCS_HOST_TR			0x0c0c

/* Controls, 64 bits */
#define V3_VMCS_IO_BITMAP_A		0x2000
#define V3_VMCS_IO_BITMAP_B		0x2002
#define V3_VMCS_MSR_BITMAP		0x2004
#define V3_VMCS_EXIT_MSR_STORE		0x2006
#define V3_VMCS_EXIT_MSR_LOAD		0x2008
#define V3_VMCS_ENTRY_MSR_LOAD		0x200a
#define V3_VMCS_TSC_OFFSET		0x2010
#define V3_VMCS_VIRTUAL_APIC		0x2012
#define V3_VMCS_APIC_ACCESS		0x2014
#define V3_VMCS_EPTP			0x201a
#define V3_VMCS_EOI_EXIT(n)		(0x201c + 2 * (n))	/* n = 0..3 */
#define V3_VMCS_XSS_EXIT_BITMAP		0x202c
#define V3_VMCS_TSC_MULTIPLIER		0x2032
/* Read-only, 64 bits */
#define V3_VMCS_GUEST_PHYSICAL		0x2400
/* Guest, 64 bits */
#define V3_VMCS_LINK_POINTER		0x2800
#define V3_VMCS_GUEST_DEBUGCTL		0x2802
#define V3_VMCS_GUEST_PAT		0x2804
#define V3_VMCS_GUEST_EFER		0x2806
#define V3_VMCS_GUEST_PERF_GLOBAL	0x2808
#define V3_VMCS_GUEST_PDPTE(n)		(0x280a + 2 * (n))	/* n = 0..3 */
/* Host, 64 bits */
#define V3_VMCS_HOST_PAT		0x2c00
#define V3_VMCS_HOST_EFER		0x2c02
#define V3_VMCS_HOST_PERF_GLOBAL	0x2c04

/* Controls, 32 bits */
#define V3_VMCS_PIN_CTLS		0x4000
#define V3_VMCS_PROC_CTLS		0x4002
#define V3_VMCS_EXCEPTION_BITMAP	0x4004
#define V3_VMCS_PF_ERROR_MASK		0x4006
#define V3_VMCS_PF_ERROR_MATCH		0x4008
#define V3_VMCS_CR3_TARGET_COUNT	0x400a
#define V3_VMCS_EXIT_CTLS		0x400c
#define V3_VMCS_EXIT_MSR_STORE_COUNT	0x400e
#define V3_VMCS_EXIT_MSR_LOAD_COUNT	0x4010
#define V3_VMCS_ENTRY_CTLS		0x4012
#define V3_VMCS_ENTRY_MSR_LOAD_COUNT	0x4014
#define V3_VMCS_ENTRY_EVENT		0x4016
#define V3_VMCS_ENTRY_ERROR		0x4018
#define V3_VMCS_ENTRY_INSN_LEN		0x401a
#define V3_VMCS_TPR_THRESHOLD		0x401c
#define V3_VMCS_PROC_CTLS2		0x401e
#define V3_VMCS_PLE_GAP			0x4020
#define V3_VMCS_PLE_WINDOW		0x4022
/* Read-only, 32 bits */
#define V3_VMCS_INSN_ERROR		0x4400
#define V3_VMCS_EXIT_REASON		0x4402
#define V3_VMCS_EXIT_EVENT		0x4404
#define V3_VMCS_EXIT_ERROR		0x4406
#define V3_VMCS_IDT_EVENT		0x4408
#define V3_VMCS_IDT_ERROR		0x440a
#define V3_VMCS_EXIT_INSN_LEN		0x440c
#define V3_VMCS_EXIT_INSN_INFO		0x440e
/* Guest, 32 bits */
#define V3_VMCS_GUEST_LIMIT(seg)	(0x4800 + 2 * (seg))
#define V3_VMCS_GUEST_GDTR_LIMIT	0x4810
#define V3_VMCS_GUEST_IDTR_LIMIT	0x4812
#define V3_VMCS_GUEST_ACCESS(seg)	(0x4814 + 2 * (seg))
#define V3_VMCS_GUEST_INTERRUPTIBILITY	0x4824
#define V3_VMCS_GUEST_ACTIVITY		0x4826
#define V3_VMCS_GUEST_SMBASE		0x4828
#define V3_VMCS_GUEST_SYSENTER_CS	0x482a
#define V3_VMCS_PREEMPTION_TIMER	0x482e
/* Host, 32 bits */
#define V3_VMCS_HOST_SYSENTER_CS	0x4c00

/* Controls, natural width */
#define V3_VMCS_CR0_MASK		0x6000
#define V3_VMCS_CR4_MASK		0x6002
#define V3_VMCS_CR0_SHADOW		0x6004
#define V3_VMCS_CR4_SHADOW		0x6006
/* Read-only, natural width */
#define V3_VMCS_EXIT_QUALIFICATION	0x6400
#define V3_VMCS_GUEST_LINEAR		0x640a
/* Guest, natural width */
#define V3_VMCS_GUEST_CR0		0x6800
#define V3_VMCS_GUEST_CR3		0x6802
#define V3_VMCS_GUEST_CR4		0x6804
#define V3_VMCS_GUEST_BASE(seg)		(0x6806 + 2 * (seg))
#define V3_VMCS_GUEST_GDTR_BASE		0x6816
#define V3_VMCS_GUEST_IDTR_BASE		0x6818
#define V3_VMCS_GUEST_DR7		0x681a
#define V3_VMCS_GUEST_RSP		0x681c
#define V3_VMCS_GUEST_RIP		0x681e
#define V3_VMCS_GUEST_RFLAGS		0x6820
#define V3_VMCS_GUEST_PENDING_DEBUG	0x6822
#define V3_VMCS_GUEST_SYSENTER_ESP	0x6824
#define V3_VMCS_GUEST_SYSENTER_EIP	0x6826
/* Host, natural width */
#define V3_VMCS_HOST_CR0		0x6c00
#define V3_VMCS_HOST_CR3		0x6c02
#define V3_VMCS_HOST_CR4		0x6c04
#define V3_VMCS_HOST_FS_BASE		0x6c06
#define V3_VMCS_HOST_GS_BASE		0x6c08
#define V3_VMCS_HOST_TR_BASE		0x6c0a
#define V3_VMCS_HOST_GDTR_BASE		0x6c0c
#define V3_VMCS_HOST_IDTR_BASE		0x6c0e
#define V3_VMCS_HOST_SYSENTER_ESP	0x6c10
#define V3_VMCS_HOST_SYSENTER_EIP	0x6c12
#define V3_VMCS_HOST_RSP		0x6c14
#define V3_VMCS_HOST_RIP		0x6c16

#endif
