/* SPDX-License-Identifier: BSD-2-Clause */
/* What VM entry checks of controls and host state, SDM vol. 3 27.2. */
#include "fakes/fake_fail.h"
#include "fakes/fake_vmx_state.h"
#include "paging/ept.h"
#include "x86/apic.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

static uint64_t get(const struct fake_vmcs *vmcs, uint32_t field)
{
	return fake_vmcs_read(vmcs, field);
}

/* Bits that must be 1 in the low half of the MSR, those that may be 1 in the high half. */
static bool allowed(uint64_t value, uint32_t msr)
{
	uint64_t cap = fake_vmx_msr(msr);

	return !(~value & (uint32_t)cap) && !(value & ~(cap >> 32));
}

static uint32_t true_msr(uint32_t msr, uint32_t twin)
{
	return fake_vmx_msr(V3_MSR_VMX_BASIC) & V3_VMX_BASIC_TRUE ? twin : msr;
}

struct controls {
	const struct fake_vmcs *vmcs;
	uint64_t pin, proc, proc2, exit, entry;
};

static struct controls controls_of(const struct fake_vmcs *vmcs)
{
	struct controls c = {
		.vmcs = vmcs,
		.pin = get(vmcs, V3_VMCS_PIN_CTLS), .proc = get(vmcs, V3_VMCS_PROC_CTLS),
		.exit = get(vmcs, V3_VMCS_EXIT_CTLS), .entry = get(vmcs, V3_VMCS_ENTRY_CTLS),
	};

	if (c.proc & V3_VMX_PROC_SECONDARY)
		c.proc2 = get(vmcs, V3_VMCS_PROC_CTLS2);
	return c;
}

static const char *check_allowed(const struct controls *c)
{
	if (!allowed(c->pin, true_msr(V3_MSR_VMX_PINBASED_CTLS, V3_MSR_VMX_TRUE_PINBASED_CTLS)))
		return "pin-based controls";
	if (!allowed(c->proc, true_msr(V3_MSR_VMX_PROCBASED_CTLS, V3_MSR_VMX_TRUE_PROCBASED_CTLS)))
		return "primary processor-based controls";
	if (c->proc & V3_VMX_PROC_SECONDARY && !allowed(c->proc2, V3_MSR_VMX_PROCBASED_CTLS2))
		return "secondary processor-based controls";
	if (!allowed(c->exit, true_msr(V3_MSR_VMX_EXIT_CTLS, V3_MSR_VMX_TRUE_EXIT_CTLS)))
		return "VM-exit controls";
	if (!allowed(c->entry, true_msr(V3_MSR_VMX_ENTRY_CTLS, V3_MSR_VMX_TRUE_ENTRY_CTLS)))
		return "VM-entry controls";
	return NULL;
}

static bool page_ok(const struct controls *c, uint32_t field)
{
	return fake_vmx_address_ok(get(c->vmcs, field), V3_PAGE_SIZE);
}

static const char *check_addresses(const struct controls *c)
{
	if (c->proc & V3_VMX_PROC_IO_BITMAPS &&
	    (!page_ok(c, V3_VMCS_IO_BITMAP_A) || !page_ok(c, V3_VMCS_IO_BITMAP_B)))
		return "address of an I/O bitmap";
	if (c->proc & V3_VMX_PROC_MSR_BITMAPS && !page_ok(c, V3_VMCS_MSR_BITMAP))
		return "address of the MSR bitmap";
	if (c->proc & V3_VMX_PROC_TPR_SHADOW && !page_ok(c, V3_VMCS_VIRTUAL_APIC))
		return "address of the virtual APIC page";
	if (c->proc2 & V3_VMX_PROC2_APIC_ACCESS && !page_ok(c, V3_VMCS_APIC_ACCESS))
		return "address of the APIC-access page";
	if (c->proc2 & V3_VMX_PROC2_EPT && !fake_vmx_eptp_ok(get(c->vmcs, V3_VMCS_EPTP)))
		return "EPT pointer";
	return NULL;
}

