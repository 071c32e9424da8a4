/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual clock of KVM guests ("KVM-specific MSRs" and "KVM CPUID bits" in Linux's
 * documentation): a record in guest memory says how the vCPU's TSC becomes nanoseconds. With it
 * Linux knows the frequency of its TSC without having to measure it by devices, which fails where
 * an exit takes long, and has a clock that reads without an exit to compare the TSC with.
 */
#include "core/pvclock.h"

#include "core/tsc.h"
#include "core/vm.h"
#include "lib/bits.h"
#include "x86/cpuid.h"
#include "x86/msr.h"

/* For one vCPU: time = system_time + ((TSC - tsc_timestamp) << shift) * mul >> 32. */
struct pvclock_time {
	uint32_t version;	/* odd while the rest changes */
	uint32_t reserved;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t reserved2[2];
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct pvclock_time) == 32, "as the guest knows it");

/* The time of day as the clock showed 0. */
struct pvclock_wall {
	uint32_t version;
	uint32_t seconds;
	uint32_t nanoseconds;
};
_Static_assert(sizeof(struct pvclock_wall) == 12, "as the guest knows it");

#define TIME_ENABLE 1u			/* in the MSR, beside the record's address */
#define FLAG_TSC_STABLE 1u		/* times of different vCPUs may be compared */

/* Odd, and not what it was. Returns what makes it even again. */
static uint32_t version_begin(uint32_t *version)
{
	uint32_t odd = (__atomic_load_n(version, __ATOMIC_RELAXED) + 1) | 1;

	/* An exchange, as nothing that is written next may be seen before it. */
	__atomic_exchange_n(version, odd, __ATOMIC_ACQUIRE);
	return odd + 1;
}

static void version_end(uint32_t *version, uint32_t even)
{
	__atomic_store_n(version, even, __ATOMIC_RELEASE);
}

/*
 * From the moment when both the VM's clock and a TSC never written were 0: so what the guest
 * computes is what v3_now() says, on every vCPU, and pauses change nothing.
 */
void v3_pvclock_update(struct v3_vcpu *vcpu)
{
	uint64_t factor = vcpu->vm->host->ns_per_tick_32, ratio = vcpu->vm->tsc_ratio;
	struct pvclock_time *to;
	uint32_t version;
	int8_t shift = 0;

	if (!(vcpu->pvclock & TIME_ENABLE))
		return;
	to = v3_memory_ptr(vcpu->vm, vcpu->pvclock & ~(uint64_t)TIME_ENABLE, sizeof(*to));
	if (!to)
		return;
	if (ratio)
		factor = v3_mul_div(factor, 1ull << V3_TSC_FRACTION, ratio);
	for (; factor >> 32; factor >>= 1)
		shift++;
	version = version_begin(&to->version);
	to->tsc_timestamp = vcpu->tsc_adjust;
	to->system_time = 0;
	to->mul = (uint32_t)factor;
	to->shift = shift;
	to->flags = vcpu->tsc_adjust ? 0 : FLAG_TSC_STABLE;
	version_end(&to->version, version);
}

/* A record in the guest's memory, or NULL. */
static void *record_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t size)
{
	return gpa & 3 ? NULL : v3_memory_ptr(vm, gpa, size);
}

static bool wall_write(struct v3_vm *vm, v3_gpa_t gpa)
{
	struct pvclock_wall *to = record_ptr(vm, gpa, sizeof(*to));
	uint32_t version;

	if (!to)
		return false;
	version = version_begin(&to->version);
	to->seconds = (uint32_t)vm->wall_seconds;
	to->nanoseconds = 0;
	version_end(&to->version, version);
	return true;
}

static enum v3_hook_result pv_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr, uint64_t *value)
{
	(void)ctx;
	/* The other one is a request. */
	if (msr != V3_MSR_KVM_SYSTEM_TIME)
		return V3_HOOK_FAULT;
	*value = vcpu->pvclock;
	return V3_HOOK_DONE;
}

static enum v3_hook_result pv_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr, uint64_t value)
{
	(void)ctx;
	if (msr == V3_MSR_KVM_WALL_CLOCK)
		return wall_write(vcpu->vm, value) ? V3_HOOK_DONE : V3_HOOK_FAULT;
	if (value & TIME_ENABLE &&
	    !record_ptr(vcpu->vm, value & ~(uint64_t)TIME_ENABLE, sizeof(struct pvclock_time)))
		return V3_HOOK_FAULT;
	vcpu->pvclock = value;
	v3_pvclock_update(vcpu);
	return V3_HOOK_DONE;
}

static const struct v3_msr_ops msr_ops = { pv_read, pv_write };

static void pv_cpuid(struct v3_vcpu *vcpu, void *ctx, uint32_t leaf, uint32_t subleaf,
		     struct v3_cpuid *regs)
{
	(void)vcpu;
	(void)ctx;
	(void)subleaf;
	if (leaf == V3_CPUID_LEAF_KVM)
		*regs = (struct v3_cpuid){ V3_CPUID_LEAF_KVM_FEATURES, V3_CPUID_KVM_EBX,
					   V3_CPUID_KVM_ECX, V3_CPUID_KVM_EDX };
	else
		regs->eax = V3_CPUID_KVM_EAX_NOP_IO_DELAY | V3_CPUID_KVM_EAX_CLOCK |
			    V3_CPUID_KVM_EAX_CLOCK_STABLE;
}

enum v3_status v3_pvclock_create(struct v3_vm *vm, uint64_t seconds)
{
	enum v3_status status;

	if (!v3_vm_has(vm, V3_CPU_1_ECX, V3_CPUID_1_ECX_HYPERVISOR))
		return V3_OK;
	vm->wall_seconds = seconds;
	status = v3_msr_hook(vm, V3_MSR_KVM_WALL_CLOCK, 2, &msr_ops, NULL);
	if (status == V3_OK)
		status = v3_cpuid_hook(vm, V3_CPUID_LEAF_KVM, 2, pv_cpuid, NULL);
	return status;
}
