/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which fields a VMCS has. SDM vol. 3 appendix B, where footnotes tell which control makes a field
 * exist.
 */
#include "fakes/fake_vmx_state.h"
#include "x86/msr.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* The control whose allowed-1 setting makes a field exist. */
enum control { ALWAYS, PIN, PROC, PROC2, EXIT, ENTRY, EXIT_OR_ENTRY_PAT, EXIT_OR_ENTRY_EFER };

/* Who has to write it before an entry. */
enum need {
	MUST,		/* software, always */
	IF_ON,		/* software, if the control is on */
	MAY,		/* nobody: it matters only in cases that the checks of VM entry know */
	HARDWARE,	/* the CPU, at exits */
};

struct field {
	uint32_t encoding;
	enum need need;
	enum control control;
	uint32_t bit;
};

#define SEGMENT(n) \
	{ V3_VMCS_GUEST_SELECTOR(n), MUST, ALWAYS, 0 }, \
	{ V3_VMCS_GUEST_LIMIT(n), MUST, ALWAYS, 0 }, \
	{ V3_VMCS_GUEST_ACCESS(n), MUST, ALWAYS, 0 }, \
	{ V3_VMCS_GUEST_BASE(n), MUST, ALWAYS, 0 }

static const struct field fields[] = {
	{ V3_VMCS_VPID, IF_ON, PROC2, V3_VMX_PROC2_VPID },
	SEGMENT(0), SEGMENT(1), SEGMENT(2), SEGMENT(3),
	SEGMENT(4), SEGMENT(5), SEGMENT(6), SEGMENT(7),
	{ V3_VMCS_GUEST_INTR_STATUS, IF_ON, PROC2, V3_VMX_PROC2_INTR_DELIVERY },
	{ V3_VMCS_HOST_ES, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_CS, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_SS, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_DS, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_FS, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_GS, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_TR, MUST, ALWAYS, 0 },

	{ V3_VMCS_IO_BITMAP_A, IF_ON, PROC, V3_VMX_PROC_IO_BITMAPS },
	{ V3_VMCS_IO_BITMAP_B, IF_ON, PROC, V3_VMX_PROC_IO_BITMAPS },
	{ V3_VMCS_MSR_BITMAP, IF_ON, PROC, V3_VMX_PROC_MSR_BITMAPS },
	{ V3_VMCS_EXIT_MSR_STORE, MAY, ALWAYS, 0 },
	{ V3_VMCS_EXIT_MSR_LOAD, MAY, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_MSR_LOAD, MAY, ALWAYS, 0 },
	{ V3_VMCS_TSC_OFFSET, IF_ON, PROC, V3_VMX_PROC_TSC_OFFSET },
	{ V3_VMCS_VIRTUAL_APIC, IF_ON, PROC, V3_VMX_PROC_TPR_SHADOW },
	{ V3_VMCS_APIC_ACCESS, IF_ON, PROC2, V3_VMX_PROC2_APIC_ACCESS },
	{ V3_VMCS_EPTP, IF_ON, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_EOI_EXIT(0), IF_ON, PROC2, V3_VMX_PROC2_INTR_DELIVERY },
	{ V3_VMCS_EOI_EXIT(1), IF_ON, PROC2, V3_VMX_PROC2_INTR_DELIVERY },
	{ V3_VMCS_EOI_EXIT(2), IF_ON, PROC2, V3_VMX_PROC2_INTR_DELIVERY },
	{ V3_VMCS_EOI_EXIT(3), IF_ON, PROC2, V3_VMX_PROC2_INTR_DELIVERY },
	{ V3_VMCS_XSS_EXIT_BITMAP, IF_ON, PROC2, V3_VMX_PROC2_XSAVES },
	{ V3_VMCS_TSC_MULTIPLIER, IF_ON, PROC2, V3_VMX_PROC2_TSC_SCALING },
	{ V3_VMCS_GUEST_PHYSICAL, HARDWARE, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_LINK_POINTER, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_DEBUGCTL, IF_ON, ENTRY, V3_VMX_ENTRY_CTL_LOAD_DEBUG },
	{ V3_VMCS_GUEST_PAT, IF_ON, EXIT_OR_ENTRY_PAT, V3_VMX_ENTRY_CTL_LOAD_PAT },
	{ V3_VMCS_GUEST_EFER, IF_ON, EXIT_OR_ENTRY_EFER, V3_VMX_ENTRY_CTL_LOAD_EFER },
	{ V3_VMCS_GUEST_PERF_GLOBAL, IF_ON, ENTRY, V3_VMX_ENTRY_CTL_PERF_GLOBAL },
	{ V3_VMCS_GUEST_PDPTE(0), MAY, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_GUEST_PDPTE(1), MAY, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_GUEST_PDPTE(2), MAY, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_GUEST_PDPTE(3), MAY, PROC2, V3_VMX_PROC2_EPT },
	{ V3_VMCS_HOST_PAT, IF_ON, EXIT, V3_VMX_EXIT_CTL_LOAD_PAT },
	{ V3_VMCS_HOST_EFER, IF_ON, EXIT, V3_VMX_EXIT_CTL_LOAD_EFER },
	{ V3_VMCS_HOST_PERF_GLOBAL, IF_ON, EXIT, V3_VMX_EXIT_CTL_PERF_GLOBAL },

	{ V3_VMCS_PIN_CTLS, MUST, ALWAYS, 0 },
	{ V3_VMCS_PROC_CTLS, MUST, ALWAYS, 0 },
	{ V3_VMCS_EXCEPTION_BITMAP, MUST, ALWAYS, 0 },
	{ V3_VMCS_PF_ERROR_MASK, MUST, ALWAYS, 0 },
	{ V3_VMCS_PF_ERROR_MATCH, MUST, ALWAYS, 0 },
	{ V3_VMCS_CR3_TARGET_COUNT, MUST, ALWAYS, 0 },
	{ V3_VMCS_EXIT_CTLS, MUST, ALWAYS, 0 },
	{ V3_VMCS_EXIT_MSR_STORE_COUNT, MUST, ALWAYS, 0 },
	{ V3_VMCS_EXIT_MSR_LOAD_COUNT, MUST, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_CTLS, MUST, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_MSR_LOAD_COUNT, MUST, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_EVENT, MUST, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_ERROR, MAY, ALWAYS, 0 },
	{ V3_VMCS_ENTRY_INSN_LEN, MAY, ALWAYS, 0 },
	{ V3_VMCS_TPR_THRESHOLD, IF_ON, PROC, V3_VMX_PROC_TPR_SHADOW },
	{ V3_VMCS_PROC_CTLS2, IF_ON, PROC, V3_VMX_PROC_SECONDARY },
	{ V3_VMCS_PLE_GAP, IF_ON, PROC2, V3_VMX_PROC2_PLE },
	{ V3_VMCS_PLE_WINDOW, IF_ON, PROC2, V3_VMX_PROC2_PLE },
	{ V3_VMCS_INSN_ERROR, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_EXIT_REASON, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_EXIT_EVENT, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_EXIT_ERROR, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_IDT_EVENT, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_IDT_ERROR, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_EXIT_INSN_LEN, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_EXIT_INSN_INFO, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_GUEST_GDTR_LIMIT, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_IDTR_LIMIT, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_INTERRUPTIBILITY, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_ACTIVITY, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_SMBASE, MAY, ALWAYS, 0 },
	{ V3_VMCS_GUEST_SYSENTER_CS, MUST, ALWAYS, 0 },
	{ V3_VMCS_PREEMPTION_TIMER, IF_ON, PIN, V3_VMX_PIN_TIMER },
	{ V3_VMCS_HOST_SYSENTER_CS, MUST, ALWAYS, 0 },

	{ V3_VMCS_CR0_MASK, MUST, ALWAYS, 0 },
	{ V3_VMCS_CR4_MASK, MUST, ALWAYS, 0 },
	{ V3_VMCS_CR0_SHADOW, MUST, ALWAYS, 0 },
	{ V3_VMCS_CR4_SHADOW, MUST, ALWAYS, 0 },
	{ V3_VMCS_EXIT_QUALIFICATION, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_GUEST_LINEAR, HARDWARE, ALWAYS, 0 },
	{ V3_VMCS_GUEST_CR0, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_CR3, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_CR4, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_GDTR_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_IDTR_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_DR7, IF_ON, ENTRY, V3_VMX_ENTRY_CTL_LOAD_DEBUG },
	{ V3_VMCS_GUEST_RSP, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_RIP, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_RFLAGS, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_PENDING_DEBUG, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_SYSENTER_ESP, MUST, ALWAYS, 0 },
	{ V3_VMCS_GUEST_SYSENTER_EIP, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_CR0, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_CR3, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_CR4, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_FS_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_GS_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_TR_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_GDTR_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_IDTR_BASE, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_SYSENTER_ESP, MUST, ALWAYS, 0 },
	{ V3_VMCS_HOST_SYSENTER_EIP, MUST, ALWAYS, 0 },
	/* These two are entry.S's, in whose place the fake is. */
	{ V3_VMCS_HOST_RSP, MAY, ALWAYS, 0 },
	{ V3_VMCS_HOST_RIP, MAY, ALWAYS, 0 },
};

