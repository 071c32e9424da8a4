/* SPDX-License-Identifier: BSD-2-Clause */
/* A new VMCS: controls, and what no other code writes. MSR bitmap. SDM vol. 3 25.6 to 25.8. */
#include "vmx/vmx.h"

#include "lib/mem.h"
#include "x86/apic.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"

/*
 * PAUSE exits when one loop of them, with at most the gap in cycles between two, lasts for the
 * window.
 */
#define PLE_GAP 128
#define PLE_WINDOW 4096

/* Reads of low MSRs, reads of high ones, writes of low, writes of high */
#define BITMAP_PART 1024u
#define NO_BIT (~0u)

/* Number of the read bit of an MSR, 25.6.9. Others always exit. */
static uint32_t bitmap_bit(uint32_t msr)
{
	if (msr <= 0x1fff)
		return msr;
	if (msr >= 0xc0000000 && msr <= 0xc0001fff)
		return 8 * BITMAP_PART + (msr - 0xc0000000);
	return NO_BIT;
}

static void bit_clear(uint8_t *map, uint32_t bit)
{
	map[bit / 8] &= (uint8_t)~(1u << (bit % 8));
}

static void msr_free(uint8_t *bitmap, uint32_t msr)
{
	bit_clear(bitmap, bitmap_bit(msr));
	bit_clear(bitmap, bitmap_bit(msr) + 2 * 8 * BITMAP_PART);
}

void vmx_msr_bitmap_fill(uint8_t *bitmap)
{
	/* The VMCS has these; the rest is switched when the vCPU comes and goes. */
	static const uint32_t in_vmcs[] = {
		V3_MSR_FS_BASE, V3_MSR_GS_BASE, V3_MSR_SYSENTER_CS, V3_MSR_SYSENTER_ESP,
		V3_MSR_SYSENTER_EIP,
	};
	unsigned int i;

	memset(bitmap, 0xff, V3_PAGE_SIZE);
	for (i = 0; i < sizeof(in_vmcs) / sizeof(in_vmcs[0]); i++)
		msr_free(bitmap, in_vmcs[i]);
	for (i = 0; i < VMX_SWITCHED_MSRS; i++)
		msr_free(bitmap, vmx_switched_msrs[i]);
	/* Reads have the TSC offset applied; a write would be the host's. */
	bit_clear(bitmap, bitmap_bit(V3_MSR_TSC));
}

/*
 * What the CPU answers by itself (30.5); of what it would read from the page whatever that holds,
 * only registers that exist, and that are up to date there: PPR is with the delivery of interrupts.
 */
void vmx_msr_bitmap_x2apic(uint8_t *bitmap, bool registers, bool intr_delivery)
{
	static const struct {
		uint8_t first, last;
	} readable[] = { { 0x02, 0x03 }, { 0x0d, 0x0d }, { 0x0f, 0x28 }, { 0x30, 0x30 },
			 { 0x32, 0x38 }, { 0x3e, 0x3e } };
	unsigned int i, reg;

	msr_free(bitmap, V3_MSR_X2APIC_TPR);
	for (i = 0; registers && i < sizeof(readable) / sizeof(readable[0]); i++)
		for (reg = readable[i].first; reg <= readable[i].last; reg++)
			bit_clear(bitmap, bitmap_bit(V3_MSR_X2APIC_FIRST + reg));
	if (registers && intr_delivery)
		bit_clear(bitmap, bitmap_bit(V3_MSR_X2APIC_FIRST + (V3_APIC_PPR >> 4)));
	if (intr_delivery) {
		bit_clear(bitmap, bitmap_bit(V3_MSR_X2APIC_EOI) + 2 * 8 * BITMAP_PART);
		bit_clear(bitmap, bitmap_bit(V3_MSR_X2APIC_SELF_IPI) + 2 * 8 * BITMAP_PART);
	}
}

bool vmx_msr_bitmap_exits(const uint8_t *bitmap, uint32_t msr, bool write)
{
	uint32_t bit = bitmap_bit(msr);

	if (bit == NO_BIT)
		return true;
	if (write)
		bit += 2 * 8 * BITMAP_PART;
	return bitmap[bit / 8] >> (bit % 8) & 1;
}

static void controls_init(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;
	const struct vmx_vm *vm = vmx_vm(vcpu->vm);

	vmx_write(V3_VMCS_PIN_CTLS, caps->pin);
	vmx_write(V3_VMCS_PROC_CTLS2, vm->proc2);
	vmx_write(V3_VMCS_EXIT_CTLS, caps->exit);
	/* #AC and #DB can loop inside the CPU for ever; #MC is the host's. */
	vmx_write(V3_VMCS_EXCEPTION_BITMAP, 1u << V3_EXCP_DB | 1u << V3_EXCP_AC | 1u << V3_EXCP_MC);
	vmx_write(V3_VMCS_PF_ERROR_MASK, 0);
	vmx_write(V3_VMCS_PF_ERROR_MATCH, 0);
	vmx_write(V3_VMCS_CR3_TARGET_COUNT, 0);
	vmx_write(V3_VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmx_write(V3_VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmx_write(V3_VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmx_write(V3_VMCS_ENTRY_EVENT, 0);
	vmx_write(V3_VMCS_ENTRY_ERROR, 0);
	vmx_write(V3_VMCS_ENTRY_INSN_LEN, 0);
	vmx_write(V3_VMCS_MSR_BITMAP, vm->msr_bitmap);
	vmx_write(V3_VMCS_EPTP, vm->eptp);
	vmx_write(V3_VMCS_CR0_MASK, VMX_CR0_OWNED);
	vmx_write(V3_VMCS_CR4_MASK, vm->cr4_mask);
	if (caps->ple) {
		vmx_write(V3_VMCS_PLE_GAP, PLE_GAP);
		vmx_write(V3_VMCS_PLE_WINDOW, PLE_WINDOW);
	}
	if (vcpu->vm->tsc_ratio)
		vmx_write(V3_VMCS_TSC_MULTIPLIER, vcpu->vm->tsc_ratio);
	/* IA32_XSS is 0 while a guest runs, so none of them exits; a state of the host's would. */
	if (vm->proc2 & V3_VMX_PROC2_XSAVES)
		vmx_write(V3_VMCS_XSS_EXIT_BITMAP, ~0ull);
	if (caps->timer)
		vmx_write(V3_VMCS_PREEMPTION_TIMER, VMX_TIMER_MAX);
	if (vmx->virtual_apic)
		vmx_write(V3_VMCS_VIRTUAL_APIC, vmx->virtual_apic_hpa);
}

void vmx_vmcs_init(struct v3_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	controls_init(vcpu, vmx);
	vmx_apic_init(vcpu);
	vmx_write(V3_VMCS_HOST_RIP, (uintptr_t)vmx_exit_point);
	vmx_write(V3_VMCS_LINK_POINTER, ~0ull);
	vmx_write(V3_VMCS_GUEST_DEBUGCTL, 0);
	vmx_write(V3_VMCS_GUEST_ACTIVITY, V3_VMX_ACTIVE);
	/* Fields that an entry writes when they change, to begin with. */
	vmx->rsp = vmx->host.rsp = 0;
	vmx->rflags = V3_RFLAGS_FIXED1;
	vmx->blocking = 0;
	vmx_write(V3_VMCS_GUEST_RSP, vmx->rsp);
	vmx_write(V3_VMCS_GUEST_RFLAGS, vmx->rflags);
	vmx_write(V3_VMCS_GUEST_INTERRUPTIBILITY, vmx->blocking);
}
