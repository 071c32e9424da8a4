/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's state around a guest's run. VM exits load what the VMCS has (SDM vol. 3 28.5); other
 * MSRs are switched here, and what exits leave different is put right: limits of GDTR and IDTR,
 * LDTR, DR7, IA32_DEBUGCTL (28.5.1 to 28.5.4). The limit of TR is 0x67 after an exit, and stays so:
 * a host with an I/O permission map in its TSS has to load TR. FS and GS keep their bases, but a
 * selector that a VMCS cannot hold is lost: vCPUs run on a kernel's threads, which have none.
 */
#include "vmx/vmx.h"

#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"
#include "x86/seg.h"

const uint32_t vmx_switched_msrs[VMX_SWITCHED_MSRS] = {
	V3_MSR_STAR, V3_MSR_LSTAR, V3_MSR_CSTAR, V3_MSR_SFMASK, V3_MSR_KERNEL_GS_BASE,
};

/* Bits that host selectors must not have, 27.2.3 */
#define SEL_NOT_IN_VMCS (V3_SEL_RPL_MASK | V3_SEL_TI)

static uint64_t tss_base(const struct v3_x86_segs *segs)
{
	const uint64_t *gdt = (const uint64_t *)(uintptr_t)segs->gdtr.base;
	uint64_t low = gdt[V3_SEL_INDEX(segs->tr)], high = gdt[V3_SEL_INDEX(segs->tr) + 1];

	return (low >> 16 & 0xffffff) | (low >> 56) << 24 | high << 32;
}

static void write_selector(uint32_t field, uint16_t selector)
{
	vmx_write(field, selector & SEL_NOT_IN_VMCS ? 0 : selector);
}

static void segments_save(struct v3_x86_segs *segs)
{
	v3_x86_segs_get(segs);
	write_selector(V3_VMCS_HOST_ES, segs->es);
	write_selector(V3_VMCS_HOST_CS, segs->cs);
	write_selector(V3_VMCS_HOST_SS, segs->ss);
	write_selector(V3_VMCS_HOST_DS, segs->ds);
	write_selector(V3_VMCS_HOST_FS, segs->fs);
	write_selector(V3_VMCS_HOST_GS, segs->gs);
	write_selector(V3_VMCS_HOST_TR, segs->tr);
	vmx_write(V3_VMCS_HOST_FS_BASE, v3_x86_rdmsr(V3_MSR_FS_BASE));
	vmx_write(V3_VMCS_HOST_GS_BASE, v3_x86_rdmsr(V3_MSR_GS_BASE));
	vmx_write(V3_VMCS_HOST_TR_BASE, tss_base(segs));
	vmx_write(V3_VMCS_HOST_GDTR_BASE, segs->gdtr.base);
	vmx_write(V3_VMCS_HOST_IDTR_BASE, segs->idtr.base);
}

void vmx_host_save(struct vmx_vcpu *vmx)
{
	struct vmx_host_state *host = &vmx->host;
	unsigned int i;

	segments_save(&host->segs);
	vmx_write(V3_VMCS_HOST_CR0, v3_x86_read_cr0());
	/* These two can change under us, and are looked at before each entry. */
	host->cr3 = v3_x86_read_cr3();
	host->cr4 = v3_x86_read_cr4();
	vmx_write(V3_VMCS_HOST_CR3, host->cr3);
	vmx_write(V3_VMCS_HOST_CR4, host->cr4);
	vmx_write(V3_VMCS_HOST_SYSENTER_CS, v3_x86_rdmsr(V3_MSR_SYSENTER_CS));
	vmx_write(V3_VMCS_HOST_SYSENTER_ESP, v3_x86_rdmsr(V3_MSR_SYSENTER_ESP));
	vmx_write(V3_VMCS_HOST_SYSENTER_EIP, v3_x86_rdmsr(V3_MSR_SYSENTER_EIP));
	vmx_write(V3_VMCS_HOST_EFER, v3_x86_rdmsr(V3_MSR_EFER));
	vmx_write(V3_VMCS_HOST_PAT, v3_x86_rdmsr(V3_MSR_PAT));
	host->dr7 = v3_x86_read_dr7();
	host->debugctl = v3_x86_rdmsr(V3_MSR_DEBUGCTL);
	for (i = 0; i < VMX_SWITCHED_MSRS; i++) {
		host->msrs[i] = v3_x86_rdmsr(vmx_switched_msrs[i]);
		if (host->msrs[i] != vmx->msrs[i])
			v3_x86_wrmsr(vmx_switched_msrs[i], vmx->msrs[i]);
	}
}

void vmx_host_restore(struct vmx_vcpu *vmx)
{
	const struct vmx_host_state *host = &vmx->host;
	unsigned int i;

	for (i = 0; i < VMX_SWITCHED_MSRS; i++) {
		vmx->msrs[i] = v3_x86_rdmsr(vmx_switched_msrs[i]);
		if (host->msrs[i] != vmx->msrs[i])
			v3_x86_wrmsr(vmx_switched_msrs[i], host->msrs[i]);
	}
	v3_x86_lgdt(&host->segs.gdtr);
	v3_x86_lidt(&host->segs.idtr);
	if (host->segs.ldtr)
		v3_x86_lldt(host->segs.ldtr);
	if (host->segs.ds & SEL_NOT_IN_VMCS)
		v3_x86_write_ds(host->segs.ds);
	if (host->segs.es & SEL_NOT_IN_VMCS)
		v3_x86_write_es(host->segs.es);
	if (host->dr7 & V3_DR7_ENABLE_MASK)
		v3_x86_write_dr7(host->dr7);
	if (host->debugctl)
		v3_x86_wrmsr(V3_MSR_DEBUGCTL, host->debugctl);
}
