/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's TSC: its frequency, and what the guest makes of its value. APM2 15.30.5, SDM 26.3. */
#include "core/tsc.h"

#include "core/pvclock.h"
#include "core/vm.h"
#include "lib/bits.h"

const char *v3_tsc_ratio(uint64_t khz, uint64_t host_khz, unsigned int fraction, uint64_t *ratio)
{
	*ratio = 0;
	if (!khz || khz == host_khz)
		return NULL;
	if (!fraction)
		return "this CPU has no TSC scaling, or it is switched off";
	if (khz < V3_TSC_MIN_KHZ || khz > V3_TSC_MAX_KHZ)
		return "it can be 1000 to 10000000";
	/* Also so that a ratio has the digits that clocks need. */
	if (khz >= host_khz * V3_TSC_TIMES || host_khz >= khz * V3_TSC_TIMES)
		return "one has to be less than 256 times the other";
	/* To the nearest. */
	*ratio = (v3_mul_div(khz, 2ull << fraction, host_khz) + 1) >> 1 <<
		 (V3_TSC_FRACTION - fraction);
	return NULL;
}

uint64_t v3_guest_tsc_scaled(const struct v3_vcpu *vcpu)
{
	const struct v3_vm *vm = vcpu->vm;
	uint64_t base = __atomic_load_n(&vm->tsc_base, __ATOMIC_RELAXED);

	/*
	 * What the CPU does with the host's TSC, which the sum is, or was as the VM paused. Another
	 * base, from before a resume, only means another rounding.
	 */
	return v3_tsc_scale(base + v3_vm_ticks(vm), vm->tsc_ratio) -
	       v3_tsc_scale(base, vm->tsc_ratio) + vcpu->tsc_adjust;
}

uint64_t v3_vm_tsc_ratio(const struct v3_vm *vm)
{
	return vm->tsc_ratio;
}

uint64_t v3_vcpu_tsc_offset(const struct v3_vcpu *vcpu)
{
	uint64_t base = __atomic_load_n(&vcpu->vm->tsc_base, __ATOMIC_RELAXED);

	if (vcpu->vm->tsc_ratio)
		base = v3_tsc_scale(base, vcpu->vm->tsc_ratio);
	return vcpu->tsc_adjust - base;
}

void v3_vcpu_sync_tsc(struct v3_vcpu *vcpu)
{
	vcpu->vm->arch->set_tsc_offset(vcpu, v3_vcpu_tsc_offset(vcpu));
	v3_pvclock_update(vcpu);
}

void v3_vcpu_set_tsc(struct v3_vcpu *vcpu, uint64_t value)
{
	vcpu->tsc_adjust += value - v3_guest_tsc(vcpu);
	v3_vcpu_sync_tsc(vcpu);
	if (vcpu->own_deadline == ~0ull)
		return;
	/* It may go by the guest's TSC, and be due now, or later than it was. */
	v3_vcpu_timer_set(vcpu, ~0ull);
	vcpu->vm->intc->timer(vcpu, vcpu->vm->intc_ctx, false);
}
