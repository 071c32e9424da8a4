/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Requests of a VM's descriptor: reset, NMIs, looks at vCPUs and their traces, the note. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include <v3/device.h>

#include "lx.h"

/* Both have no holes and no type that differs between 32-bit and 64-bit callers. */
static_assert(sizeof(struct v3_trace_event) == 40);
static_assert(sizeof(struct v3_vcpu_inspection) == 1632);
static_assert(V3_IOC_TRACE_MAX <= V3_TRACE_EVENTS);

static enum v3_status reserved_set(struct v3_lx_call *call)
{
	return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields or unknown flags are not zero");
}

static enum v3_status no_vcpu(struct v3_lx_call *call, const struct v3_lx_vm *vm, u32 vcpu)
{
	return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' has no vCPU %u: its vCPUs are 0 to %u",
			  vm->name, vcpu, vm->num_vcpus - 1);
}

static enum v3_status bad_memory(struct v3_lx_call *call, const char *what)
{
	call->err = -EFAULT;
	return v3_lx_fail(call, V3_ERR_INVALID, "%s: not accessible memory", what);
}

/* --- Reset --- */

/* The owner of the VM does the rest, as when the guest asks. */
static enum v3_status ask(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core)
{
	enum v3_vm_state state = v3_vm_state(core, NULL);

	if (state != V3_VM_RUNNING && state != V3_VM_PAUSED)
		return v3_lx_state_result(call, vm, core, V3_ERR_STATE, "reset");
	v3_vm_end(core, V3_END_RESET, 0, "reset by the host");
	return V3_OK;
}

static enum v3_status reset(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core)
{
	enum v3_status status = v3_lx_setup_lock(call, vm);

	if (status)
		return status;
	status = v3_vm_reset(core);
	vm->loaded = false;
	WRITE_ONCE(vm->load_done, 0);
	mutex_unlock(&vm->setup);
	return status;
}

enum v3_status v3_lx_do_reset(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_reset *arg = data;
	enum v3_status status;
	struct v3_vm *core;

	if (arg->reserved || arg->flags & ~V3_IOC_RESET_ASK)
		return reserved_set(call);
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	status = arg->flags & V3_IOC_RESET_ASK ? ask(call, vm, core) : reset(call, vm, core);
	v3_lx_vm_leave(vm);
	return status;
}

/* --- NMI --- */

static enum v3_status nmi_one(struct v3_vm *core, unsigned int index)
{
	enum v3_vm_state state = v3_vm_state(core, NULL);

	if (state != V3_VM_RUNNING && state != V3_VM_PAUSED)
		return V3_ERR_STATE;
	v3_vcpu_nmi(v3_vm_vcpu(core, index));
	return V3_OK;
}

enum v3_status v3_lx_do_nmi(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_nmi *arg = data;
	enum v3_status status;
	struct v3_vm *core;

	if (arg->reserved)
		return reserved_set(call);
	if (arg->vcpu != -1 && (arg->vcpu < 0 || arg->vcpu >= vm->num_vcpus))
		return no_vcpu(call, vm, arg->vcpu);
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	status = arg->vcpu < 0 ? v3_vm_nmi(core) : nmi_one(core, arg->vcpu);
	status = v3_lx_state_result(call, vm, core, status, "send an NMI to");
	v3_lx_vm_leave(vm);
	return status;
}

/* --- Looks --- */

static enum v3_status inspect(struct v3_lx_call *call, struct v3_lx_vm *vm,
			      const struct v3_ioc_inspect *arg, struct v3_vcpu_inspection *out)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	enum v3_status status;

	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_vcpu_inspect(v3_vm_vcpu(core, arg->vcpu), arg->address, out);
	v3_lx_vm_leave(vm);
	if (status)
		return status;
	/* As the kernel keeps physical addresses from those who are not root elsewhere. */
	if (!capable(CAP_SYS_ADMIN))
		out->walk.hpa = V3_HPA_NONE;
	if (copy_to_user(u64_to_user_ptr(arg->inspection), out, sizeof(*out)))
		return bad_memory(call, "the inspection");
	return V3_OK;
}

enum v3_status v3_lx_do_inspect(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_inspect *arg = data;
	struct v3_vcpu_inspection *out;
	enum v3_status status;

	if (arg->size != sizeof(*out))
		return v3_lx_fail(call, V3_ERR_VERSION, "an inspection has %zu bytes, not %u",
				  sizeof(*out), arg->size);
	if (arg->vcpu >= vm->num_vcpus)
		return no_vcpu(call, vm, arg->vcpu);
	out = kzalloc(sizeof(*out), GFP_KERNEL);
	if (!out)
		return V3_ERR_NOMEM;
	status = inspect(call, vm, arg, out);
	kfree(out);
	return status;
}

