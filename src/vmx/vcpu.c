/* SPDX-License-Identifier: BSD-2-Clause */
/* The back end's memory for VMs and vCPUs, and its table of operations. */
#include "vmx/vmx.h"

#include "lib/format.h"
#include "lib/mem.h"
#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"

/* Without instructions that the CPU model lacks, with what the VM asks for. */
static uint32_t proc2_of(const struct v3_vm *vm)
{
	uint32_t proc2 = vmx_host(vm->host)->caps.proc2;

	if (!v3_vm_has(vm, V3_CPU_EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP))
		proc2 &= ~V3_VMX_PROC2_RDTSCP;
	if (!v3_vm_has(vm, V3_CPU_7_EBX, V3_CPUID_7_EBX_INVPCID))
		proc2 &= ~V3_VMX_PROC2_INVPCID;
	if (!v3_vm_has(vm, V3_CPU_D1_EAX, V3_CPUID_D1_EAX_XSAVES))
		proc2 &= ~V3_VMX_PROC2_XSAVES;
	/* Nobody waits for a CPU that is owned. */
	if (vm->yield_policy != V3_YIELD_SHARED)
		proc2 &= ~V3_VMX_PROC2_PLE;
	if (vm->tsc_ratio)
		proc2 |= V3_VMX_PROC2_TSC_SCALING;
	return proc2;
}

static void vm_parts_free(struct v3_vm *vm, struct vmx_vm *vmx)
{
	vmx_identity_destroy(vm, vmx);
	vmx_apic_vm_destroy(vm, vmx);
	if (vmx->msr_bitmap != V3_HPA_NONE)
		v3_os_page_free(vm->host, vmx->msr_bitmap, 1);
	v3_vm_free(vm, vmx, sizeof(*vmx));
}

static enum v3_status vm_parts_create(struct v3_vm *vm, struct vmx_vm *vmx)
{
	enum v3_status status;

	status = v3_os_page_alloc(vm->host, 1, 1, V3_NODE_ANY, 0, &vmx->msr_bitmap);
	if (status != V3_OK) {
		vmx->msr_bitmap = V3_HPA_NONE;
		return status;
	}
	vmx_msr_bitmap_fill(v3_os_virt(vm->host, vmx->msr_bitmap));
	status = vmx_identity_create(vm, vmx);
	/* Last: it copies nested tables. */
	return status == V3_OK ? vmx_apic_vm_create(vm, vmx) : status;
}

enum v3_status vmx_vm_create(struct v3_vm *vm)
{
	const struct vmx_caps *caps = &vmx_host(vm->host)->caps;
	struct vmx_vm *vmx = v3_vm_alloc(vm, sizeof(*vmx));
	enum v3_status status;

	if (!vmx)
		return V3_ERR_NOMEM;
	vmx->identity = vmx->apic_pages = V3_HPA_NONE;
	if (caps->ept_vpid & V3_EPT_CAP_AD)
		vm->nested.tracked = V3_NPT_TRACKED;
	vmx->eptp = v3_ept_pointer(caps->ept_vpid, vm->nested.root, vm->nested.tracked);
	status = vm_parts_create(vm, vmx);
	if (status != V3_OK) {
		vm_parts_free(vm, vmx);
		return status;
	}
	vmx->proc2 = proc2_of(vm);
	vm->cpu.cr4_mask &= caps->cr4_fixed1;
	/*
	 * Bits that the guest's CPU does not have exit, for their #GP; VMXE and MCE are in the
	 * shadow only.
	 */
	vmx->cr4_mask = ~vm->cpu.cr4_mask | caps->cr4_fixed0;
	vm->heap_bytes += V3_PAGE_SIZE;
	vm->arch_data = vmx;
	return V3_OK;
}

void vmx_vm_destroy(struct v3_vm *vm)
{
	vm->heap_bytes -= V3_PAGE_SIZE;
	vm_parts_free(vm, vmx_vm(vm));
	vm->arch_data = NULL;
}

/* One page for the VMCS, and one for the virtual APIC if there is a TPR shadow. */
static unsigned int vcpu_pages(const struct v3_host *host)
{
	return vmx_host(host)->caps.tpr_shadow ? 2 : 1;
}

static const uint64_t no_timer = ~0ull;

enum v3_status vmx_vcpu_create(struct v3_vcpu *vcpu)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;
	struct vmx_vcpu *vmx = v3_host_alloc_lines(vcpu->host, sizeof(*vmx));
	unsigned int pages = vcpu_pages(vcpu->host);
	enum v3_status status;
	uint8_t *virt;

	if (!vmx)
		return V3_ERR_NOMEM;
	status = v3_os_page_alloc(vcpu->host, pages, 1, V3_NODE_ANY, 0, &vmx->vmcs);
	if (status != V3_OK) {
		v3_host_free_lines(vcpu->host, vmx, sizeof(*vmx));
		return status;
	}
	virt = v3_os_virt(vcpu->host, vmx->vmcs);
	memset(virt, 0, pages * V3_PAGE_SIZE);
	memcpy(virt, &caps->revision, sizeof(caps->revision));
	vmx->timer_shift = caps->timer_shift;
	vmx->timer_tsc = caps->timer ? &vcpu->host_timer_tsc : &no_timer;
	vmx->tpr_now = &vmx->tpr;
	if (caps->tpr_shadow) {
		vmx->virtual_apic = virt + V3_PAGE_SIZE;
		vmx->tpr_now = &vmx->virtual_apic[VMX_APIC_TPR];
		vmx->virtual_apic_hpa = vmx->vmcs + V3_PAGE_SIZE;
	}
	vmx->proc = caps->proc;
	vcpu->vm->vcpu_bytes += v3_host_lines_size(sizeof(*vmx)) + pages * V3_PAGE_SIZE;
	vcpu->arch = vmx;
	return V3_OK;
}

