/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the VT-x back end. Instance data hangs on v3_host.arch_data, v3_vm.arch_data,
 * v3_vcpu.arch.
 */
#ifndef V3_VMX_VMX_H
#define V3_VMX_VMX_H

#include "core/vm.h"
#include "x86/cr.h"
#include "x86/insn_vmx.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* What can be switched off, by the order of vmx_features. */
enum vmx_feature {
	VMX_F_VPID,
	VMX_F_INVVPID_ONE,	/* flushing one VPID; else all of them are */
	VMX_F_INVEPT_ONE,
	VMX_F_EPT_2M,
	VMX_F_EPT_1G,
	VMX_F_TPR_SHADOW,
	VMX_F_PLE,
	VMX_F_WBINVD,
	VMX_F_RDTSCP,
	VMX_F_INVPCID,
	VMX_F_UNRESTRICTED,	/* real mode and no paging in the CPU; else realmode.c */
	VMX_F_APIC_ACCESS,
	VMX_F_X2APIC,
	VMX_F_APIC_REGISTERS,
	VMX_F_VID,
	VMX_F_TIMER,
	VMX_F_L1D_FLUSH,
	VMX_F_MD_CLEAR,
	VMX_F_TSC_SCALING,
	VMX_F_EPT_AD,
	VMX_F_XSAVES,
	VMX_F_APIC_FASTER,	/* APIC accesses only where that saves exits */
	VMX_F_COUNT,
};
extern const char *const vmx_features[];

/* Values of the capability MSRs, of the true ones where they exist; SDM vol. 3 appendix A. */
struct vmx_msrs {
	uint64_t basic, pin, proc, proc2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid;
	uint64_t misc;
	uint32_t signature;		/* CPUID.1:EAX */
	uint32_t features_7_ebx, features_7_edx;	/* CPUID.7.0 */
	uint64_t arch_caps;		/* IA32_ARCH_CAPABILITIES */
};

/* What the back end makes of them. */
struct vmx_caps {
	uint32_t revision;
	uint32_t pin, proc, proc2, exit, entry;	/* controls of every guest, at first */
	uint64_t cr0_fixed0;			/* PE and PG are the guest's own */
	uint64_t cr4_fixed0, cr4_fixed1;	/* in the shadow only: VMXE, MCE */
	uint64_t ept_vpid;			/* without what is switched off */
	bool vpid, tpr_shadow, ple, rdtscp, invpcid, unrestricted;
	bool tsc_scaling;			/* for VMs that ask for it */
	/* For vCPUs whose local APIC is in a mode that they have something for: apic.c. */
	bool apic_access, x2apic, apic_regs, vid;
	bool timer;
	uint8_t timer_shift;		/* TSC ticks of one count of the preemption timer */
	/* Before each entry, for a CPU that lets guests at what it holds in L1D, or in buffers. */
	bool l1d_flush, md_clear;
};

/* A host CPU that we hold. Allocated by cpu_prepare, then only touched on that CPU. */
struct vmx_cpu {
	v3_hpa_t vmxon;
	uint32_t next_vpid;
	/* Grows when VPIDs run out and all TLB entries of guests are flushed. Starts at 1. */
	uint64_t generation;
};

struct vmx_host {
	struct vmx_cpu **cpus;		/* [v3_host.num_cpus], NULL until prepared */
	struct vmx_caps caps;
	bool ignore_pat;		/* the CPU does not snoop its own caches */
	struct v3_arch_ops realmode;	/* used without unrestricted guest */
};

struct vmx_vm {
	v3_hpa_t msr_bitmap;
	uint64_t eptp;
	uint32_t proc2;			/* without what the CPU model hides */
	uint64_t cr4_mask;		/* bits that exit when the guest changes them */
	v3_hpa_t identity;		/* page table for guests without paging, or V3_HPA_NONE */
	v3_hpa_t apic_pages;		/* V3_HPA_NONE: no APIC virtualization */
	uint64_t apic_eptp;		/* of vCPUs in xAPIC mode; 0: nothing is done for them */
};

/* Guest state in the VMCS that is not copied at each exit: indexes of vmx_vcpu.image. */
#define VMX_IMAGE_FIELDS 49