static bool area_ok(const struct controls *c, uint32_t count, uint32_t address)
{
	uint64_t n = get(c->vmcs, count), start;

	if (!n)
		return true;
	start = get(c->vmcs, address);
	/* Recommended maximum: 512 times one more than MISC bits 27:25. */
	return fake_vmx_address_ok(start, 16) && fake_vmx_address_ok(start + n * 16 - 1, 1) &&
	       n <= 512 * ((fake_vmx_msr(V3_MSR_VMX_MISC) >> 25 & 7) + 1);
}

static const char *check_areas(const struct controls *c)
{
	if (!area_ok(c, V3_VMCS_EXIT_MSR_STORE_COUNT, V3_VMCS_EXIT_MSR_STORE) ||
	    !area_ok(c, V3_VMCS_EXIT_MSR_LOAD_COUNT, V3_VMCS_EXIT_MSR_LOAD) ||
	    !area_ok(c, V3_VMCS_ENTRY_MSR_LOAD_COUNT, V3_VMCS_ENTRY_MSR_LOAD))
		return "an area of MSRs";
	if (get(c->vmcs, V3_VMCS_CR3_TARGET_COUNT) > (fake_vmx_msr(V3_MSR_VMX_MISC) >> 16 & 0x1ff))
		return "CR3-target count";
	return NULL;
}

/* 27.2.1.1: not above the priority in the virtual-APIC page, where nothing else looks at it. */
static bool threshold_ok(const struct controls *c)
{
	const uint32_t others = V3_VMX_PROC2_INTR_DELIVERY | V3_VMX_PROC2_APIC_ACCESS;
	uint64_t threshold = get(c->vmcs, V3_VMCS_TPR_THRESHOLD);
	const uint8_t *page;

	if (threshold > 15)
		return c->proc2 & V3_VMX_PROC2_INTR_DELIVERY;
	if (c->proc2 & others)
		return true;
	page = fake_vmx.to_virt(fake_vmx.to_virt_ctx, get(c->vmcs, V3_VMCS_VIRTUAL_APIC));
	return threshold <= page[V3_APIC_TPR] >> 4;
}

static const char *check_combinations(const struct controls *c)
{
	const uint64_t apic = V3_VMX_PROC2_X2APIC | V3_VMX_PROC2_APIC_REGISTERS |
			      V3_VMX_PROC2_INTR_DELIVERY;

	if (c->pin & V3_VMX_PIN_VIRTUAL_NMI && !(c->pin & V3_VMX_PIN_NMI))
		return "virtual NMIs without NMI exiting";
	if (c->proc & V3_VMX_PROC_NMI_WINDOW && !(c->pin & V3_VMX_PIN_VIRTUAL_NMI))
		return "NMI-window exiting without virtual NMIs";
	if (!(c->proc & V3_VMX_PROC_TPR_SHADOW) && c->proc2 & apic)
		return "APIC virtualization without TPR shadow";
	if (c->proc2 & V3_VMX_PROC2_X2APIC && c->proc2 & V3_VMX_PROC2_APIC_ACCESS)
		return "virtualized x2APIC mode with APIC accesses";
	if (c->proc2 & V3_VMX_PROC2_INTR_DELIVERY && !(c->pin & V3_VMX_PIN_INTR))
		return "virtual-interrupt delivery without external-interrupt exiting";
	if (c->proc & V3_VMX_PROC_TPR_SHADOW && !threshold_ok(c))
		return "TPR threshold";
	if (c->proc2 & V3_VMX_PROC2_VPID && !get(c->vmcs, V3_VMCS_VPID))
		return "VPID 0";
	if (c->proc2 & V3_VMX_PROC2_UNRESTRICTED && !(c->proc2 & V3_VMX_PROC2_EPT))
		return "unrestricted guest without EPT";
	if (c->proc2 & V3_VMX_PROC2_TSC_SCALING && !get(c->vmcs, V3_VMCS_TSC_MULTIPLIER))
		return "TSC multiplier 0";
	if (c->exit & V3_VMX_EXIT_CTL_SAVE_TIMER && !(c->pin & V3_VMX_PIN_TIMER))
		return "saving the preemption timer without it";
	if (c->entry & V3_VMX_ENTRY_CTL_SMM)
		return "entry to SMM";
	return NULL;
}

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