/* The VMCS is on no CPU: vmx_put() cleared it. */
void vmx_vcpu_destroy(struct v3_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	unsigned int pages = vcpu_pages(vcpu->host);

	memset(v3_os_virt(vcpu->host, vmx->vmcs), 0, pages * V3_PAGE_SIZE);
	v3_os_page_free(vcpu->host, vmx->vmcs, pages);
	v3_host_free_lines(vcpu->host, vmx, sizeof(*vmx));
	vcpu->arch = NULL;
}

static const struct v3_nested_format *vmx_nested_format(const struct v3_host *host)
{
	const struct vmx_host *vmx = vmx_host(host);

	return v3_ept_format(vmx->caps.ept_vpid, vmx->ignore_pat);
}

static void vmx_inject(struct v3_vcpu *vcpu, const struct v3_event *event)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx->event = *event;
	vmx->work |= VMX_WORK_LOOK;
	/* Its handler may use debug registers: a CPU sees to it if no exit comes between (28.1). */
	if (vmx->dr7 & V3_DR7_GD && event->type == V3_EVENT_EXCEPTION &&
	    event->vector == V3_EXCP_DB)
		vmx_set_dr(vcpu, 7, vmx->dr7 & ~V3_DR7_GD);
}

static void vmx_set_windows(struct v3_vcpu *vcpu, unsigned int windows)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx->windows = windows;
	vmx->proc &= ~(V3_VMX_PROC_INTR_WINDOW | V3_VMX_PROC_NMI_WINDOW);
	if (windows & V3_WINDOW_INTR)
		vmx->proc |= V3_VMX_PROC_INTR_WINDOW;
	/*
	 * Opens at the end of the handler's IRET, or, for SOON, when the exception is delivered
	 * (26.2).
	 */
	if (windows & (V3_WINDOW_NMI | V3_WINDOW_SOON))
		vmx->proc |= V3_VMX_PROC_NMI_WINDOW;
	if (!vmx->loaded)
		return;
	vmx_write(V3_VMCS_PROC_CTLS, vmx->proc);
	if (vmx->virtual_apic)
		vmx_write(V3_VMCS_TPR_THRESHOLD, windows & V3_WINDOW_TPR ? vmx->cr8 : 0);
}

static void vmx_flush_tlb(struct v3_vcpu *vcpu)
{
	vmx_vcpu(vcpu)->work |= VMX_WORK_EPT;
}

static void vmx_set_tsc_offset(struct v3_vcpu *vcpu, uint64_t offset)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx->tsc_offset = offset;
	if (vmx->loaded)
		vmx_write(V3_VMCS_TSC_OFFSET, offset);
}

static size_t vmx_describe(struct v3_vcpu *vcpu, char *buf, size_t size)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (vmx->broken)
		return v3_snprintf(buf, size, "no VMCS");
	return v3_snprintf(buf, size, "CR0 %llx CR3 %llx CR4 %llx EFER %llx CS %x/%x RFLAGS %llx",
			   (unsigned long long)vmx_get_cr(vcpu, 0),
			   (unsigned long long)vmx_get_cr(vcpu, 3),
			   (unsigned long long)vmx_get_cr(vcpu, 4),
			   (unsigned long long)vmx_get_efer(vcpu),
			   (unsigned int)vmx_guest_read(vmx, V3_VMCS_GUEST_SELECTOR(V3_SEG_CS)),
			   (unsigned int)vmx_guest_read(vmx, V3_VMCS_GUEST_ACCESS(V3_SEG_CS)),
			   (unsigned long long)vcpu->rflags);
}

const struct v3_arch_ops v3_vmx_ops = {
	.name = "vmx",
	.features = vmx_features,
	.probe = vmx_probe,
	.remove = vmx_remove,
	.cpu_prepare = vmx_cpu_prepare,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.nested_format = vmx_nested_format,
	.vm_create = vmx_vm_create,
	.vm_destroy = vmx_vm_destroy,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.get_state = vmx_get_state,
	.set_state = vmx_set_state,
	.load = vmx_load,
	.put = vmx_put,
	.run = vmx_run,
	.run_owned = vmx_run_owned,
	.insn_env = vmx_insn_env,
	.get_segment = vmx_get_segment,
	.get_cr = vmx_get_cr,
	.set_cr = vmx_set_cr,
	.get_efer = vmx_get_efer,
	.set_efer = vmx_set_efer,
	.get_pat = vmx_get_pat,
	.set_pat = vmx_set_pat,
	.get_dr = vmx_get_dr,
	.set_dr = vmx_set_dr,
	.inject = vmx_inject,
	.set_windows = vmx_set_windows,
	.flush_tlb = vmx_flush_tlb,
	.set_tsc_offset = vmx_set_tsc_offset,
	.intc_take_back = vmx_intc_take_back,
	.describe = vmx_describe,
};
