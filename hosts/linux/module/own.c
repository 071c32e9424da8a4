/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Which VM owns which CPU. */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/sched/isolation.h>

#include "own.h"

/*
 * Claims are made one at a time, under v3_lx_vms_lock. A CPU is entered first and looked at for
 * threads of others then; a thread enters its list first and looks whether it may be there then.
 */
static DEFINE_SPINLOCK(own_lock);	/* owners; a leaf */
static DEFINE_PER_CPU(struct v3_lx_owner, owners);

struct v3_lx_owner v3_lx_owner(unsigned int cpu)
{
	struct v3_lx_owner owner;
	unsigned long flags;

	spin_lock_irqsave(&own_lock, flags);
	owner = per_cpu(owners, cpu);
	spin_unlock_irqrestore(&own_lock, flags);
	return owner;
}

static void owner_set(unsigned int cpu, const struct v3_lx_owner *owner)
{
	unsigned long flags;

	spin_lock_irqsave(&own_lock, flags);
	per_cpu(owners, cpu) = *owner;
	spin_unlock_irqrestore(&own_lock, flags);
}

bool v3_lx_cpu_owned(unsigned int cpu)
{
	return v3_lx_owner(cpu).vm;
}

bool v3_lx_cpu_allowed(unsigned int cpu, const struct v3_lx_vm *vm)
{
	const struct v3_lx_vm *owner = v3_lx_owner(cpu).vm;

	return !owner || owner == vm;
}

/* The name is copied: its VM may be gone the moment the lock is released. */
static bool owner_name(unsigned int cpu, char name[V3_IOC_NAME], struct v3_lx_owner *owner)
{
	unsigned long flags;

	spin_lock_irqsave(&own_lock, flags);
	*owner = per_cpu(owners, cpu);
	if (owner->vm)
		strscpy(name, owner->vm->name, V3_IOC_NAME);
	spin_unlock_irqrestore(&own_lock, flags);
	return owner->vm;
}

bool v3_lx_cpu_owner_name(unsigned int cpu, char name[V3_IOC_NAME])
{
	struct v3_lx_owner owner;

	return owner_name(cpu, name, &owner);
}

void v3_lx_own_describe(unsigned int cpu, struct v3_ioc_cpu *out)
{
	struct v3_lx_owner owner;

	if (!owner_name(cpu, out->vm, &owner))
		return;
	out->vcpu = owner.vcpu;
	out->yield_ns = owner.yield_ns;
	switch (owner.policy) {
	case V3_YIELD_NEVER:
		out->host_yield = V3_IOC_YIELD_NEVER;
		break;
	case V3_YIELD_ON_HALT:
		out->host_yield = V3_IOC_YIELD_ON_HALT;
		break;
	default:
		out->host_yield = V3_IOC_YIELD_INTERVAL;
		break;
	}
}

u32 v3_lx_own_policy(const struct v3_ioc_create *arg, u64 *yield_ns)
{
	*yield_ns = 0;
	if (!(arg->flags & V3_IOC_CREATE_OWN_CPUS))
		return V3_YIELD_SHARED;
	switch (arg->host_yield) {
	case V3_IOC_YIELD_NEVER:
		return V3_YIELD_NEVER;
	case V3_IOC_YIELD_ON_HALT:
		return V3_YIELD_ON_HALT;
	default:
		*yield_ns = arg->yield_ns ?: V3_IOC_YIELD_DEFAULT_NS;
		return V3_YIELD_INTERVAL;
	}
}

/* --- Checks of a request --- */

static enum v3_status check_policy(struct v3_lx_call *call, const struct v3_ioc_create *arg)
{
	if (!(arg->flags & V3_IOC_CREATE_OWN_CPUS)) {
		if (arg->host_yield || arg->yield_ns || arg->flags & V3_IOC_CREATE_OWN_FIFO)
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "VM '%s': when the host gets its CPUs can only be said of CPUs that it owns",
					  arg->name);
		return V3_OK;
	}
	if (!capable(CAP_SYS_NICE))
		return v3_lx_fail(call, V3_ERR_DENIED,
				  "VM '%s': owning CPUs needs the capability CAP_SYS_NICE",
				  arg->name);
	if (arg->host_yield > V3_IOC_YIELD_INTERVAL)
		return v3_lx_fail(call, V3_ERR_INVALID, "VM '%s': unknown host_yield %u",
				  arg->name, arg->host_yield);
	if (arg->yield_ns && arg->host_yield != V3_IOC_YIELD_INTERVAL)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "VM '%s': an interval goes with the host_yield of that name only",
				  arg->name);
	if (arg->yield_ns &&
	    (arg->yield_ns < V3_IOC_YIELD_MIN_NS || arg->yield_ns > V3_IOC_YIELD_MAX_NS))
		return v3_lx_fail(call, V3_ERR_RANGE,
				  "VM '%s': an interval of %llu ns: it can be %llu ms to %llu s, as Linux wants to see each CPU",
				  arg->name, arg->yield_ns, V3_IOC_YIELD_MIN_NS / 1000000,
				  V3_IOC_YIELD_MAX_NS / 1000000000);
	return V3_OK;
}

static enum v3_status check_list(struct v3_lx_call *call, const struct v3_ioc_create *arg)
{
	unsigned int i, k;