/* Bits of CR0 that the guest sees in the shadow only: NE must be set, the caches are the host's. */
#define VMX_CR0_OWNED (V3_CR0_NE | V3_CR0_NW | V3_CR0_CD)

/* In the virtual APIC page. */
#define VMX_APIC_TPR 0x80

/* The preemption timer at its slowest, some ten seconds: no deadline. */
#define VMX_TIMER_MAX 0xffffffffu

/* To do before the next entry: vmx_vcpu.work. */
#define VMX_WORK_VPID	1u		/* flush what is cached of the guest's own tables */
#define VMX_WORK_EPT	2u		/* flush what is cached of the nested tables, too */
#define VMX_WORK_PDPTE	4u		/* load the PDPTEs, if the guest uses PAE paging */
#define VMX_WORK_LOOK	8u		/* there is an event, or no VMCS */
#define VMX_WORK_CLEAR	32u		/* keep from the guest what the CPU holds; from load on */
#define VMX_WORK_APIC	16u	/* lend the registers of the local APIC to the CPU */

/* MSRs that VMX does not switch and the guest uses without exits. */
#define VMX_SWITCHED_MSRS 5

/*
 * State of the host's between load and put: what the VMCS has, and what VM exits do not bring back.
 */
struct vmx_host_state {
	struct v3_x86_segs segs;
	uint64_t cr0, cr3, cr4;		/* as in the VMCS */
	uint64_t rsp;
	uint64_t dr[4], dr7;
	uint64_t debugctl;
	uint64_t msrs[VMX_SWITCHED_MSRS];
};

/*
 * Without unrestricted guest: what the guest has in registers that the VMCS has other values for
 * while it does not use paging.
 */
struct vmx_realmode {
	uint64_t cr3;			/* without paging; with it, the VMCS has it */
	uint64_t efer;			/* always */
	bool changed;			/* segments or any of it, since the last entry */
	bool emulate;			/* VM entry would refuse the state */
};

struct vmx_vcpu {
	v3_hpa_t vmcs;
	struct vmx_cpu *cpu;		/* between load and put */
	bool loaded, launched, initialized;
	bool image_changed;		/* the image is newer than the VMCS */
	bool broken;			/* VMPTRLD or VMCLEAR failed */
	uint32_t work;			/* VMX_WORK_* */
	uint32_t proc;			/* primary controls, as in the VMCS */
	uint32_t windows;		/* V3_WINDOW_* */
	uint16_t vpid;
	uint64_t vpid_generation;	/* vpid belongs to this generation of tlb_cpu */
	struct vmx_cpu *tlb_cpu;
	/* As in the VMCS, so that a VMWRITE is only done for what changed. */
	uint64_t rsp, rflags;
	uint32_t blocking;
	uint8_t cr8, tpr;
	const uint8_t *tpr_now;		/* the guest's while it runs; without TPR shadow, tpr */
	uint8_t *virtual_apic;		/* NULL without TPR shadow */
	v3_hpa_t virtual_apic_hpa;
	bool apic;			/* VMX_WORK_APIC may be of use */
	bool lent;			/* the virtual APIC page has the local APIC's registers */
	uint8_t apic_mode;		/* enum v3_lent_mode of the controls, as in the VMCS */
	uint64_t eoi_exit[4];		/* as in the VMCS */
	/* TSC at which the preemption timer is to end the run; all ones: none, or no such timer. */
	const uint64_t *timer_tsc;
	uint8_t timer_shift;
	uint64_t cr2, dr6;		/* the VMCS has no place for them */
	uint64_t dr7;			/* as in the VMCS */
	uint64_t tsc_offset;
	uint64_t msrs[VMX_SWITCHED_MSRS]; /* the guest's, unless loaded */
	struct v3_event event;		/* to inject */
	struct vmx_realmode real;
	struct vmx_host_state host;
	uint64_t image[VMX_IMAGE_FIELDS];
};

static inline struct vmx_host *vmx_host(const struct v3_host *host)
{
	return host->arch_data;
}

static inline struct vmx_vm *vmx_vm(const struct v3_vm *vm)
{
	return vm->arch_data;
}

