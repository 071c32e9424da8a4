/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUs cache of guests: linear and combined mappings by VPID (and EPT pointer), guest-physical
 * ones by EPT pointer (SDM vol. 3 29.4). Each host CPU hands out VPIDs upwards from 1; when they
 * run out it flushes everything and begins a new generation, and every vCPU takes a new one.
 * Without VPIDs each entry and exit flushes by itself all but the guest-physical mappings.
 */
#include "vmx/vmx.h"

#define NUM_VPIDS 0x10000u

/* All VPIDs, all EPT pointers. */
static void flush_all(const struct vmx_caps *caps)
{
	if (caps->vpid)
		(void)v3_x86_invvpid(V3_INVVPID_ALL, 0, 0);
	if (caps->ept_vpid & V3_VMX_EPT_CAP_INVEPT_ALL)
		(void)v3_x86_invept(V3_INVEPT_ALL, 0);
}

static void vpid_new(struct vmx_cpu *cpu, struct vmx_vcpu *vmx, const struct vmx_caps *caps)
{
	if (cpu->next_vpid >= NUM_VPIDS) {
		cpu->generation++;
		cpu->next_vpid = 1;
		flush_all(caps);
	}
	vmx->vpid = caps->vpid ? (uint16_t)cpu->next_vpid++ : 0;
}

void vmx_tlb_load(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;
	struct vmx_cpu *cpu = vmx->cpu;

	if (vmx->tlb_cpu == cpu && vmx->vpid_generation == cpu->generation)
		return;
	vpid_new(cpu, vmx, caps);
	vmx->tlb_cpu = cpu;
	vmx->vpid_generation = cpu->generation;
	if (caps->vpid)
		vmx_write(V3_VMCS_VPID, vmx->vpid);
	/*
	 * A new VPID has no entries, but the EPT pointer may be that of a VM that is gone, or the
	 * nested tables have changed since this CPU saw them.
	 */
	vmx->work |= VMX_WORK_EPT;
}

void vmx_tlb_flush(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;

	if (vmx->work & VMX_WORK_EPT) {
		if (caps->ept_vpid & V3_VMX_EPT_CAP_INVEPT_ONE)
			(void)v3_x86_invept(V3_INVEPT_ONE, vmx_eptp(vcpu->vm, vmx));
		else
			(void)v3_x86_invept(V3_INVEPT_ALL, 0);
	}
	if (vmx->work & VMX_WORK_VPID && caps->vpid) {
		if (caps->ept_vpid & V3_VMX_VPID_CAP_ONE)
			(void)v3_x86_invvpid(V3_INVVPID_ONE, vmx->vpid, 0);
		else
			(void)v3_x86_invvpid(V3_INVVPID_ALL, 0, 0);
	}
}
