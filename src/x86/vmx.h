/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel VT-x: control bits, capability MSRs, exit reasons and the formats of what exits tell. The
 * fields themselves are in vmcs.h. SDM vol. 3 chapters 25 to 28, appendices A and C.
 */
#ifndef V3_X86_VMX_H
#define V3_X86_VMX_H

/* IA32_VMX_BASIC, A.1 */
#define V3_VMX_BASIC_REVISION(v)	((uint32_t)(v) & 0x7fffffff)
#define V3_VMX_BASIC_SIZE(v)		((uint32_t)((v) >> 32) & 0x1fff)
#define V3_VMX_BASIC_ADDR_32		(1ULL << 48)	/* structures below 4 GiB */
#define V3_VMX_BASIC_MEMTYPE(v)		((unsigned int)((v) >> 50) & 15)
#define V3_VMX_BASIC_INS_OUTS		(1ULL << 54)
#define V3_VMX_BASIC_TRUE		(1ULL << 55)	/* the true control MSRs exist */

/* IA32_VMX_MISC, A.6 */
#define V3_VMX_MISC_TIMER_SHIFT(v)	((unsigned int)(v) & 31)
#define V3_VMX_MISC_SAVES_LMA		(1ULL << 5)	/* with unrestricted guest */
#define V3_VMX_MISC_HLT			(1ULL << 6)
#define V3_VMX_MISC_WAIT_SIPI		(1ULL << 8)

/* IA32_VMX_EPT_VPID_CAP, A.10; what page tables depend on is in paging/ept.h */
#define V3_VMX_EPT_CAP_INVEPT		(1ULL << 20)
#define V3_VMX_EPT_CAP_INVEPT_ONE	(1ULL << 25)
#define V3_VMX_EPT_CAP_INVEPT_ALL	(1ULL << 26)
#define V3_VMX_VPID_CAP_INVVPID		(1ULL << 32)
#define V3_VMX_VPID_CAP_ADDRESS		(1ULL << 40)
#define V3_VMX_VPID_CAP_ONE		(1ULL << 41)
#define V3_VMX_VPID_CAP_ALL		(1ULL << 42)
#define V3_VMX_VPID_CAP_ONE_GLOBAL	(1ULL << 43)	/* keeps global entries */

/* Types of INVEPT and INVVPID, SDM vol. 3 31.3 */
#define V3_INVEPT_ONE			1
#define V3_INVEPT_ALL			2
#define V3_INVVPID_ADDRESS		0
#define V3_INVVPID_ONE			1
#define V3_INVVPID_ALL			2
#define V3_INVVPID_ONE_GLOBAL		3

/* Pin-based controls, 25.6.1 */
#define V3_VMX_PIN_INTR			(1u << 0)
#define V3_VMX_PIN_NMI			(1u << 3)
#define V3_VMX_PIN_VIRTUAL_NMI		(1u << 5)
#define V3_VMX_PIN_TIMER		(1u << 6)
#define V3_VMX_PIN_POSTED		(1u << 7)

/* Primary processor-based controls, 25.6.2 */
#define V3_VMX_PROC_INTR_WINDOW		(1u << 2)
#define V3_VMX_PROC_TSC_OFFSET		(1u << 3)
#define V3_VMX_PROC_HLT			(1u << 7)
#define V3_VMX_PROC_INVLPG		(1u << 9)
#define V3_VMX_PROC_MWAIT		(1u << 10)
#define V3_VMX_PROC_RDPMC		(1u << 11)
#define V3_VMX_PROC_RDTSC		(1u << 12)
#define V3_VMX_PROC_CR3_LOAD		(1u << 15)
#define V3_VMX_PROC_CR3_STORE		(1u << 16)
#define V3_VMX_PROC_CR8_LOAD		(1u << 19)
#define V3_VMX_PROC_CR8_STORE		(1u << 20)
#define V3_VMX_PROC_TPR_SHADOW		(1u << 21)
#define V3_VMX_PROC_NMI_WINDOW		(1u << 22)
#define V3_VMX_PROC_DR			(1u << 23)
#define V3_VMX_PROC_IO			(1u << 24)
#define V3_VMX_PROC_IO_BITMAPS		(1u << 25)
#define V3_VMX_PROC_TRAP_FLAG		(1u << 27)
#define V3_VMX_PROC_MSR_BITMAPS		(1u << 28)
#define V3_VMX_PROC_MONITOR		(1u << 29)
#define V3_VMX_PROC_PAUSE		(1u << 30)
#define V3_VMX_PROC_SECONDARY		(1u << 31)

