/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual clock that Linux and the BSDs know from KVM: CPUID leaves from 4000_0100 on and
 * two MSRs.
 */
#ifndef V3_CORE_PVCLOCK_H
#define V3_CORE_PVCLOCK_H

#include <v3/v3.h>

/*
 * Offers the clock to the guest of a VM that is V3_VM_CREATED, unless its CPUID hides that there is
 * a hypervisor. @p seconds since 1970 UTC were over as the VM's clock showed 0. Errors as
 * v3_msr_hook().
 */
enum v3_status v3_pvclock_create(struct v3_vm *vm, uint64_t seconds);
/* The guest's TSC has changed against the VM's clock: tells a guest that uses it. Thread. */
void v3_pvclock_update(struct v3_vcpu *vcpu);

#endif
