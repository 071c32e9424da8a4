/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/seg.h"

static V3_NOINLINE enum v3_hook_result hooks_call(struct v3_vcpu *vcpu, uint64_t *result)
{
	struct v3_vm *vm = vcpu->vm;
	uint64_t number = vcpu->gpr[0];
	const uint64_t args[5] = { vcpu->gpr[3], vcpu->gpr[1], vcpu->gpr[2], vcpu->gpr[6],
				   vcpu->gpr[7] };
	enum v3_hook_result done = V3_HOOK_PASS;
	struct v3_segment ss;
	unsigned int i;

	vm->arch->get_segment(vcpu, V3_SEG_SS, &ss);
	for (i = 0; i < vm->num_hypercalls && done == V3_HOOK_PASS; i++)
		if (number >= vm->hypercalls[i].first && number <= vm->hypercalls[i].last &&
		    !V3_SEG_DPL(ss.attrib))
			done = vm->hypercalls[i].fn(vcpu, vm->hypercalls[i].ctx, number, args,
						    result);
	return done;
}

/* Number in RAX, arguments in RBX RCX RDX RSI RDI, result in RAX. Only for the guest's kernel. */
void v3_exit_hypercall(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	uint64_t result = (uint64_t)(int64_t)V3_ERR_NOENT;

	if (vcpu->vm->num_hypercalls && hooks_call(vcpu, &result) == V3_HOOK_FAULT) {
		v3_vcpu_ud(vcpu);
		return;
	}
	vcpu->gpr[0] = result;
	v3_vcpu_step(vcpu, exit->insn_len ? exit->insn_len : 3);
}