#define NUM_FIELDS ((unsigned int)(sizeof(fields) / sizeof(fields[0])))
_Static_assert(sizeof(fields) / sizeof(fields[0]) <= FAKE_MAX_FIELDS, "FAKE_MAX_FIELDS");

static bool allows(uint32_t msr, uint32_t bit)
{
	return fake_vmx_msr(msr) >> 32 & bit;
}

/* PAT and EFER of the guest are there with either control, which have different numbers. */
static bool exists(const struct field *field)
{
	switch (field->control) {
	case PIN:
		return allows(V3_MSR_VMX_PINBASED_CTLS, field->bit);
	case PROC:
		return allows(V3_MSR_VMX_PROCBASED_CTLS, field->bit);
	case PROC2:
		return allows(V3_MSR_VMX_PROCBASED_CTLS, V3_VMX_PROC_SECONDARY) &&
		       allows(V3_MSR_VMX_PROCBASED_CTLS2, field->bit);
	case EXIT:
		return allows(V3_MSR_VMX_EXIT_CTLS, field->bit);
	case ENTRY:
		/* The debug fields always exist. */
		return field->bit == V3_VMX_ENTRY_CTL_LOAD_DEBUG ||
		       allows(V3_MSR_VMX_ENTRY_CTLS, field->bit);
	case EXIT_OR_ENTRY_PAT:
		return allows(V3_MSR_VMX_ENTRY_CTLS, field->bit) ||
		       allows(V3_MSR_VMX_EXIT_CTLS, V3_VMX_EXIT_CTL_SAVE_PAT);
	case EXIT_OR_ENTRY_EFER:
		return allows(V3_MSR_VMX_ENTRY_CTLS, field->bit) ||
		       allows(V3_MSR_VMX_EXIT_CTLS, V3_VMX_EXIT_CTL_SAVE_EFER);
	default:
		return true;
	}
}