/* --- The event trace --- */

enum v3_status v3_lx_do_trace(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_trace *arg = data;
	enum v3_status status;
	struct v3_vm *core;

	if (arg->reserved || arg->on > 1)
		return reserved_set(call);
	core = v3_lx_vm_enter(vm);
	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_trace_set(core, arg->on);
	v3_lx_vm_leave(vm);
	return status;
}

static enum v3_status trace_read(struct v3_lx_call *call, struct v3_lx_vm *vm,
				 struct v3_ioc_trace_read *arg, struct v3_trace_event *events)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	uint64_t position = arg->position, lost = 0;
	enum v3_status status;
	unsigned int count;

	if (!core)
		return v3_lx_gone(call, vm);
	status = v3_trace_read(v3_vm_vcpu(core, arg->vcpu), &position, events, arg->capacity,
			       &count, &lost);
	arg->on = v3_trace_is_on(core);
	v3_lx_vm_leave(vm);
	if (status == V3_ERR_NOENT)
		return v3_lx_fail(call, status, "the trace of VM '%s' was never turned on",
				  vm->name);
	if (status)
		return status;
	if (copy_to_user(u64_to_user_ptr(arg->events), events, count * sizeof(*events)))
		return bad_memory(call, "the array of events");
	arg->position = position;
	arg->lost = lost;
	arg->count = count;
	return V3_OK;
}

enum v3_status v3_lx_do_trace_read(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_trace_read *arg = data;
	struct v3_trace_event *events;
	enum v3_status status;

	if (arg->capacity > V3_IOC_TRACE_MAX)
		return v3_lx_fail(call, V3_ERR_RANGE, "at most %u events at a time",
				  V3_IOC_TRACE_MAX);
	if (arg->vcpu >= vm->num_vcpus)
		return no_vcpu(call, vm, arg->vcpu);
	events = kvcalloc(max(arg->capacity, 1u), sizeof(*events), GFP_KERNEL);
	if (!events)
		return V3_ERR_NOMEM;
	status = trace_read(call, vm, arg, events);
	kvfree(events);
	return status;
}

/* --- The note --- */

static enum v3_status note_set(struct v3_lx_call *call, struct v3_lx_vm *vm,
			       const struct v3_ioc_note *arg)
{
	void *note = NULL;

	if (arg->size > V3_IOC_NOTE_MAX)
		return v3_lx_fail(call, V3_ERR_RANGE, "a note of %u bytes: the longest is %u",
				  arg->size, V3_IOC_NOTE_MAX);
	if (arg->size) {
		note = kvmalloc(arg->size, GFP_KERNEL);
		if (!note)
			return V3_ERR_NOMEM;
		if (copy_from_user(note, u64_to_user_ptr(arg->data), arg->size)) {
			kvfree(note);
			return bad_memory(call, "the note");
		}
	}
	swap(vm->note, note);
	vm->note_size = arg->size;
	vm->note_uid = current_euid();
	kvfree(note);
	return V3_OK;
}

static enum v3_status note_get(struct v3_lx_call *call, struct v3_lx_vm *vm,
			       struct v3_ioc_note *arg)
{
	u32 room = arg->size;

	arg->size = vm->note_size;
	arg->uid = from_kuid_munged(current_user_ns(), vm->note_uid);
	if (!vm->note)
		return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' has no note", vm->name);
	if (room < vm->note_size)
		return v3_lx_fail(call, V3_ERR_RANGE, "the note has %u bytes", vm->note_size);
	if (copy_to_user(u64_to_user_ptr(arg->data), vm->note, vm->note_size))
		return bad_memory(call, "room for the note");
	return V3_OK;
}

enum v3_status v3_lx_do_note(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_vm *vm = target;
	struct v3_ioc_note *arg = data;
	enum v3_status status;

	if (arg->reserved || arg->flags & ~V3_IOC_NOTE_SET)
		return reserved_set(call);
	if (!v3_lx_vm_enter(vm))
		return v3_lx_gone(call, vm);
	status = v3_lx_setup_lock(call, vm);
	if (!status) {
		status = arg->flags & V3_IOC_NOTE_SET ? note_set(call, vm, arg) :
							note_get(call, vm, arg);
		mutex_unlock(&vm->setup);
	}
	v3_lx_vm_leave(vm);
	return status;
}