/* Secondary processor-based controls, 25.6.2 */
#define V3_VMX_PROC2_APIC_ACCESS	(1u << 0)
#define V3_VMX_PROC2_EPT		(1u << 1)
#define V3_VMX_PROC2_DESC_TABLE		(1u << 2)
#define V3_VMX_PROC2_RDTSCP		(1u << 3)
#define V3_VMX_PROC2_X2APIC		(1u << 4)
#define V3_VMX_PROC2_VPID		(1u << 5)
#define V3_VMX_PROC2_WBINVD		(1u << 6)
#define V3_VMX_PROC2_UNRESTRICTED	(1u << 7)
#define V3_VMX_PROC2_APIC_REGISTERS	(1u << 8)
#define V3_VMX_PROC2_INTR_DELIVERY	(1u << 9)
#define V3_VMX_PROC2_PLE		(1u << 10)
#define V3_VMX_PROC2_RDRAND		(1u << 11)
#define V3_VMX_PROC2_INVPCID		(1u << 12)
#define V3_VMX_PROC2_VMFUNC		(1u << 13)
#define V3_VMX_PROC2_SHADOW_VMCS	(1u << 14)
#define V3_VMX_PROC2_ENCLS		(1u << 15)
#define V3_VMX_PROC2_RDSEED		(1u << 16)
#define V3_VMX_PROC2_PML		(1u << 17)
#define V3_VMX_PROC2_EPT_VE		(1u << 18)
#define V3_VMX_PROC2_XSAVES		(1u << 20)
#define V3_VMX_PROC2_TSC_SCALING	(1u << 25)
#define V3_VMX_PROC2_WAITPKG		(1u << 26)

/* VM-exit controls, 25.7.1 */
#define V3_VMX_EXIT_CTL_SAVE_DEBUG	(1u << 2)
#define V3_VMX_EXIT_CTL_HOST_64		(1u << 9)
#define V3_VMX_EXIT_CTL_PERF_GLOBAL	(1u << 12)
#define V3_VMX_EXIT_CTL_ACK_INTR	(1u << 15)
#define V3_VMX_EXIT_CTL_SAVE_PAT	(1u << 18)
#define V3_VMX_EXIT_CTL_LOAD_PAT	(1u << 19)
#define V3_VMX_EXIT_CTL_SAVE_EFER	(1u << 20)
#define V3_VMX_EXIT_CTL_LOAD_EFER	(1u << 21)
#define V3_VMX_EXIT_CTL_SAVE_TIMER	(1u << 22)

/* VM-entry controls, 25.8.1 */
#define V3_VMX_ENTRY_CTL_LOAD_DEBUG	(1u << 2)
#define V3_VMX_ENTRY_CTL_IA32E		(1u << 9)
#define V3_VMX_ENTRY_CTL_SMM		(1u << 10)
#define V3_VMX_ENTRY_CTL_PERF_GLOBAL	(1u << 13)
#define V3_VMX_ENTRY_CTL_LOAD_PAT	(1u << 14)
#define V3_VMX_ENTRY_CTL_LOAD_EFER	(1u << 15)

/* Access rights of a segment in the VMCS, 25.4.1: descriptor bits 47:40 in 7:0, 55:52 in 15:12 */
#define V3_VMX_SEG_UNUSABLE		(1u << 16)
#define V3_VMX_SEG_HIGH_SHIFT		12

