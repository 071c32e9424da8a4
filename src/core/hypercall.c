/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm.h"

#include "x86/seg.h"

/* Number in RAX, arguments in RBX RCX RDX RSI RDI, result in RAX. Only for the guest's kernel. */
void v3_exit_hypercall(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	struct v3_vm *vm = vcpu->vm;
	uint64_t number = vcpu->gpr[0], result = (uint64_t)(int64_t)V3_ERR_NOENT;
	const uint64_t args[5] = { vcpu->gpr[3], vcpu->gpr[1], vcpu->gpr[2], vcpu->gpr[6],
				   vcpu->gpr[7] };
	enum v3_hook_result done = V3_HOOK_PASS;
	struct v3_segment ss;
	unsigned int i;

	if (vm->num_hypercalls) {
		vm->arch->get_segment(vcpu, V3_SEG_SS, &ss);
		for (i = 0; i < vm->num_hypercalls && done == V3_HOOK_PASS; i++)
			if (number >= vm->hypercalls[i].first && number <= vm->hypercalls[i].last &&
			    !V3_SEG_DPL(ss.attrib))
				done = vm->hypercalls[i].fn(vcpu, vm->hypercalls[i].ctx, number,
							    args, &result);
	}
	if (done == V3_HOOK_FAULT) {
		v3_vcpu_ud(vcpu);
		return;
	}
	vcpu->gpr[0] = result;
	v3_vcpu_skip(vcpu, exit->insn_len ? exit->insn_len : 3);
}
