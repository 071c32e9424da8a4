/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Requests of a VM's descriptor. */
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lx.h"

enum v3_status v3_lx_gone(struct v3_lx_call *call, struct v3_lx_vm *vm)
{
	call->err = -ENODEV;
	return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' was destroyed", vm->name);
}

static const char *state_name(enum v3_vm_state state)
{
	switch (state) {
	case V3_VM_CREATED:
		return "not started yet";
	case V3_VM_RUNNING:
		return "running";
	case V3_VM_PAUSED:
		return "paused";
	default:
		return "stopped";
	}
}

/* Says for V3_ERR_STATE what the state is. */
enum v3_status v3_lx_state_result(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  struct v3_vm *core, enum v3_status status, const char *what)
{
	if (status == V3_ERR_STATE)
		return v3_lx_fail(call, status, "cannot %s VM '%s': it is %s", what, vm->name,
				  state_name(v3_vm_state(core, NULL)));
	return status ? v3_lx_fail(call, status, "cannot %s VM '%s'", what, vm->name) : status;
}

/* Loading and starting take turns, and give up when the caller is killed. */
enum v3_status v3_lx_setup_lock(struct v3_lx_call *call, struct v3_lx_vm *vm)
{
	if (!mutex_lock_killable(&vm->setup))
		return V3_OK;
	call->err = -EINTR;
	return V3_ERR_AGAIN;
}

typedef enum v3_status (*load_fn)(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  struct v3_vm *core, void *arg);

static enum v3_status load(struct v3_lx_call *call, struct v3_lx_vm *vm, void *arg, load_fn fn)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	enum v3_status status;

	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_lx_setup_lock(call, vm);
	if (status)
		goto out;
	if (vm->loaded)
		status = v3_lx_fail(call, V3_ERR_STATE, "VM '%s' has an image already", vm->name);
	else if (v3_vm_state(core, NULL) != V3_VM_CREATED)
		status = v3_lx_state_result(call, vm, core, V3_ERR_STATE, "load");
	else
		status = fn(call, vm, core, arg);
	if (!status)
		vm->loaded = true;
	mutex_unlock(&vm->setup);
out:
	v3_lx_vm_leave(vm);
	return status;
}

static enum v3_status load_linux(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core,
				 void *arg)
{
	return v3_lx_load_linux(call, vm, core, arg);
}

static enum v3_status load_segments(struct v3_lx_call *call, struct v3_lx_vm *vm,
				    struct v3_vm *core, void *arg)
{
	return v3_lx_load_segments(call, vm, core, arg);
}

static enum v3_status load_multiboot(struct v3_lx_call *call, struct v3_lx_vm *vm,
				     struct v3_vm *core, void *arg)
{
	return v3_lx_load_multiboot(call, vm, core, arg);
}

static enum v3_status do_load_linux(struct v3_lx_call *call, void *target, void *arg)
{
	return load(call, target, arg, load_linux);
}

static enum v3_status do_load_segments(struct v3_lx_call *call, void *target, void *arg)
{
	return load(call, target, arg, load_segments);
}

static enum v3_status do_load_multiboot(struct v3_lx_call *call, void *target, void *arg)
{
	return load(call, target, arg, load_multiboot);
}

static enum v3_status start(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core)
{
	const char *refuse = READ_ONCE(v3_lx_refuse);
	enum v3_status status;

	/* one that was still being created when all others were ended, or was reset since */
	if (refuse)
		return v3_lx_fail(call, V3_ERR_BUSY, "cannot start VM '%s': %s", vm->name,
				  refuse);
	call->vm = vm;
	status = v3_vm_start(core);
	call->vm = NULL;
	return v3_lx_state_result(call, vm, core, status, "start");
}

static enum v3_status do_start(struct v3_lx_call *call, void *target, void *arg)
{
	struct v3_lx_vm *vm = target;
	struct v3_vm *core = v3_lx_vm_enter(vm);
	enum v3_status status;

	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_lx_setup_lock(call, vm);
	if (status)
		goto out;
	if (!vm->loaded)
		status = v3_lx_fail(call, V3_ERR_STATE,
				    "cannot start VM '%s': nothing was loaded into it", vm->name);
	else
		status = start(call, vm, core);
	mutex_unlock(&vm->setup);
out:
	v3_lx_vm_leave(vm);
	return status;
}

