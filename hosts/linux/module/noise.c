/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Counting what disturbs vCPUs on their own CPUs. */
#include <linux/slab.h>
#include <linux/topology.h>

#include <asm/tsc.h>

#include "own.h"
#include "noise.h"

static void add(u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

/* The host's counters, by cause. A TLB shootdown is a function call, too: it counts once here. */
static void look(u32 now[V3_IOC_NOISE_CAUSES])
{
	u32 other = raw_cpu_read(irq_stat.irq_spurious_count) +
		    raw_cpu_read(irq_stat.x86_platform_ipis) +
		    raw_cpu_read(irq_stat.apic_perf_irqs);

#ifdef CONFIG_X86_THERMAL_VECTOR
	other += raw_cpu_read(irq_stat.irq_thermal_count);
#endif
#ifdef CONFIG_X86_MCE_THRESHOLD
	other += raw_cpu_read(irq_stat.irq_threshold_count);
#endif
	memset(now, 0, V3_IOC_NOISE_CAUSES * sizeof(now[0]));
	now[V3_IOC_NOISE_TIMER] = raw_cpu_read(irq_stat.apic_timer_irqs);
	now[V3_IOC_NOISE_RESCHEDULE] = raw_cpu_read(irq_stat.irq_resched_count);
	now[V3_IOC_NOISE_TLB] = raw_cpu_read(irq_stat.irq_tlb_count);
	now[V3_IOC_NOISE_CALL] = raw_cpu_read(irq_stat.irq_call_count);
	now[V3_IOC_NOISE_IRQ_WORK] = raw_cpu_read(irq_stat.apic_irq_work_irqs);
	now[V3_IOC_NOISE_DEVICE] = raw_cpu_read(kstat.irqs_sum);
	now[V3_IOC_NOISE_NMI] = raw_cpu_read(irq_stat.__nmi_count);
	now[V3_IOC_NOISE_OTHER] = other;
}

/* The time goes to one cause: to the last one of the list that there was. */
static const u8 by_weight[] = {
	V3_IOC_NOISE_GUEST_TIMER, V3_IOC_NOISE_RESCHEDULE, V3_IOC_NOISE_OTHER,
	V3_IOC_NOISE_IRQ_WORK, V3_IOC_NOISE_CALL, V3_IOC_NOISE_TLB, V3_IOC_NOISE_TIMER,
	V3_IOC_NOISE_DEVICE, V3_IOC_NOISE_NMI,
};

static void spend(struct v3_lx_noise *noise, unsigned int cause, u64 ticks)
{
	struct v3_ioc_noise_cause *to = &noise->causes[cause];
	u32 wanted = READ_ONCE(noise->wanted), i;

	if (noise->epoch != wanted) {
		for (i = 0; i < V3_IOC_NOISE_CAUSES; i++)
			WRITE_ONCE(noise->causes[i].longest, 0);
		noise->epoch = wanted;
	}
	add(&to->ticks, ticks);
	if (ticks > to->longest)
		WRITE_ONCE(to->longest, ticks);
}

void v3_lx_noise_account(struct v3_lx_noise *noise, bool guest_timer)
{
	u32 now[V3_IOC_NOISE_CAUSES], delta[V3_IOC_NOISE_CAUSES], i;
	int heaviest = -1;

	if (noise->away) {
		v3_lx_noise_forget(noise);
		return;
	}
	look(now);
	for (i = 0; i < V3_IOC_NOISE_CAUSES; i++)
		delta[i] = now[i] - noise->seen[i];
	delta[V3_IOC_NOISE_CALL] -= min(delta[V3_IOC_NOISE_CALL], delta[V3_IOC_NOISE_TLB]);
	if (guest_timer && delta[V3_IOC_NOISE_TIMER]) {
		delta[V3_IOC_NOISE_GUEST_TIMER] = 1;
		delta[V3_IOC_NOISE_TIMER]--;
	}
	for (i = 0; i < ARRAY_SIZE(by_weight); i++) {
		if (!delta[by_weight[i]])
			continue;
		add(&noise->causes[by_weight[i]].count, delta[by_weight[i]]);
		heaviest = by_weight[i];
	}
	if (noise->left && heaviest >= 0)
		spend(noise, heaviest, rdtsc() - noise->left);
	memcpy(noise->seen, now, sizeof(now));
	noise->sum = v3_lx_noise_sum();
}

void v3_lx_noise_forget(struct v3_lx_noise *noise)
{
	unsigned long flags;

	local_irq_save(flags);
	look(noise->seen);
	noise->sum = v3_lx_noise_sum();
	noise->left = 0;
	noise->away = false;
	local_irq_restore(flags);
}

void v3_lx_noise_away(struct v3_lx_noise *noise)
{
	unsigned long flags;

	local_irq_save(flags);
	noise->left = 0;
	if (noise->sum != v3_lx_noise_sum())
		v3_lx_noise_account(noise, false);
	noise->away = true;
	local_irq_restore(flags);
}

void v3_lx_noise_yielded(struct v3_lx_noise *noise, u64 since)
{
	add(&noise->causes[V3_IOC_NOISE_YIELD].count, 1);
	spend(noise, V3_IOC_NOISE_YIELD, rdtsc() - since);
	/* part of it, and no disturbance of their own */
	v3_lx_noise_forget(noise);
}

struct v3_lx_noise *v3_lx_noise_of(struct v3_lx_vm *vm, unsigned int vcpu, unsigned int cpu)
{
	struct v3_lx_noise *noise = vm->noise[vcpu];

	if (noise)
		return noise;
	/* on the CPU's node; in whole cache lines, as kmalloc() has powers of two */
	noise = kzalloc_node(roundup_pow_of_two(sizeof(*noise)), GFP_KERNEL, cpu_to_node(cpu));
	if (noise)
		smp_store_release(&vm->noise[vcpu], noise);
	return noise;
}

void v3_lx_noise_free(struct v3_lx_vm *vm)
{
	unsigned int i;

	for (i = 0; i < V3_IOC_VCPUS; i++)
		kfree(vm->noise[i]);
}

/* --- V3_IOC_NOISE --- */

static void read_causes(struct v3_ioc_noise *arg, struct v3_lx_noise *noise)
{
	bool current_epoch = READ_ONCE(noise->epoch) == READ_ONCE(noise->wanted);
	unsigned int i;

	for (i = 0; i < V3_IOC_NOISE_CAUSES; i++) {
		arg->causes[i].count = READ_ONCE(noise->causes[i].count);
		arg->causes[i].ticks = READ_ONCE(noise->causes[i].ticks);
		/* nothing was added since a reader wanted it anew */
		arg->causes[i].longest = current_epoch ? READ_ONCE(noise->causes[i].longest) : 0;
	}
	if (arg->flags & V3_IOC_NOISE_BEGIN)
		WRITE_ONCE(noise->wanted, noise->wanted + 1);
}

static s32 owned_cpu(const struct v3_lx_vm *vm, unsigned int vcpu)
{
	int cpu = (int)vm->pins[vcpu] - 1;

	return cpu >= 0 && v3_lx_owner(cpu).vm == vm ? cpu : -1;
}

enum v3_status v3_lx_do_noise(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_noise *arg = data;
	struct v3_lx_noise *noise;
	struct v3_vm *core;

	if (arg->flags & ~V3_IOC_NOISE_BEGIN)
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown flags 0x%x", arg->flags);
	if (arg->vcpu >= vm->num_vcpus)
		return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' has no vCPU %u: its vCPUs are 0 to %u",
				  vm->name, arg->vcpu, vm->num_vcpus - 1);
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	memset(arg->causes, 0, sizeof(arg->causes));
	arg->cpu = owned_cpu(vm, arg->vcpu);
	arg->num_causes = V3_IOC_NOISE_CAUSES;
	arg->tsc_khz = tsc_khz;
	arg->tsc_offset = v3_vcpu_tsc_offset(v3_vm_vcpu(core, arg->vcpu));
	arg->tsc_ratio = v3_vm_tsc_ratio(core);
	noise = smp_load_acquire(&vm->noise[arg->vcpu]);
	if (noise)
		read_causes(arg, noise);
	arg->tsc = rdtsc();
	v3_lx_vm_leave(vm);
	return V3_OK;
}
