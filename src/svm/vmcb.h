/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine control block. APM2 appendix B; 15.5 to 15.25 for the meaning. */
#ifndef V3_SVM_VMCB_H
#define V3_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct svm_seg {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
} __attribute__((packed));

struct svm_vmcb {
	/* Control area */
	uint32_t intercept_cr;		/* reads in 15:0, writes in 31:16 */
	uint32_t intercept_dr;
	uint32_t intercept_exception;
	uint32_t intercept_misc1;
	uint32_t intercept_misc2;
	uint32_t intercept_misc3;
	uint8_t reserved1[0x3c - 0x18];
	uint16_t pause_threshold;
	uint16_t pause_count;
	uint64_t iopm_pa;
	uint64_t msrpm_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved2[3];
	uint64_t int_ctl;		/* V_TPR, V_IRQ, ... and V_INTR_VECTOR in 39:32 */
	uint64_t int_shadow;
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info;
	uint64_t np_enable;
	uint64_t avic_apic_bar;
	uint64_t ghcb_pa;
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint32_t clean;
	uint32_t reserved3;
	uint64_t next_rip;
	uint8_t insn_len;		/* bytes fetched, with decode assists */
	uint8_t insn_bytes[15];
	uint64_t avic_backing_page;
	uint64_t reserved4;
	uint64_t avic_logical_table;
	uint64_t avic_physical_table;
	uint64_t reserved5;
	uint64_t vmsa_pa;
	uint8_t reserved6[0x400 - 0x110];