/* Interruptibility and activity of the guest, 25.4.2 */
#define V3_VMX_BLOCK_STI		(1u << 0)
#define V3_VMX_BLOCK_MOV_SS		(1u << 1)
#define V3_VMX_BLOCK_SMI		(1u << 2)
#define V3_VMX_BLOCK_NMI		(1u << 3)
#define V3_VMX_ACTIVE			0
/* Pending debug exceptions */
#define V3_VMX_PENDING_BS		(1ULL << 14)

/* Events going in, coming out, and interrupted: 25.8.3, 25.9.2, 25.9.3 */
#define V3_VMX_EVENT_VECTOR_MASK	0xffu
#define V3_VMX_EVENT_TYPE_SHIFT		8
#define V3_VMX_EVENT_TYPE_MASK		7u
#define V3_VMX_EVENT_INTR		0u
#define V3_VMX_EVENT_NMI		2u
#define V3_VMX_EVENT_EXCEPTION		3u
#define V3_VMX_EVENT_SOFT_INTR		4u
#define V3_VMX_EVENT_PRIV_EXCEPTION	5u	/* INT1 */
#define V3_VMX_EVENT_SOFT_EXCEPTION	6u	/* INT3, INTO */
#define V3_VMX_EVENT_HAS_ERROR		(1u << 11)
#define V3_VMX_EVENT_IRET_UNBLOCKED	(1u << 12)	/* coming out: NMI unblocking due to IRET */
#define V3_VMX_EVENT_VALID		(1u << 31)

/* Exit reason, 25.9.1 and appendix C */
#define V3_VMX_REASON_MASK		0xffffu
#define V3_VMX_REASON_ENTRY_FAILED	(1u << 31)
#define V3_VMX_REASON_EXCEPTION		0	/* or NMI */
#define V3_VMX_REASON_INTR		1
#define V3_VMX_REASON_TRIPLE_FAULT	2
#define V3_VMX_REASON_INIT		3
#define V3_VMX_REASON_SIPI		4
#define V3_VMX_REASON_IO_SMI		5
#define V3_VMX_REASON_SMI		6
#define V3_VMX_REASON_INTR_WINDOW	7
#define V3_VMX_REASON_NMI_WINDOW	8
#define V3_VMX_REASON_TASK_SWITCH	9
#define V3_VMX_REASON_CPUID		10
#define V3_VMX_REASON_GETSEC		11
#define V3_VMX_REASON_HLT		12
#define V3_VMX_REASON_INVD		13
#define V3_VMX_REASON_INVLPG		14
#define V3_VMX_REASON_RDPMC		15
#define V3_VMX_REASON_RDTSC		16
#define V3_VMX_REASON_RSM		17
#define V3_VMX_REASON_VMCALL		18
#define V3_VMX_REASON_VMCLEAR		19
#define V3_VMX_REASON_VMLAUNCH		20
#define V3_VMX_REASON_VMPTRLD		21
#define V3_VMX_REASON_VMPTRST		22
#define V3_VMX_REASON_VMREAD		23
#define V3_VMX_REASON_VMRESUME		24
#define V3_VMX_REASON_VMWRITE		25
#define V3_VMX_REASON_VMXOFF		26
#define V3_VMX_REASON_VMXON		27
#define V3_VMX_REASON_CR		28
#define V3_VMX_REASON_DR		29
#define V3_VMX_REASON_IO		30
#define V3_VMX_REASON_RDMSR		31
#define V3_VMX_REASON_WRMSR		32
#define V3_VMX_REASON_ENTRY_STATE	33
#define V3_VMX_REASON_ENTRY_MSR		34
#define V3_VMX_REASON_MWAIT		36
#define V3_VMX_REASON_TRAP_FLAG		37
#define V3_VMX_REASON_MONITOR		39
#define V3_VMX_REASON_PAUSE		40
#define V3_VMX_REASON_ENTRY_MCE		41
#define V3_VMX_REASON_TPR		43
#define V3_VMX_REASON_APIC_ACCESS	44
#define V3_VMX_REASON_EOI		45
#define V3_VMX_REASON_GDTR_IDTR		46
#define V3_VMX_REASON_LDTR_TR		47
#define V3_VMX_REASON_EPT_VIOLATION	48
#define V3_VMX_REASON_EPT_MISCONFIG	49
#define V3_VMX_REASON_INVEPT		50
#define V3_VMX_REASON_RDTSCP		51
#define V3_VMX_REASON_TIMER		52
#define V3_VMX_REASON_INVVPID		53
#define V3_VMX_REASON_WBINVD		54
#define V3_VMX_REASON_XSETBV		55
#define V3_VMX_REASON_APIC_WRITE	56
#define V3_VMX_REASON_RDRAND		57
#define V3_VMX_REASON_INVPCID		58
#define V3_VMX_REASON_VMFUNC		59
#define V3_VMX_REASON_ENCLS		60
#define V3_VMX_REASON_RDSEED		61
#define V3_VMX_REASON_PML_FULL		62
#define V3_VMX_REASON_XSAVES		63
#define V3_VMX_REASON_XRSTORS		64
#define V3_VMX_REASON_UMWAIT		67
#define V3_VMX_REASON_TPAUSE		68

