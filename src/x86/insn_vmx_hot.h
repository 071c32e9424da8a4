/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of the instructions of insn_vmx.h that may be inline; included by insn_vmx.h or by
 * priv_vmx.c, never elsewhere.
 */
#ifndef V3_X86_INSN_VMX_HOT_H
#define V3_X86_INSN_VMX_HOT_H

/* CF is VMfailInvalid, ZF is VMfailValid (SDM vol. 3 31.2). */
static inline int v3_vmx_result(bool invalid, bool valid)
{
	return invalid ? V3_VMX_FAIL_INVALID : valid ? V3_VMX_FAIL_VALID : V3_VMX_OK;
}

V3_X86_HOT int v3_x86_vmread(uint32_t field, uint64_t *value)
{
	bool invalid, valid;

	__asm__ volatile("vmread %3, %2"
			 : "=@ccc"(invalid), "=@ccz"(valid), "=r"(*value)
			 : "r"((uint64_t)field) : "memory");
	return v3_vmx_result(invalid, valid);
}

V3_X86_HOT int v3_x86_vmwrite(uint32_t field, uint64_t value)
{
	bool invalid, valid;

	__asm__ volatile("vmwrite %3, %2"
			 : "=@ccc"(invalid), "=@ccz"(valid)
			 : "r"((uint64_t)field), "r"(value) : "memory");
	return v3_vmx_result(invalid, valid);
}

#endif
