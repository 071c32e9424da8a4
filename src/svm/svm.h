/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the SVM back end. Instance data hangs on v3_host.arch_data, v3_vm.arch_data, v3_vcpu.arch.
 */
#ifndef V3_SVM_SVM_H
#define V3_SVM_SVM_H

#include "core/vm.h"
#include "svm/vmcb.h"

/* A host CPU that we hold. Allocated by cpu_prepare, then only touched on that CPU. */
struct svm_cpu {
	v3_hpa_t hsave;			/* VM_HSAVE_PA: where VMRUN keeps host state */
	v3_hpa_t host_vmcb;		/* for VMSAVE and VMLOAD of host state */
	uint32_t next_asid;
	/* Grows when ASIDs run out and all TLB entries of guests are flushed. Starts at 1. */
	uint64_t asid_generation;
};

struct svm_host {
	struct svm_cpu **cpus;		/* [v3_host.num_cpus], NULL until prepared */
	uint32_t num_asids;
};

struct svm_vm {
	v3_hpa_t iopm;			/* 3 pages, APM2 15.10.1 */
	v3_hpa_t msrpm;			/* 2 pages, APM2 15.11 */
};

struct svm_vcpu {
	struct svm_vmcb *vmcb;
	v3_hpa_t vmcb_hpa;
	struct svm_cpu *cpu;		/* between load and put */
	uint64_t asid_generation;	/* the vCPU's ASID belongs to this generation of asid_cpu */
	struct svm_cpu *asid_cpu;
	bool flush;			/* flush the guest's TLB entries at the next entry */
	uint32_t clean_mask;		/* clean bits after an exit: all, or none if not there */
	uint64_t tsc_ratio;		/* V3_MSR_AMD_TSC_RATIO for the guest; 0: as it is */
	uint64_t host_dr[4], host_dr7;
};

static inline struct svm_host *svm_host(const struct v3_host *host)
{
	return host->arch_data;
}

static inline struct svm_vm *svm_vm(const struct v3_vm *vm)
{
	return vm->arch_data;
}

static inline struct svm_vcpu *svm_vcpu(const struct v3_vcpu *vcpu)
{
	return vcpu->arch;
}

/* cpu.c */
extern const char *const svm_features[];
enum v3_status svm_probe(struct v3_host *host, struct v3_host_caps *caps);
void svm_remove(struct v3_host *host);
enum v3_status svm_cpu_prepare(struct v3_host *host, unsigned int cpu);
enum v3_status svm_cpu_enable(struct v3_host *host, unsigned int cpu);
void svm_cpu_disable(struct v3_host *host, unsigned int cpu);

/* maps.c: what of MSRs and ports exits. */
void svm_msrpm_fill(uint8_t *msrpm);
void svm_iopm_fill(uint8_t *iopm);
/* Whether an MSR access exits; for tests. */
bool svm_msrpm_intercepts(const uint8_t *msrpm, uint32_t msr, bool write);

/* vcpu.c */
enum v3_status svm_vm_create(struct v3_vm *vm);
void svm_vm_destroy(struct v3_vm *vm);
enum v3_status svm_vcpu_create(struct v3_vcpu *vcpu);
void svm_vcpu_destroy(struct v3_vcpu *vcpu);
/* Control area of a new VMCB, from plain inputs. */
void svm_vmcb_init(struct svm_vmcb *vmcb, v3_hpa_t iopm, v3_hpa_t msrpm, v3_hpa_t nested_root,
		   const struct v3_host_caps *caps);

/* asid.c: gives the vCPU an ASID that is valid on this CPU, and decides about TLB_CONTROL. */
void svm_asid_prepare(struct v3_vcpu *vcpu, struct svm_vcpu *svm);

/* exit.c: from the VMCB to the neutral form; pure. */
void svm_exit_decode(const struct svm_vmcb *vmcb, const struct v3_host_caps *caps,
		     struct v3_exit *exit);
/* EVENTINJ, or EXITINTINFO as it is, to an event; valid = false if there is none. */
void svm_event_decode(uint64_t info, struct v3_event *event);
/* EXITINTINFO to an event to deliver again; valid = false if there is none. */
void svm_interrupted_decode(const struct svm_vmcb *vmcb, struct v3_event *event);
uint64_t svm_event_encode(const struct v3_event *event);

/* run.c */
void svm_load(struct v3_vcpu *vcpu);
void svm_put(struct v3_vcpu *vcpu);
void svm_run(struct v3_vcpu *vcpu, struct v3_exit *exit);
void svm_run_owned(struct v3_vcpu *vcpu, struct v3_exit *exit);
/* vcpu.c: exit when the guest can take an interrupt, or not */
void svm_intr_window(struct svm_vmcb *vmcb, bool open);

/* state.c */
void svm_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state);
void svm_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state);
void svm_insn_env(struct v3_vcpu *vcpu, struct v3_insn_env *env);
void svm_get_segment(struct v3_vcpu *vcpu, enum v3_seg reg, struct v3_segment *seg);
uint64_t svm_get_cr(struct v3_vcpu *vcpu, unsigned int cr);
void svm_set_cr(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value);
uint64_t svm_get_efer(struct v3_vcpu *vcpu);
void svm_set_efer(struct v3_vcpu *vcpu, uint64_t value);
uint64_t svm_get_pat(struct v3_vcpu *vcpu);
void svm_set_pat(struct v3_vcpu *vcpu, uint64_t value);
uint64_t svm_get_dr(struct v3_vcpu *vcpu, unsigned int dr);
void svm_set_dr(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value);

/*
 * entry.S: VMLOAD, VMRUN, VMSAVE, then the host's VMLOAD. gpr: the guest's 16 registers, of which
 * RAX and RSP live in the VMCB. Interrupts are blocked by GIF; RFLAGS.IF is set. Tests define their
 * own.
 */
void svm_enter(uint64_t *gpr, v3_hpa_t vmcb, v3_hpa_t host_vmcb);

extern const struct v3_arch_ops v3_svm_ops;

#endif