/* The event to inject, 27.2.1.3. */
static const char *check_event(const struct controls *c)
{
	uint64_t event = get(c->vmcs, V3_VMCS_ENTRY_EVENT);
	unsigned int vector = event & V3_VMX_EVENT_VECTOR_MASK;
	unsigned int type = (unsigned int)event >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK;
	bool protected_mode = !(c->proc2 & V3_VMX_PROC2_UNRESTRICTED) ||
			      get(c->vmcs, V3_VMCS_GUEST_CR0) & V3_CR0_PE;

	if (!(event & V3_VMX_EVENT_VALID))
		return NULL;
	if (event & 0x7ffff000)
		return "reserved bits of the event";
	if (type == 1 || (type == V3_VMX_EVENT_NMI && vector != 2) ||
	    (type == V3_VMX_EVENT_EXCEPTION && vector > 31) || type == 7)
		return "type and vector of the event";
	if (!!(event & V3_VMX_EVENT_HAS_ERROR) !=
	    (type == V3_VMX_EVENT_EXCEPTION && protected_mode && has_error_code(vector)))
		return "error code where there must be none, or none where there must be one";
	if (event & V3_VMX_EVENT_HAS_ERROR && get(c->vmcs, V3_VMCS_ENTRY_ERROR) >> 16)
		return "error code of the event";
	if (type >= V3_VMX_EVENT_SOFT_INTR &&
	    (!get(c->vmcs, V3_VMCS_ENTRY_INSN_LEN) || get(c->vmcs, V3_VMCS_ENTRY_INSN_LEN) > 15))
		return "instruction length of the event";
	return NULL;
}

const char *fake_vmx_controls_check(const struct fake_vmcs *vmcs)
{
	const struct controls c = controls_of(vmcs);
	const char *wrong = check_allowed(&c);

	if (!wrong)
		wrong = check_addresses(&c);
	if (!wrong)
		wrong = check_areas(&c);
	if (!wrong)
		wrong = check_combinations(&c);
	return wrong ? wrong : check_event(&c);
}

/* --- Host state, 27.2.2 to 27.2.4 --- */

bool fake_vmx_pat_ok(uint64_t pat)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* What the CPU itself does not check: that it gets its own state back. */
static void check_own(const struct fake_vmcs *vmcs, uint64_t exit_ctls)
{
	const struct {
		uint32_t field;
		uint64_t value;
		const char *name;
	} own[] = {
		{ V3_VMCS_HOST_CR0, v3_x86_read_cr0(), "CR0" },
		{ V3_VMCS_HOST_CR3, v3_x86_read_cr3(), "CR3" },
		{ V3_VMCS_HOST_CR4, v3_x86_read_cr4(), "CR4" },
		{ V3_VMCS_HOST_FS_BASE, fake_vmx_msr(V3_MSR_FS_BASE), "FS base" },
		{ V3_VMCS_HOST_GS_BASE, fake_vmx_msr(V3_MSR_GS_BASE), "GS base" },
		{ V3_VMCS_HOST_SYSENTER_CS, fake_vmx_msr(V3_MSR_SYSENTER_CS), "SYSENTER_CS" },
		{ V3_VMCS_HOST_SYSENTER_ESP, fake_vmx_msr(V3_MSR_SYSENTER_ESP), "SYSENTER_ESP" },
		{ V3_VMCS_HOST_SYSENTER_EIP, fake_vmx_msr(V3_MSR_SYSENTER_EIP), "SYSENTER_EIP" },
	};

	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (get(vmcs, own[i].field) != own[i].value)
			v3_fake_fail("the VMCS has %#llx for the host's %s, CPU %u has %#llx",
				     (unsigned long long)get(vmcs, own[i].field), own[i].name,
				     v3_fake_cpu(), (unsigned long long)own[i].value);
	if (exit_ctls & V3_VMX_EXIT_CTL_LOAD_EFER &&
	    get(vmcs, V3_VMCS_HOST_EFER) != fake_vmx_msr(V3_MSR_EFER))
		v3_fake_fail("the VMCS has another EFER for the host than CPU %u", v3_fake_cpu());
	if (exit_ctls & V3_VMX_EXIT_CTL_LOAD_PAT &&
	    get(vmcs, V3_VMCS_HOST_PAT) != fake_vmx_msr(V3_MSR_PAT))
		v3_fake_fail("the VMCS has another PAT for the host than CPU %u", v3_fake_cpu());
	fake_segs_check_own(vmcs);
}