/* VM-instruction error, 31.4 */
#define V3_VMX_ERROR_CONTROLS		7u

/* Exit qualification of control register accesses, table 28-3 */
#define V3_VMX_QUAL_CR(q)		((unsigned int)(q) & 15)
#define V3_VMX_QUAL_CR_TYPE(q)		((unsigned int)((q) >> 4) & 3)
#define V3_VMX_QUAL_CR_FROM		1u	/* MOV from CR */
/* of debug register accesses, table 28-4 */
#define V3_VMX_QUAL_DR(q)		((unsigned int)(q) & 7)
#define V3_VMX_QUAL_DR_FROM		(1u << 4)
/* of I/O, table 28-5 */
#define V3_VMX_QUAL_IO_SIZE(q)		(((unsigned int)(q) & 7) + 1)
#define V3_VMX_QUAL_IO_IN		(1u << 3)
#define V3_VMX_QUAL_IO_STRING		(1u << 4)
#define V3_VMX_QUAL_IO_PORT(q)		((uint16_t)((q) >> 16))
/* of EPT violations, table 28-7 */
#define V3_VMX_QUAL_EPT_READ		(1u << 0)
#define V3_VMX_QUAL_EPT_WRITE		(1u << 1)
#define V3_VMX_QUAL_EPT_FETCH		(1u << 2)
#define V3_VMX_QUAL_EPT_PERMITS		(7u << 3)	/* what the entries allow: R, W, X */
#define V3_VMX_QUAL_EPT_LINEAR		(1u << 7)	/* a guest-linear address is there */
#define V3_VMX_QUAL_EPT_FINAL		(1u << 8)	/* not the walk of the guest's tables */
#define V3_VMX_QUAL_EPT_IRET		(1u << 12)	/* NMI unblocking due to IRET */
/* of task switches, table 28-2: selector; CALL, IRET, JMP, gate in the IDT */
#define V3_VMX_QUAL_TASK(q)		((unsigned int)(q) & 0xffff)
#define V3_VMX_QUAL_TASK_BY(q)		((unsigned int)((q) >> 30) & 3)
/* of entries that fail on guest state, 27.8 */
#define V3_VMX_QUAL_ENTRY_PDPTE		2u
#define V3_VMX_QUAL_ENTRY_NMI		3u
#define V3_VMX_QUAL_ENTRY_LINK		4u
/* of accesses to the APIC-access page, table 28-6 */
#define V3_VMX_QUAL_APIC_OFFSET(q)	((unsigned int)(q) & 0xfff)
#define V3_VMX_QUAL_APIC_TYPE(q)	((unsigned int)((q) >> 12) & 15)
#define V3_VMX_QUAL_APIC_WRITE		1u
#define V3_VMX_QUAL_APIC_FETCH		2u
#define V3_VMX_QUAL_APIC_PHYSICAL	10u	/* from here on no linear address is there */

#endif
