/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What happens to VMs when CPUs go, and when the host suspends or goes down. */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "lx.h"

#define V3_LX_GONE_MS 10000

static int online_state;

static int cpu_came(unsigned int cpu)
{
	v3_lx_threads_allow(cpu, true);
	return 0;
}

/* Ends the VM and waits until none of its vCPUs runs. Needs v3_lx_vms_lock. */
static void end_vm(struct v3_lx_vm *vm, const char *reason)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);

	if (!core)
		return; /* somebody is destroying it, or it never ran */
	v3_vm_end(core, V3_END_ERROR, 0, "%s", reason);
	v3_vm_stop(core);
	v3_lx_vm_leave(vm);
}

/*
 * On the CPU that goes, which still does everything. No VM can start there from now on; those
 * that run there are ended, because a vCPU is never moved. Returning an error keeps the CPU online.
 */
static int cpu_goes(unsigned int cpu)
{
	struct v3_lx_vm *vm;
	char reason[48];

	scnprintf(reason, sizeof(reason), "host CPU %u went offline", cpu);
	v3_lx_threads_allow(cpu, false);
	mutex_lock(&v3_lx_vms_lock);
	list_for_each_entry(vm, &v3_lx_vms, link)
		if (v3_lx_threads_on(vm, cpu))
			end_vm(vm, reason);
	/* under PREEMPT_RT wakeups that a vCPU left to this CPU's irq_work may go with the CPU */
	list_for_each_entry(vm, &v3_lx_vms, link)
		v3_lx_vm_wake(vm);
	mutex_unlock(&v3_lx_vms_lock);
	if (!v3_lx_threads_wait_gone(cpu, V3_LX_GONE_MS) ||
	    (v3_lx.host && v3_cpu_disable(v3_lx.host, cpu))) {
		v3_lx_logf(V3_LOG_ERROR, "CPU %u cannot go offline: a virtual CPU is still on it",
			   cpu);
		v3_lx_threads_allow(cpu, true);
		return -EBUSY;
	}
	return 0;
}

/* vCPUs cannot be carried through suspend or hibernation. */
static int pm_event(struct notifier_block *block, unsigned long event, void *data)
{
	int result = NOTIFY_OK;

	mutex_lock(&v3_lx_vms_lock);
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		if (!list_empty(&v3_lx_vms)) {
			v3_lx_logf(V3_LOG_ERROR,
				   "the host cannot suspend while virtual machines exist: destroy them first");
			result = notifier_from_errno(-EBUSY);
			break;
		}
		WRITE_ONCE(v3_lx_refuse, "the host is about to suspend");
		v3_lx_virt_give_back();
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		WRITE_ONCE(v3_lx_refuse, NULL);
		break;
	}
	mutex_unlock(&v3_lx_vms_lock);
	return result;
}

static struct notifier_block pm_notifier = { .notifier_call = pm_event };

/* Reboot, power-off and kexec: whatever runs next must find SVM and VMX off on all CPUs. */
static int reboot_event(struct notifier_block *block, unsigned long event, void *data)
{
	struct v3_lx_vm *vm;

	mutex_lock(&v3_lx_vms_lock);
	WRITE_ONCE(v3_lx_refuse, "the host is going down");
	list_for_each_entry(vm, &v3_lx_vms, link)
		end_vm(vm, "the host is going down");
	v3_lx_virt_give_back();
	mutex_unlock(&v3_lx_vms_lock);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = reboot_event };

int v3_lx_hotplug_init(void)
{
	int err;

	online_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "v3:online", cpu_came, cpu_goes);
	if (online_state < 0)
		return online_state;
	err = register_pm_notifier(&pm_notifier);
	if (err)
		goto out_state;
	err = register_reboot_notifier(&reboot_notifier);
	if (err)
		goto out_pm;
	return 0;
out_pm:
	unregister_pm_notifier(&pm_notifier);
out_state:
	cpuhp_remove_state(online_state);
	return err;
}

void v3_lx_hotplug_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&pm_notifier);
	/* calls cpu_goes() for each CPU, which gives virtualization back there */
	cpuhp_remove_state(online_state);
}
