/* SPDX-License-Identifier: BSD-2-Clause */
/* The back end's memory for VMs and vCPUs, and its table of operations. */
#include "svm/svm.h"

#include "lib/format.h"
#include "lib/mem.h"
#include "x86/cpuid.h"
#include "x86/excp.h"

#define IOPM_PAGES 3
#define MSRPM_PAGES 2

/* PAUSE exits only after this many in a row, closer together than the threshold in cycles. */
#define PAUSE_COUNT 3000
#define PAUSE_THRESHOLD 128

enum v3_status svm_vm_create(struct v3_vm *vm)
{
	struct svm_vm *svm = v3_vm_alloc(vm, sizeof(*svm));
	enum v3_status status;

	if (!svm)
		return V3_ERR_NOMEM;
	status = v3_os_page_alloc(vm->host, IOPM_PAGES, 1, V3_NODE_ANY, 0, &svm->iopm);
	if (status != V3_OK)
		goto no_iopm;
	status = v3_os_page_alloc(vm->host, MSRPM_PAGES, 1, V3_NODE_ANY, 0, &svm->msrpm);
	if (status != V3_OK)
		goto no_msrpm;
	svm_iopm_fill(v3_os_virt(vm->host, svm->iopm));
	svm_msrpm_fill(v3_os_virt(vm->host, svm->msrpm));
	vm->heap_bytes += (IOPM_PAGES + MSRPM_PAGES) * V3_PAGE_SIZE;
	vm->arch_data = svm;
	vm->nested.tracked = V3_NPT_TRACKED;
	return V3_OK;
no_msrpm:
	v3_os_page_free(vm->host, svm->iopm, IOPM_PAGES);
no_iopm:
	v3_vm_free(vm, svm, sizeof(*svm));
	return status;
}

void svm_vm_destroy(struct v3_vm *vm)
{
	struct svm_vm *svm = svm_vm(vm);

	v3_os_page_free(vm->host, svm->iopm, IOPM_PAGES);
	v3_os_page_free(vm->host, svm->msrpm, MSRPM_PAGES);
	vm->heap_bytes -= (IOPM_PAGES + MSRPM_PAGES) * V3_PAGE_SIZE;
	v3_vm_free(vm, svm, sizeof(*svm));
	vm->arch_data = NULL;
}

void svm_vmcb_init(struct svm_vmcb *vmcb, v3_hpa_t iopm, v3_hpa_t msrpm, v3_hpa_t nested_root,
		   const struct v3_host_caps *caps)
{
	memset(vmcb, 0, sizeof(*vmcb));
	/*
	 * CR0, CR2, CR3 and CR8 are the guest's own under nested paging; CR4 has bits it must not
	 * set.
	 */
	vmcb->intercept_cr = SVM_I_CR_WRITE(4);
	vmcb->intercept_dr = SVM_I_DR_ALL;
	/* #AC and #DB can loop inside the CPU for ever; #MC is the host's. */
	vmcb->intercept_exception = 1u << V3_EXCP_DB | 1u << V3_EXCP_AC | 1u << V3_EXCP_MC;
	vmcb->intercept_misc1 = SVM_I1_INTR | SVM_I1_NMI | SVM_I1_SMI | SVM_I1_INIT |
				SVM_I1_RDPMC | SVM_I1_CPUID | SVM_I1_INVD | SVM_I1_HLT |
				SVM_I1_INVLPGA | SVM_I1_IOIO | SVM_I1_MSR | SVM_I1_SHUTDOWN;
	vmcb->intercept_misc2 = SVM_I2_VMRUN | SVM_I2_VMMCALL | SVM_I2_VMLOAD | SVM_I2_VMSAVE |
				SVM_I2_STGI | SVM_I2_CLGI | SVM_I2_SKINIT | SVM_I2_WBINVD |
				SVM_I2_MONITOR | SVM_I2_MWAIT | SVM_I2_XSETBV | SVM_I2_RDPRU;
	if (caps->pause_filter) {
		vmcb->intercept_misc1 |= SVM_I1_PAUSE;
		vmcb->pause_count = PAUSE_COUNT;
		vmcb->pause_threshold = PAUSE_THRESHOLD;
	}
	vmcb->iopm_pa = iopm;
	vmcb->msrpm_pa = msrpm;
	vmcb->int_ctl = SVM_V_INTR_MASKING;
	vmcb->np_enable = 1;
	vmcb->nested_cr3 = nested_root;
}

enum v3_status svm_vcpu_create(struct v3_vcpu *vcpu)
{
	struct v3_vm *vm = vcpu->vm;
	struct svm_vcpu *svm = v3_host_alloc_lines(vcpu->host, sizeof(*svm));
	enum v3_status status;

