/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that names the back ends. */
#include "core/arch_ops.h"

#include "x86/cpuid.h"
#include "x86/insn.h"

extern const struct v3_arch_ops v3_svm_ops, v3_vmx_ops;

const struct v3_arch_ops *v3_arch_detect(void)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_EXT_MAX, 0, &regs);
	if (regs.eax >= V3_CPUID_LEAF_EXT1) {
		v3_x86_cpuid(V3_CPUID_LEAF_EXT1, 0, &regs);
		if (regs.ecx & V3_CPUID_80000001_ECX_SVM)
			return &v3_svm_ops;
	}
	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	return regs.ecx & V3_CPUID_1_ECX_VMX ? &v3_vmx_ops : NULL;
}