static enum v3_status control(struct v3_lx_call *call, struct v3_lx_vm *vm,
			      enum v3_status (*fn)(struct v3_vm *core), const char *what)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	enum v3_status status;

	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_lx_state_result(call, vm, core, fn(core), what);
	v3_lx_vm_leave(vm);
	return status;
}

static enum v3_status do_pause(struct v3_lx_call *call, void *target, void *arg)
{
	return control(call, target, v3_vm_pause, "pause");
}

static enum v3_status do_resume(struct v3_lx_call *call, void *target, void *arg)
{
	return control(call, target, v3_vm_resume, "resume");
}

static enum v3_status do_stop(struct v3_lx_call *call, void *target, void *arg)
{
	return control(call, target, v3_vm_stop, "stop");
}

static enum v3_status do_destroy(struct v3_lx_call *call, void *target, void *arg)
{
	return v3_lx_vm_destroy(target) ? V3_OK : v3_lx_gone(call, target);
}

static enum v3_status do_detach(struct v3_lx_call *call, void *target, void *arg)
{
	struct v3_lx_vm *vm = target;

	if (!v3_lx_vm_enter(vm))
		return v3_lx_gone(call, vm);
	v3_lx_vm_detach(vm);
	v3_lx_vm_leave(vm);
	return V3_OK;
}

static enum v3_status state_fill(struct v3_lx_call *call, struct v3_lx_vm *vm,
				 struct v3_ioc_state *arg)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	struct v3_vm_end end = {};

	if (!core)
		return v3_lx_gone(call, vm);
	arg->state = v3_vm_state(core, &end);
	arg->end_kind = end.kind;
	arg->end_code = end.code;
	memset(arg->reason, 0, sizeof(arg->reason));
	strscpy(arg->reason, end.reason, sizeof(arg->reason));
	arg->flags = READ_ONCE(vm->detached) ? V3_IOC_LIST_DETACHED : 0;
	arg->load_done = READ_ONCE(vm->load_done);
	arg->load_total = READ_ONCE(vm->load_total);
	memcpy(arg->name, vm->name, sizeof(arg->name));
	arg->num_vcpus = vm->num_vcpus;
	arg->loaded = READ_ONCE(vm->loaded);
	v3_lx_vm_leave(vm);
	return V3_OK;
}

static enum v3_status do_state(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_state *arg = data;

	if (arg->timeout_ms)
		return v3_lx_fail(call, V3_ERR_INVALID, "timeout_ms is not zero");
	return state_fill(call, target, arg);
}

static enum v3_status do_wait(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_state *arg = data;
	long timeout = MAX_SCHEDULE_TIMEOUT, left;

	if (arg->timeout_ms >= 0)
		timeout = msecs_to_jiffies(min_t(s64, arg->timeout_ms, INT_MAX));
	left = wait_event_interruptible_timeout(vm->wait, v3_lx_vm_ended(vm), timeout);
	if (left < 0) {
		call->err = -EINTR;
		return v3_lx_fail(call, V3_ERR_AGAIN, "interrupted by a signal");
	}
	if (!left)
		return v3_lx_fail(call, V3_ERR_TIMEOUT, "VM '%s' did not end within %lld ms",
				  vm->name, arg->timeout_ms);
	return state_fill(call, vm, arg);
}

static enum v3_status do_vm_stats(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_vm_stats *arg = data;
	struct v3_vm_stats stats = {};
	struct v3_vm *core;

	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	v3_vm_stats(core, &stats);
	v3_lx_vm_leave(vm);
	arg->ram = stats.ram;
	arg->leaf_1g = stats.leaf_1g;
	arg->leaf_2m = stats.leaf_2m;
	arg->leaf_4k = stats.leaf_4k;
	arg->table_pages = stats.table_pages;
	arg->vmm_bytes = stats.vmm_bytes;
	arg->vcpu_bytes = stats.vcpu_bytes;
	arg->num_vcpus = vm->num_vcpus;
	return V3_OK;
}