	if (!svm)
		return V3_ERR_NOMEM;
	status = v3_os_page_alloc(vcpu->host, 1, 1, V3_NODE_ANY, 0, &svm->vmcb_hpa);
	if (status != V3_OK) {
		v3_host_free_lines(vcpu->host, svm, sizeof(*svm));
		return status;
	}
	svm->vmcb = v3_os_virt(vcpu->host, svm->vmcb_hpa);
	svm_vmcb_init(svm->vmcb, svm_vm(vm)->iopm, svm_vm(vm)->msrpm, vm->nested.root,
		      &vcpu->host->caps);
	/* RDTSCP can be taken away; most instructions of hidden features cannot. */
	if (vcpu->host->has_tsc_aux &&
	    !v3_vm_has(vm, V3_CPU_EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP))
		svm->vmcb->intercept_misc2 |= SVM_I2_RDTSCP;
	/* Nobody waits for a CPU that is owned. */
	if (vm->yield_policy != V3_YIELD_SHARED)
		svm->vmcb->intercept_misc1 &= ~SVM_I1_PAUSE;
	svm->clean_mask = vcpu->host->caps.clean_bits ? SVM_CLEAN_ALL : 0;
	svm->flush = true;
	svm->tsc_ratio = vm->tsc_ratio >> (V3_TSC_FRACTION - SVM_TSC_FRACTION);
	vm->vcpu_bytes += v3_host_lines_size(sizeof(*svm)) + V3_PAGE_SIZE;
	vcpu->arch = svm;
	return V3_OK;
}

void svm_vcpu_destroy(struct v3_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	memset(svm->vmcb, 0, sizeof(*svm->vmcb));
	v3_os_page_free(vcpu->host, svm->vmcb_hpa, 1);
	v3_host_free_lines(vcpu->host, svm, sizeof(*svm));
	vcpu->arch = NULL;
}

static const struct v3_nested_format *svm_nested_format(const struct v3_host *host)
{
	return host->caps.nested_1g ? &v3_npt_format_1g : &v3_npt_format_2m;
}

static void svm_inject(struct v3_vcpu *vcpu, const struct v3_event *event)
{
	svm_vcpu(vcpu)->vmcb->event_inj = svm_event_encode(event);
}

/*
 * The interrupt window: a dummy virtual interrupt of the highest priority, whose delivery is
 * intercepted (APM2 15.21.4).
 */
void svm_intr_window(struct svm_vmcb *vmcb, bool open)
{
	vmcb->int_ctl &= ~SVM_V_IRQ_FIELDS;
	vmcb->intercept_misc1 &= ~SVM_I1_VINTR;
	if (open) {
		vmcb->int_ctl |= SVM_V_IRQ | SVM_V_IGN_TPR | 0xfull << SVM_V_INTR_PRIO_SHIFT;
		vmcb->intercept_misc1 |= SVM_I1_VINTR;
	}
	vmcb->clean &= ~(SVM_CLEAN_I | SVM_CLEAN_TPR);
}

static void svm_set_windows(struct v3_vcpu *vcpu, unsigned int windows)
{
	struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	svm_intr_window(vmcb, windows & V3_WINDOW_INTR);
	vmcb->intercept_misc1 &= ~SVM_I1_IRET;
	vmcb->intercept_cr &= ~SVM_I_CR_WRITE(8);
	if (windows & V3_WINDOW_NMI)
		vmcb->intercept_misc1 |= SVM_I1_IRET;
	if (windows & V3_WINDOW_TPR)
		vmcb->intercept_cr |= SVM_I_CR_WRITE(8);
}

static void svm_flush_tlb(struct v3_vcpu *vcpu)
{
	svm_vcpu(vcpu)->flush = true;
}

static void svm_set_tsc_offset(struct v3_vcpu *vcpu, uint64_t offset)
{
	svm_vcpu(vcpu)->vmcb->tsc_offset = offset;
	svm_vcpu(vcpu)->vmcb->clean &= ~SVM_CLEAN_I;
}

static size_t svm_describe(struct v3_vcpu *vcpu, char *buf, size_t size)
{
	const struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	return v3_snprintf(buf, size, "CR0 %llx CR3 %llx CR4 %llx EFER %llx CS %x/%x RFLAGS %llx",
			   (unsigned long long)vmcb->cr0, (unsigned long long)vmcb->cr3,
			   (unsigned long long)vmcb->cr4, (unsigned long long)vmcb->efer,
			   vmcb->cs.selector, vmcb->cs.attrib, (unsigned long long)vmcb->rflags);
}

const struct v3_arch_ops v3_svm_ops = {
	.name = "svm",
	.features = svm_features,
	.probe = svm_probe,
	.remove = svm_remove,
	.cpu_prepare = svm_cpu_prepare,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.nested_format = svm_nested_format,
	.vm_create = svm_vm_create,
	.vm_destroy = svm_vm_destroy,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.get_state = svm_get_state,
	.set_state = svm_set_state,
	.load = svm_load,
	.put = svm_put,
	.run = svm_run,
	.run_owned = svm_run_owned,
	.insn_env = svm_insn_env,
	.get_segment = svm_get_segment,
	.get_cr = svm_get_cr,
	.set_cr = svm_set_cr,
	.get_efer = svm_get_efer,
	.set_efer = svm_set_efer,
	.get_pat = svm_get_pat,
	.set_pat = svm_set_pat,
	.get_dr = svm_get_dr,
	.set_dr = svm_set_dr,
	.inject = svm_inject,
	.set_windows = svm_set_windows,
	.flush_tlb = svm_flush_tlb,
	.set_tsc_offset = svm_set_tsc_offset,
	.describe = svm_describe,
};