static inline struct vmx_vcpu *vmx_vcpu(const struct v3_vcpu *vcpu)
{
	return vcpu->arch;
}

/* The EPT pointer that is in the VMCS. */
static inline uint64_t vmx_eptp(const struct v3_vm *vm, const struct vmx_vcpu *vmx)
{
	return vmx->apic_mode == V3_LENT_MMIO ? vmx_vm(vm)->apic_eptp : vmx_vm(vm)->eptp;
}

/*
 * Of the current VMCS. They cannot fail: the fields exist, and a VMCS is current between load and
 * put.
 */
static inline uint64_t vmx_read(uint32_t field)
{
	uint64_t value = 0;

	(void)v3_x86_vmread(field, &value);
	return value;
}

static inline void vmx_write(uint32_t field, uint64_t value)
{
	(void)v3_x86_vmwrite(field, value);
}

/* caps.c, pure: NULL, or what is missing, by name. off: bits of enum vmx_feature. */
const char *vmx_caps_compute(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps);

/* cpu.c */
enum v3_status vmx_probe(struct v3_host *host, struct v3_host_caps *caps);
void vmx_remove(struct v3_host *host);
enum v3_status vmx_cpu_prepare(struct v3_host *host, unsigned int cpu);
enum v3_status vmx_cpu_enable(struct v3_host *host, unsigned int cpu);
void vmx_cpu_disable(struct v3_host *host, unsigned int cpu);

/* vcpu.c */
enum v3_status vmx_vm_create(struct v3_vm *vm);
void vmx_vm_destroy(struct v3_vm *vm);
enum v3_status vmx_vcpu_create(struct v3_vcpu *vcpu);
void vmx_vcpu_destroy(struct v3_vcpu *vcpu);

/* vmcs.c */
void vmx_msr_bitmap_fill(uint8_t *bitmap);
/* The same for vCPUs in x2APIC mode, with what APIC virtualization has for them. */
void vmx_msr_bitmap_x2apic(uint8_t *bitmap, bool registers, bool intr_delivery);
/* Whether an MSR access exits; for tests. */
bool vmx_msr_bitmap_exits(const uint8_t *bitmap, uint32_t msr, bool write);
/* Controls, and all of the guest's state that nobody else writes. The VMCS is current. */
void vmx_vmcs_init(struct v3_vcpu *vcpu);

/* host_state.c */
extern const uint32_t vmx_switched_msrs[VMX_SWITCHED_MSRS];
/*
 * What the host has on this CPU goes into the current VMCS; the MSRs that VMX does not switch, too.
 */
void vmx_host_save(struct vmx_vcpu *vmx);
void vmx_host_restore(struct vmx_vcpu *vmx);

/* tlb.c */
/* At load: a VPID that is valid on this CPU, and what has to be flushed because of the CPU. */
void vmx_tlb_load(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx);
/* Right before an entry, with work to do. */
void vmx_tlb_flush(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx);

/* exit.c: from the current VMCS to the neutral form. */
/*
 * enum v3_exit_kind by reason, of exits of which nothing is to be known but the instruction's length
 * and registers, and of V3_EXIT_IO; 0 for others, which are for vmx_exit_decode().
 */
extern const uint8_t vmx_insn_exits[64];
/* The rest of a V3_EXIT_IO that has its kind and length. */
void vmx_io_decode(const struct v3_vcpu *vcpu, struct v3_exit *exit);
void vmx_exit_decode(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason,
		     struct v3_exit *exit);
/* The event that the exit interrupted; valid = false if there is none to deliver again. */
void vmx_interrupted_decode(struct v3_event *event);
/* Value of V3_VMCS_ENTRY_EVENT */
uint32_t vmx_event_encode(const struct v3_event *event);

/* apic.c */
enum v3_status vmx_apic_vm_create(struct v3_vm *vm, struct vmx_vm *vmx);
void vmx_apic_vm_destroy(struct v3_vm *vm, struct vmx_vm *vmx);
/* A new VMCS, which is current. */
void vmx_apic_init(struct v3_vcpu *vcpu);
void vmx_apic_lend(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx);
void vmx_intc_take_back(struct v3_vcpu *vcpu);
void vmx_decode_apic_access(struct v3_exit *exit);
void vmx_decode_apic_write(const struct vmx_vcpu *vmx, struct v3_exit *exit);
void vmx_decode_eoi(struct v3_exit *exit);

