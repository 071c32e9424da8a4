/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What only user space can restore, such as affinities: the v3 command tells which of its changes
 * are to be undone and when, and is run to do it, also when all processes that knew are gone.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "blocks.h"

static DEFINE_MUTEX(held_lock);
/* By the lowest CPU of what was taken: until the module goes. */
static struct cpumask held;

/* A process that dies may hold what the command waits for, so it does not wait for the command. */
void v3_lx_restore(int restore)
{
	char cpu[16];
	const char *const args[] = { "cpu", "give", "--restore", cpu, NULL };

	if (!restore)
		return;
	scnprintf(cpu, sizeof(cpu), "%d", restore - 1);
	v3_lx_helper(args, !(current->flags & PF_EXITING));
}

void v3_lx_restore_exit(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &held)
		v3_lx_restore(cpu + 1);
}

static enum v3_status check(struct v3_lx_call *call, const struct v3_ioc_restore *arg, u32 last)
{
	if (!capable(CAP_SYS_ADMIN))
		return v3_lx_fail(call, V3_ERR_DENIED,
				  "having the host restored needs the capability CAP_SYS_ADMIN");
	if (arg->when > last)
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown time %u to restore at", arg->when);
	if (arg->cpu < 0 || arg->cpu >= nr_cpu_ids || !cpu_possible(arg->cpu))
		return v3_lx_fail(call, V3_ERR_NOENT, "this host has no CPU %d", arg->cpu);
	return V3_OK;
}

enum v3_status v3_lx_do_restore(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_control_file *file = target;
	const struct v3_ioc_restore *arg = data;
	enum v3_status status = check(call, arg, V3_IOC_RESTORE_UNLOAD);

	if (status)
		return status;
	mutex_lock(&held_lock);
	if (arg->when == V3_IOC_RESTORE_CLOSE)
		file->restore = arg->cpu + 1;
	else if (file->restore == arg->cpu + 1)
		file->restore = 0;
	if (arg->when == V3_IOC_RESTORE_UNLOAD)
		cpumask_set_cpu(arg->cpu, &held);
	else
		cpumask_clear_cpu(arg->cpu, &held);
	mutex_unlock(&held_lock);
	return V3_OK;
}

enum v3_status v3_lx_do_vm_restore(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	const struct v3_ioc_restore *arg = data;
	enum v3_status status = check(call, arg, V3_IOC_RESTORE_CLOSE);

	if (status)
		return status;
	if (!v3_lx_vm_enter(vm))
		return v3_lx_gone(call, vm);
	WRITE_ONCE(vm->restore, arg->when == V3_IOC_RESTORE_CLOSE ? arg->cpu + 1 : 0);
	v3_lx_vm_leave(vm);
	return V3_OK;
}
