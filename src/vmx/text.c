/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong, in words. SDM vol. 3 31.4 (VM-instruction errors), 27.8 (failing entries). */
#include "vmx/vmx.h"

const char *vmx_error_text(unsigned int error)
{
	static const char *const texts[] = {
		[0] = "no VMCS is current",
		[1] = "VMCALL in VMX root operation",
		[2] = "VMCLEAR with a bad address",
		[3] = "VMCLEAR of the VMXON region",
		[4] = "VMLAUNCH of a VMCS that was launched",
		[5] = "VMRESUME of a VMCS that was not launched",
		[6] = "VMRESUME after VMXOFF",
		[7] = "a control that this CPU does not allow",
		[8] = "host state that this CPU does not allow",
		[9] = "VMPTRLD with a bad address",
		[10] = "VMPTRLD of the VMXON region",
		[11] = "VMPTRLD of another revision",
		[12] = "a VMCS field that this CPU does not have",
		[13] = "VMWRITE to a read-only field",
		[15] = "VMXON in VMX root operation",
		[26] = "events blocked by MOV SS",
		[28] = "INVEPT or INVVPID with bad operands",
	};

	if (error < sizeof(texts) / sizeof(texts[0]) && texts[error])
		return texts[error];
	return "an error that the manual does not name";
}

static const char *state_text(uint64_t qual)
{
	switch (qual) {
	case V3_VMX_QUAL_ENTRY_PDPTE:
		return "PDPTEs that this CPU does not allow";
	case V3_VMX_QUAL_ENTRY_NMI:
		return "an NMI in the shadow of STI";
	case V3_VMX_QUAL_ENTRY_LINK:
		return "a VMCS link pointer that this CPU does not allow";
	default:
		return "guest state that this CPU does not allow";
	}
}

const char *vmx_entry_text(uint32_t reason, uint64_t qual)
{
	switch (reason & V3_VMX_REASON_MASK) {
	case V3_VMX_REASON_ENTRY_STATE:
		return state_text(qual);
	case V3_VMX_REASON_ENTRY_MSR:
		return "an MSR that cannot be loaded";
	case V3_VMX_REASON_ENTRY_MCE:
		return "a machine check";
	default:
		return "a reason that the manual does not name";
	}
}