/* run.c */
void vmx_load(struct v3_vcpu *vcpu);
void vmx_put(struct v3_vcpu *vcpu);
void vmx_run(struct v3_vcpu *vcpu, struct v3_exit *exit);
void vmx_run_owned(struct v3_vcpu *vcpu, struct v3_exit *exit);

/* check.c */
/*
 * Pure: what VM entry would refuse in this mode and these segments, by name, or NULL (27.3.1.2, 27.3.1.4).
 * rflags is the guest's; other registers are not looked at.
 */
const char *vmx_not_enterable(const struct v3_vcpu_state *state, uint64_t rflags,
			      bool unrestricted);
/* The same of all registers, after an entry that failed. Flags but VM are as they must be. */
const char *vmx_state_refused(const struct v3_vcpu *vcpu, const struct v3_vcpu_state *state,
			      uint64_t rflags, uint64_t rip);
/* For an entry that failed like this: what the CPU does not tell of it, or NULL. */
const char *vmx_entry_why(struct v3_vcpu *vcpu, uint32_t reason, uint64_t qual);

/* text.c: static storage */
const char *vmx_error_text(unsigned int error);		/* VM-instruction error */
/* Exit reason and qualification of an entry that failed. */
const char *vmx_entry_text(uint32_t reason, uint64_t qual);

/* state.c */
/* A field of guest state, in the VMCS or in the image. */
uint64_t vmx_guest_read(const struct vmx_vcpu *vmx, uint32_t field);
void vmx_guest_write(struct vmx_vcpu *vmx, uint32_t field, uint64_t value);
/* The whole image, from and to the current VMCS. */
void vmx_image_save(struct vmx_vcpu *vmx);
void vmx_image_restore(const struct vmx_vcpu *vmx);
void vmx_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state);
void vmx_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state);
void vmx_insn_env(struct v3_vcpu *vcpu, struct v3_insn_env *env);
void vmx_get_segment(struct v3_vcpu *vcpu, enum v3_seg reg, struct v3_segment *seg);
uint64_t vmx_get_cr(struct v3_vcpu *vcpu, unsigned int cr);
void vmx_set_cr(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value);
uint64_t vmx_get_efer(struct v3_vcpu *vcpu);
void vmx_set_efer(struct v3_vcpu *vcpu, uint64_t value);
uint64_t vmx_get_pat(struct v3_vcpu *vcpu);
void vmx_set_pat(struct v3_vcpu *vcpu, uint64_t value);
uint64_t vmx_get_dr(struct v3_vcpu *vcpu, unsigned int dr);
void vmx_set_dr(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value);
/*
 * Before an entry: the PDPTEs of a guest that uses PAE paging, which VM entry takes from the VMCS.
 */
void vmx_pdptes_load(struct v3_vcpu *vcpu);

/* realmode.c: guests on CPUs without unrestricted guest */
/* The page table of a VM without paging, in memory and in the nested tables. */
enum v3_status vmx_identity_create(struct v3_vm *vm, struct vmx_vm *vmx);
void vmx_identity_destroy(struct v3_vm *vm, struct vmx_vm *vmx);
/* Fills ops, which differ from the usual ones in what follows CR0, CR3, CR4, EFER and segments. */
void vmx_realmode_ops(struct v3_arch_ops *ops);

/*
 * entry.S: VMLAUNCH, or VMRESUME with resume, with the guest's registers of gpr but RSP; back after
 * the exit with interrupts off. host_rsp: what the VMCS has for the host's RSP. 0, or
 * V3_VMX_FAIL_*.
 */
int vmx_enter(uint64_t *gpr, bool resume, uint64_t *host_rsp);
/* Where an exit continues: the host's RIP in the VMCS. */
void vmx_exit_point(void);

extern const struct v3_arch_ops v3_vmx_ops;

#endif