static void vcpu_stats_fill(struct v3_ioc_vcpu_stats *arg, const struct v3_vcpu_stats *stats)
{
	memset(arg->exits, 0, sizeof(arg->exits));
	memcpy(arg->exits, stats->exits, sizeof(stats->exits));
	arg->num_exits = V3_EXIT_COUNT;
	arg->injected = stats->injected;
	arg->ram_faults = stats->ram_faults;
	arg->halts = stats->halts;
	arg->run_ns = stats->run_ns;
	arg->halt_ns = stats->halt_ns;
}

static enum v3_status do_vcpu_stats(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_vcpu_stats *arg = data;
	struct v3_vcpu_stats stats = {};
	struct v3_vcpu *vcpu;
	struct v3_vm *core;
	enum v3_status status;

	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	if (arg->vcpu >= vm->num_vcpus)
		return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' has no vCPU %u", vm->name,
				  arg->vcpu);
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	vcpu = v3_vm_vcpu(core, arg->vcpu);
	status = v3_vcpu_stats(vcpu, &stats);
	arg->cpu = v3_vcpu_cpu(vcpu);
	v3_lx_vm_leave(vm);
	if (!status)
		vcpu_stats_fill(arg, &stats);
	return status;
}

static enum v3_status do_console(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_console *arg = data;
	enum v3_status status;

	arg->fd = -1;
	if (!v3_lx_vm_enter(vm))
		return v3_lx_gone(call, vm);
	status = v3_lx_console_open(call, vm, arg);
	v3_lx_vm_leave(vm);
	return status;
}

static const struct v3_lx_request requests[] = {
	{ V3_IOC_LOAD_LINUX, do_load_linux },
	{ V3_IOC_LOAD_SEGMENTS, do_load_segments },
	{ V3_IOC_LOAD_MULTIBOOT, do_load_multiboot },
	{ V3_IOC_START, do_start },
	{ V3_IOC_PAUSE, do_pause },
	{ V3_IOC_RESUME, do_resume },
	{ V3_IOC_STOP, do_stop },
	{ V3_IOC_DESTROY, do_destroy },
	{ V3_IOC_DETACH, do_detach },
	{ V3_IOC_STATE, do_state },
	{ V3_IOC_WAIT, do_wait },
	{ V3_IOC_VM_STATS, do_vm_stats },
	{ V3_IOC_VCPU_STATS, do_vcpu_stats },
	{ V3_IOC_CONSOLE, do_console },
	{ V3_IOC_RESET, v3_lx_do_reset },
	{ V3_IOC_NMI, v3_lx_do_nmi },
	{ V3_IOC_INSPECT, v3_lx_do_inspect },
	{ V3_IOC_TRACE, v3_lx_do_trace },
	{ V3_IOC_TRACE_READ, v3_lx_do_trace_read },
	{ V3_IOC_RESTORE, v3_lx_do_vm_restore },
	{ V3_IOC_NOTE, v3_lx_do_note },
	{ V3_IOC_NOISE, v3_lx_do_noise },
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct v3_lx_vm_file *data = file->private_data;

	return v3_lx_ioctl(requests, ARRAY_SIZE(requests), data->vm, data->vm, cmd, arg);
}

static __poll_t vm_poll(struct file *file, poll_table *table)
{
	struct v3_lx_vm_file *data = file->private_data;
	struct v3_lx_vm *vm = data->vm;

	poll_wait(file, &vm->wait, table);
	if (!v3_lx_vm_ended(vm))
		return 0;
	return READ_ONCE(vm->dead) ? EPOLLIN | EPOLLRDNORM | EPOLLHUP : EPOLLIN | EPOLLRDNORM;
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct v3_lx_vm_file *data = file->private_data;

	if (data->owner && !READ_ONCE(data->vm->detached))
		v3_lx_vm_destroy(data->vm);
	v3_lx_vm_put(data->vm);
	kfree(data);
	return 0;
}

const struct file_operations v3_lx_vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = vm_poll,
	.release = vm_release,
};