	/* State save area */
	struct svm_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved7[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved8;
	uint64_t efer;
	uint8_t reserved9[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved10[0x5d8 - 0x580];
	uint64_t rsp;
	uint64_t s_cet, ssp, isst;
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved11[0x668 - 0x648];
	uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
	uint8_t reserved12[0x1000 - 0x698];
} __attribute__((packed));

#define SVM_AT(field, offset) \
	_Static_assert(offsetof(struct svm_vmcb, field) == (offset), "APM2 appendix B: " #field)
SVM_AT(intercept_misc1, 0x00c);
SVM_AT(intercept_misc2, 0x010);
SVM_AT(pause_threshold, 0x03c);
SVM_AT(iopm_pa, 0x040);
SVM_AT(msrpm_pa, 0x048);
SVM_AT(tsc_offset, 0x050);
SVM_AT(asid, 0x058);
SVM_AT(tlb_control, 0x05c);
SVM_AT(int_ctl, 0x060);
SVM_AT(int_shadow, 0x068);
SVM_AT(exit_code, 0x070);
SVM_AT(exit_info1, 0x078);
SVM_AT(exit_info2, 0x080);
SVM_AT(exit_int_info, 0x088);
SVM_AT(np_enable, 0x090);
SVM_AT(event_inj, 0x0a8);
SVM_AT(nested_cr3, 0x0b0);
SVM_AT(virt_ext, 0x0b8);
SVM_AT(clean, 0x0c0);
SVM_AT(next_rip, 0x0c8);
SVM_AT(insn_len, 0x0d0);
SVM_AT(avic_backing_page, 0x0e0);
SVM_AT(avic_logical_table, 0x0f0);
SVM_AT(vmsa_pa, 0x108);
SVM_AT(es, 0x400);
SVM_AT(fs, 0x440);
SVM_AT(gdtr, 0x460);
SVM_AT(tr, 0x490);
SVM_AT(cpl, 0x4cb);
SVM_AT(efer, 0x4d0);
SVM_AT(cr4, 0x548);
SVM_AT(cr0, 0x558);
SVM_AT(dr7, 0x560);
SVM_AT(rflags, 0x570);
SVM_AT(rip, 0x578);
SVM_AT(rsp, 0x5d8);
SVM_AT(rax, 0x5f8);
SVM_AT(star, 0x600);
SVM_AT(kernel_gs_base, 0x620);
SVM_AT(sysenter_cs, 0x628);
SVM_AT(cr2, 0x640);
SVM_AT(g_pat, 0x668);
SVM_AT(last_excp_to, 0x690);
_Static_assert(sizeof(struct svm_vmcb) == 0x1000, "one page");

/* Intercepts, APM2 15.9 and table B-1 */
#define SVM_I_CR_READ(n)	(1u << (n))
#define SVM_I_CR_WRITE(n)	(1u << (16 + (n)))
#define SVM_I_DR_ALL		0xffffffffu
#define SVM_I1_INTR		(1u << 0)
#define SVM_I1_NMI		(1u << 1)
#define SVM_I1_SMI		(1u << 2)
#define SVM_I1_INIT		(1u << 3)
#define SVM_I1_VINTR		(1u << 4)
#define SVM_I1_CR0_SEL		(1u << 5)
#define SVM_I1_RDPMC		(1u << 15)
#define SVM_I1_CPUID		(1u << 18)
#define SVM_I1_IRET		(1u << 20)
#define SVM_I1_INVD		(1u << 22)
#define SVM_I1_PAUSE		(1u << 23)
#define SVM_I1_HLT		(1u << 24)
#define SVM_I1_INVLPGA		(1u << 26)
#define SVM_I1_IOIO		(1u << 27)
#define SVM_I1_MSR		(1u << 28)
#define SVM_I1_TASK_SWITCH	(1u << 29)
#define SVM_I1_FERR_FREEZE	(1u << 30)
#define SVM_I1_SHUTDOWN		(1u << 31)
#define SVM_I2_VMRUN		(1u << 0)
#define SVM_I2_VMMCALL		(1u << 1)
#define SVM_I2_VMLOAD		(1u << 2)
#define SVM_I2_VMSAVE		(1u << 3)
#define SVM_I2_STGI		(1u << 4)
#define SVM_I2_CLGI		(1u << 5)
#define SVM_I2_SKINIT		(1u << 6)
#define SVM_I2_RDTSCP		(1u << 7)
#define SVM_I2_WBINVD		(1u << 9)
#define SVM_I2_MONITOR		(1u << 10)
#define SVM_I2_MWAIT		(1u << 11)
#define SVM_I2_MWAIT_ARMED	(1u << 12)
#define SVM_I2_XSETBV		(1u << 13)
#define SVM_I2_RDPRU		(1u << 14)

/* TLB_CONTROL, APM2 15.16 */
#define SVM_TLB_NONE		0
#define SVM_TLB_FLUSH_ALL	1
#define SVM_TLB_FLUSH_ASID	3

/* int_ctl, APM2 15.21 */
#define SVM_V_TPR_MASK		0xfull
#define SVM_V_IRQ		(1ull << 8)
#define SVM_V_INTR_PRIO_SHIFT	16
#define SVM_V_IGN_TPR		(1ull << 20)
#define SVM_V_INTR_MASKING	(1ull << 24)
#define SVM_V_INTR_VECTOR_SHIFT	32
#define SVM_V_IRQ_FIELDS	(SVM_V_IRQ | 0xfull << SVM_V_INTR_PRIO_SHIFT | SVM_V_IGN_TPR | \
				 0xffull << SVM_V_INTR_VECTOR_SHIFT)

/* EVENTINJ and EXITINTINFO, APM2 15.20 */
#define SVM_EVENT_TYPE_SHIFT	8
#define SVM_EVENT_TYPE_MASK	7u
#define SVM_EVENT_SOFT_INTR	4u
#define SVM_EVENT_HAS_ERROR	(1ull << 11)
#define SVM_EVENT_VALID		(1ull << 31)

/* VMCB clean bits, APM2 15.15.3: set means unchanged since the last VMRUN */
#define SVM_CLEAN_I		(1u << 0)
#define SVM_CLEAN_IOPM		(1u << 1)
#define SVM_CLEAN_ASID		(1u << 2)
#define SVM_CLEAN_TPR		(1u << 3)
#define SVM_CLEAN_NP		(1u << 4)
#define SVM_CLEAN_CR		(1u << 5)
#define SVM_CLEAN_DR		(1u << 6)
#define SVM_CLEAN_DT		(1u << 7)
#define SVM_CLEAN_SEG		(1u << 8)
#define SVM_CLEAN_CR2		(1u << 9)
#define SVM_CLEAN_LBR		(1u << 10)
#define SVM_CLEAN_AVIC		(1u << 11)
#define SVM_CLEAN_ALL		0xfffu

/* Bits of fraction of V3_MSR_AMD_TSC_RATIO, APM2 15.30.5 */
#define SVM_TSC_FRACTION	32

/* Exit codes, APM2 appendix C */
#define SVM_EXIT_CR_READ	0x000
#define SVM_EXIT_CR_WRITE	0x010
#define SVM_EXIT_DR_READ	0x020
#define SVM_EXIT_DR_WRITE	0x030
#define SVM_EXIT_EXCEPTION	0x040
#define SVM_EXIT_INTR		0x060
#define SVM_EXIT_NMI		0x061
#define SVM_EXIT_SMI		0x062
#define SVM_EXIT_INIT		0x063
#define SVM_EXIT_VINTR		0x064
#define SVM_EXIT_CR0_SEL	0x065
#define SVM_EXIT_RDPMC		0x06f
#define SVM_EXIT_CPUID		0x072
#define SVM_EXIT_IRET		0x074
#define SVM_EXIT_INVD		0x076
#define SVM_EXIT_PAUSE		0x077
#define SVM_EXIT_HLT		0x078
#define SVM_EXIT_INVLPGA	0x07a
#define SVM_EXIT_IOIO		0x07b
#define SVM_EXIT_MSR		0x07c
#define SVM_EXIT_TASK_SWITCH	0x07d
#define SVM_EXIT_FERR_FREEZE	0x07e
#define SVM_EXIT_SHUTDOWN	0x07f
#define SVM_EXIT_VMRUN		0x080
#define SVM_EXIT_VMMCALL	0x081
#define SVM_EXIT_VMLOAD		0x082
#define SVM_EXIT_SKINIT		0x086
#define SVM_EXIT_RDTSCP		0x087
#define SVM_EXIT_WBINVD		0x089
#define SVM_EXIT_MONITOR	0x08a
#define SVM_EXIT_MWAIT		0x08b
#define SVM_EXIT_MWAIT_ARMED	0x08c
#define SVM_EXIT_XSETBV		0x08d
#define SVM_EXIT_RDPRU		0x08e
#define SVM_EXIT_NPF		0x400

/* EXITINFO1 of IOIO, APM2 15.10.2 */
#define SVM_IOIO_IN		(1u << 0)
#define SVM_IOIO_STRING		(1u << 2)
#define SVM_IOIO_REP		(1u << 3)
#define SVM_IOIO_SIZE_SHIFT	4
#define SVM_IOIO_SIZE_MASK	7u
#define SVM_IOIO_PORT_SHIFT	16

#endif