static const char *check_host_segments(const struct fake_vmcs *vmcs)
{
	static const uint32_t selectors[] = {
		V3_VMCS_HOST_ES, V3_VMCS_HOST_CS, V3_VMCS_HOST_SS, V3_VMCS_HOST_DS, V3_VMCS_HOST_FS,
		V3_VMCS_HOST_GS, V3_VMCS_HOST_TR,
	};
	static const uint32_t bases[] = {
		V3_VMCS_HOST_FS_BASE, V3_VMCS_HOST_GS_BASE, V3_VMCS_HOST_TR_BASE,
		V3_VMCS_HOST_GDTR_BASE, V3_VMCS_HOST_IDTR_BASE, V3_VMCS_HOST_SYSENTER_ESP,
		V3_VMCS_HOST_SYSENTER_EIP,
	};
	unsigned int i;

	for (i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		if (get(vmcs, selectors[i]) & 7)
			return "RPL or TI of a host selector";
	if (!get(vmcs, V3_VMCS_HOST_CS) || !get(vmcs, V3_VMCS_HOST_TR))
		return "host CS or TR is null";
	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (!v3_is_canonical(get(vmcs, bases[i]), 48))
			return "a host base that is not canonical";
	return NULL;
}

const char *fake_vmx_host_check(const struct fake_vmcs *vmcs)
{
	uint64_t cr0 = get(vmcs, V3_VMCS_HOST_CR0), cr4 = get(vmcs, V3_VMCS_HOST_CR4);
	uint64_t exit_ctls = get(vmcs, V3_VMCS_EXIT_CTLS), efer;

	if (~cr0 & fake_vmx_msr(V3_MSR_VMX_CR0_FIXED0) ||
	    cr0 & ~fake_vmx_msr(V3_MSR_VMX_CR0_FIXED1))
		return "host CR0";
	if (~cr4 & fake_vmx_msr(V3_MSR_VMX_CR4_FIXED0) ||
	    cr4 & ~fake_vmx_msr(V3_MSR_VMX_CR4_FIXED1) || !(cr4 & V3_CR4_PAE))
		return "host CR4";
	if (!fake_vmx_address_ok(get(vmcs, V3_VMCS_HOST_CR3) & ~0xfffULL, V3_PAGE_SIZE))
		return "host CR3";
	if (!(exit_ctls & V3_VMX_EXIT_CTL_HOST_64))
		return "a 32-bit host";
	if (exit_ctls & V3_VMX_EXIT_CTL_LOAD_PAT && !fake_vmx_pat_ok(get(vmcs, V3_VMCS_HOST_PAT)))
		return "host PAT";
	if (exit_ctls & V3_VMX_EXIT_CTL_LOAD_EFER) {
		efer = get(vmcs, V3_VMCS_HOST_EFER);
		if (!(efer & V3_EFER_LMA) || !(efer & V3_EFER_LME))
			return "host EFER";
	}
	if (check_host_segments(vmcs))
		return "host segments";
	check_own(vmcs, exit_ctls);
	return NULL;
}