	if (arg->num_vcpus >= num_online_cpus())
		return v3_lx_fail(call, V3_ERR_NOENT,
				  "VM '%s': %u vCPUs cannot own a CPU each: %u are online and one has to stay with the host",
				  arg->name, arg->num_vcpus, num_online_cpus());
	for (i = 0; i < arg->num_vcpus; i++) {
		if (arg->cpus[i] == V3_CPU_ANY)
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "VM '%s', vCPU %u: which CPU it is to own has to be said",
					  arg->name, i);
		if (!arg->cpus[i])
			return v3_lx_fail(call, V3_ERR_DENIED,
					  "VM '%s', vCPU %u: CPU 0 cannot be owned: Linux keeps time and handles interrupts there",
					  arg->name, i);
		for (k = 0; k < i; k++)
			if (arg->cpus[k] == arg->cpus[i])
				return v3_lx_fail(call, V3_ERR_INVALID,
						  "VM '%s': vCPUs %u and %u cannot both own CPU %d",
						  arg->name, k, i, arg->cpus[i]);
	}
	return V3_OK;
}

/* Whether another CPU would be left for what Linux does everywhere. Needs v3_lx_vms_lock. */
static bool housekeeping_left(const struct v3_ioc_create *arg)
{
	unsigned int cpu, i;

	for_each_cpu_and(cpu, cpu_online_mask, housekeeping_cpumask(HK_TYPE_TIMER)) {
		for (i = 0; i < arg->num_vcpus && arg->cpus[i] != cpu; i++)
			;
		if (i == arg->num_vcpus && !v3_lx_cpu_owned(cpu))
			return true;
	}
	return false;
}

/* --- Claims --- */

static enum v3_status refuse_owned(struct v3_lx_call *call, const struct v3_lx_vm *vm,
				   unsigned int vcpu, int cpu)
{
	return v3_lx_fail(call, V3_ERR_BUSY,
			  "VM '%s', vCPU %u: CPU %d is owned by VM '%s': choose another", vm->name,
			  vcpu, cpu, v3_lx_owner(cpu).vm->name);
}

/* Another VM that names this CPU. Needs v3_lx_vms_lock. */
static const struct v3_lx_vm *pinned_by(const struct v3_lx_vm *vm, int cpu)
{
	const struct v3_lx_vm *other;
	unsigned int i;

	list_for_each_entry(other, &v3_lx_vms, link)
		for (i = 0; other != vm && i < V3_IOC_VCPUS; i++)
			if (other->pins[i] == cpu + 1)
				return other;
	return NULL;
}

static enum v3_status claim_cpu(struct v3_lx_call *call, struct v3_lx_vm *vm,
				const struct v3_lx_owner *owner, int cpu)
{
	const struct v3_lx_vm *other = pinned_by(vm, cpu);

	if (v3_lx_cpu_owned(cpu))
		return refuse_owned(call, vm, owner->vcpu, cpu);
	if (other)
		return v3_lx_fail(call, V3_ERR_BUSY,
				  "VM '%s', vCPU %u: CPU %d cannot be owned: VM '%s' is pinned to it",
				  vm->name, owner->vcpu, cpu, other->name);
	owner_set(cpu, owner);
	if (v3_lx_threads_on(NULL, cpu))
		return v3_lx_fail(call, V3_ERR_BUSY,
				  "VM '%s', vCPU %u: CPU %d cannot be owned: a vCPU of another VM runs there",
				  vm->name, owner->vcpu, cpu);
	return V3_OK;
}

static enum v3_status claim_all(struct v3_lx_call *call, struct v3_lx_vm *vm,
				const struct v3_ioc_create *arg)
{
	struct v3_lx_owner owner = { .vm = vm, .fifo = arg->flags & V3_IOC_CREATE_OWN_FIFO };
	enum v3_status status = V3_OK;

	if (!housekeeping_left(arg))
		return v3_lx_fail(call, V3_ERR_DENIED,
				  "VM '%s': no CPU would be left to the host for its own work",
				  vm->name);
	owner.policy = v3_lx_own_policy(arg, &owner.yield_ns);
	for (; !status && owner.vcpu < arg->num_vcpus; owner.vcpu++)
		status = claim_cpu(call, vm, &owner, arg->cpus[owner.vcpu]);
	return status;
}

static enum v3_status pin_all(struct v3_lx_call *call, struct v3_lx_vm *vm,
			      const struct v3_ioc_create *arg)
{
	unsigned int i;

	for (i = 0; i < arg->num_vcpus; i++)
		if (arg->cpus[i] != V3_CPU_ANY && v3_lx_cpu_owned(arg->cpus[i]))
			return refuse_owned(call, vm, i, arg->cpus[i]);
	return V3_OK;
}

enum v3_status v3_lx_own_claim(struct v3_lx_call *call, struct v3_lx_vm *vm,
			       const struct v3_ioc_create *arg)
{
	bool owns = arg->flags & V3_IOC_CREATE_OWN_CPUS;
	enum v3_status status = check_policy(call, arg);
	unsigned int i;

	if (!status && owns)
		status = check_list(call, arg);
	if (status)
		return status;
	mutex_lock(&v3_lx_vms_lock);
	status = owns ? claim_all(call, vm, arg) : pin_all(call, vm, arg);
	for (i = 0; !status && i < arg->num_vcpus; i++)
		vm->pins[i] = arg->cpus[i] + 1;
	if (status)
		v3_lx_own_release(vm);
	mutex_unlock(&v3_lx_vms_lock);
	return status;
}

void v3_lx_own_release(const struct v3_lx_vm *vm)
{
	const struct v3_lx_owner nobody = {};
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (v3_lx_owner(cpu).vm == vm)
			owner_set(cpu, &nobody);
}
