/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * VM objects. libv3's VM inside one is only reached between v3_lx_vm_enter() and v3_lx_vm_leave();
 * destruction shuts that door, stops the VM, waits until all have left, and frees it. So
 * descriptors may outlive the VM, and no request holds a lock while it waits for something.
 *
 * A VM in the registry holds a reference on the module: a detached one has no descriptor.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "noise.h"
#include "own.h"

LIST_HEAD(v3_lx_vms);
DEFINE_MUTEX(v3_lx_vms_lock);
const char *v3_lx_refuse;

static void vm_free(struct kref *ref)
{
	struct v3_lx_vm *vm = container_of(ref, struct v3_lx_vm, ref);

	irq_work_sync(&vm->notify);
	put_pid(vm->owner);
	kvfree(vm->note);
	v3_lx_noise_free(vm);
	kfree(vm);
}

void v3_lx_vm_put(struct v3_lx_vm *vm)
{
	kref_put(&vm->ref, vm_free);
}

void v3_lx_vm_wake(struct v3_lx_vm *vm)
{
	unsigned int i;

	wake_up_all(&vm->wait);
	for (i = 0; i < V3_NUM_CONSOLES; i++)
		wake_up_all(&vm->consoles[i].wait);
}

static void notify_work(struct irq_work *work)
{
	v3_lx_vm_wake(container_of(work, struct v3_lx_vm, notify));
}

/*
 * Wakes waiters from any context. Under PREEMPT_RT a wait queue's lock may sleep; where that is
 * not allowed, as with preemption off on a vCPU's thread, the wakeup is left to irq_work's thread.
 */
void v3_lx_wake(wait_queue_head_t *queue, struct irq_work *work)
{
	if (!wq_has_sleeper(queue))
		return;
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())
		irq_work_queue(work);
	else
		wake_up_all(queue);
}

void v3_lx_state_notify(void *ctx, struct v3_vm *core, void *vm_ctx)
{
	struct v3_lx_vm *vm = vm_ctx;
	unsigned int i;

	v3_lx_wake(&vm->wait, &vm->notify);
	for (i = 0; i < V3_NUM_CONSOLES; i++)
		v3_lx_wake(&vm->consoles[i].wait, &vm->notify);
}

/* Needs v3_lx_vms_lock. The name of a dying VM is free, though its memory takes a while. */
static struct v3_lx_vm *find(const char *name)
{
	struct v3_lx_vm *vm;

	list_for_each_entry(vm, &v3_lx_vms, link)
		if (!READ_ONCE(vm->dead) && !strcmp(vm->name, name))
			return vm;
	return NULL;
}

static struct v3_lx_vm *vm_alloc(const char *name)
{
	struct v3_lx_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	unsigned int i;

	if (!vm)
		return NULL;
	kref_init(&vm->ref);
	strscpy(vm->name, name, sizeof(vm->name));
	vm->owner = get_pid(task_tgid(current));
	spin_lock_init(&vm->lock);
	mutex_init(&vm->setup);
	init_waitqueue_head(&vm->wait);
	init_irq_work(&vm->notify, notify_work);
	for (i = 0; i < V3_NUM_CONSOLES; i++)
		v3_lx_console_init(&vm->consoles[i]);
	return vm;
}

enum v3_status v3_lx_vm_new(struct v3_lx_call *call, const char *name, struct v3_lx_vm **out)
{
	struct v3_lx_vm *vm = vm_alloc(name);
	enum v3_status status = V3_OK;

	if (!vm)
		return v3_lx_fail(call, V3_ERR_NOMEM, "VM '%s': the host has no memory for it",
				  name);
	mutex_lock(&v3_lx_vms_lock);
	if (v3_lx_refuse) {
		status = v3_lx_fail(call, V3_ERR_BUSY, "cannot create VM '%s': %s", name,
				    v3_lx_refuse);
	} else if (find(name)) {
		status = v3_lx_fail(call, V3_ERR_EXIST,
				    "there is a VM '%s' already: choose another name", name);
	} else {
		__module_get(THIS_MODULE);
		if (list_empty(&v3_lx_vms))
			v3_lx_virt_begin();
		list_add_tail(&vm->link, &v3_lx_vms);
	}
	mutex_unlock(&v3_lx_vms_lock);
	if (status)
		v3_lx_vm_put(vm);
	else
		*out = vm;
	return status;
}

/* Drops the registry's reference. After the last VM, SVM goes back to whoever wants it next. */
static void unregister(struct v3_lx_vm *vm)
{
	mutex_lock(&v3_lx_vms_lock);
	v3_lx_own_release(vm);
	list_del(&vm->link);
	if (list_empty(&v3_lx_vms)) {
		v3_lx_virt_give_back();
		v3_lx_virt_end();
	}
	mutex_unlock(&v3_lx_vms_lock);
	v3_lx_vm_put(vm);
	/* the caller's descriptor, or its process's call, still holds the module */
	module_put(THIS_MODULE);
}

void v3_lx_vm_ready(struct v3_lx_vm *vm, struct v3_vm *core)
{
	mutex_lock(&v3_lx_vms_lock);
	v3_lx_trace_vm(core);
	spin_lock(&vm->lock);
	vm->core = core;
	spin_unlock(&vm->lock);
	mutex_unlock(&v3_lx_vms_lock);
}

void v3_lx_vm_abandon(struct v3_lx_vm *vm)
{
	unregister(vm);
}

struct v3_lx_vm *v3_lx_vm_find(const char *name)
{
	struct v3_lx_vm *vm;

	mutex_lock(&v3_lx_vms_lock);
	vm = find(name);
	if (vm)
		kref_get(&vm->ref);
	mutex_unlock(&v3_lx_vms_lock);
	return vm;
}

struct v3_vm *v3_lx_vm_enter(struct v3_lx_vm *vm)
{
	struct v3_vm *core;

	spin_lock(&vm->lock);
	core = vm->dead ? NULL : vm->core;
	if (core)
		vm->users++;
	spin_unlock(&vm->lock);
	return core;
}

void v3_lx_vm_leave(struct v3_lx_vm *vm)
{
	bool last;

	spin_lock(&vm->lock);
	last = --vm->users == 0 && vm->dead;
	spin_unlock(&vm->lock);
	if (last)
		wake_up_all(&vm->wait);
}

void v3_lx_vm_detach(struct v3_lx_vm *vm)
{
	spin_lock(&vm->lock);
	vm->detached = true;
	spin_unlock(&vm->lock);
}

bool v3_lx_vm_ended(struct v3_lx_vm *vm)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	bool ended;

	if (!core)
		return true;
	ended = v3_vm_state(core, NULL) == V3_VM_STOPPED;
	v3_lx_vm_leave(vm);
	return ended;
}

static bool idle(struct v3_lx_vm *vm)
{
	bool idle;

	spin_lock(&vm->lock);
	idle = vm->users == 0;
	spin_unlock(&vm->lock);
	return idle;
}

bool v3_lx_vm_destroy(struct v3_lx_vm *vm)
{
	struct v3_vm *core;

	spin_lock(&vm->lock);
	core = vm->dead ? NULL : vm->core;
	vm->dead = true;
	spin_unlock(&vm->lock);
	if (!core)
		return false;
	v3_lx_vm_wake(vm);
	v3_vm_stop(core);
	wait_event(vm->wait, idle(vm));
	v3_vm_destroy(core);
	/* the caller has a reference: the VM object is still there */
	unregister(vm);
	v3_lx_restore(READ_ONCE(vm->restore));
	return true;
}
