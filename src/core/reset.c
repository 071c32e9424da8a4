/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reset of a VM as a whole. There is one way for the host's wish and for the guest's: a guest that
 * asks for a reset ends with V3_END_RESET, and the host resets the VM as it may do at any time.
 */
#include "core/vm.h"

/* As v3_vm_create() left it; what it did so far, and its trace, stay. */
static void vcpu_reset(struct v3_vcpu *vcpu)
{
	v3_fpu_reset(vcpu);
	v3_vcpu_power_on(vcpu);
	if (vcpu->windows)
		vcpu->vm->arch->set_windows(vcpu, 0);
	vcpu->windows = 0;
	v3_exits_forget(vcpu);
}

enum v3_status v3_vm_reset(struct v3_vm *vm)
{
	unsigned int i;

	v3_control_enter(vm);
	v3_control_join(vm);
	if (!vm->paused_tsc)
		v3_vm_clock_stop(vm);
	for (i = 0; i < vm->num_vcpus; i++)
		vcpu_reset(vm->vcpus[i]);
	v3_devices_reset(vm);
	v3_consoles_reset(vm);
	v3_control_created(vm);
	v3_control_leave(vm);
	return V3_OK;
}