int fake_vmx_field(uint32_t encoding)
{
	for (unsigned int i = 0; i < NUM_FIELDS; i++)
		if (fields[i].encoding == encoding)
			return exists(&fields[i]) ? (int)i : -1;
	return -1;
}

bool fake_vmx_field_at(unsigned int index, uint32_t *encoding)
{
	if (index >= NUM_FIELDS)
		return false;
	*encoding = fields[index].encoding;
	return true;
}

static uint64_t control_value(const struct fake_vmcs *vmcs, enum control control)
{
	uint64_t proc = fake_vmcs_peek(vmcs, V3_VMCS_PROC_CTLS);

	switch (control) {
	case PIN:
		return fake_vmcs_peek(vmcs, V3_VMCS_PIN_CTLS);
	case PROC:
		return proc;
	case PROC2:
		return proc & V3_VMX_PROC_SECONDARY ? fake_vmcs_peek(vmcs, V3_VMCS_PROC_CTLS2) : 0;
	case EXIT:
		return fake_vmcs_peek(vmcs, V3_VMCS_EXIT_CTLS);
	default:
		return fake_vmcs_peek(vmcs, V3_VMCS_ENTRY_CTLS);
	}
}

bool fake_vmx_field_needed(const struct fake_vmcs *vmcs, unsigned int index)
{
	const struct field *field = &fields[index];

	if (!exists(field))
		return false;
	return field->need == MUST ||
	       (field->need == IF_ON && control_value(vmcs, field->control) & field->bit);
}
