/* SPDX-License-Identifier: BSD-2-Clause */
/* Life cycle: start, pause, resume, stop, end. One control call at a time per VM. */
#include "core/vm.h"

#include "lib/format.h"
#include "lib/mem.h"

void v3_control_enter(struct v3_vm *vm)
{
	while (__atomic_exchange_n(&vm->control, 1, __ATOMIC_ACQUIRE))
		v3_os_event_wait(vm->host, vm->control_free, UINT64_MAX);
}

/* Whoever leaves wakes one that waits; a signal that nobody waits for costs the next one a look. */
void v3_control_leave(struct v3_vm *vm)
{
	__atomic_store_n(&vm->control, 0, __ATOMIC_RELEASE);
	v3_os_event_signal(vm->host, vm->control_free);
}

/* Changes the state unless the VM has stopped meanwhile. */
static bool state_change(struct v3_vm *vm, enum v3_vm_state state)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	bool ok = vm->state != V3_VM_STOPPED;

	if (ok)
		__atomic_store_n(&vm->state, state, __ATOMIC_RELEASE);
	v3_lock_irqrestore(&vm->lock, flags);
	return ok;
}

static void notify(struct v3_vm *vm)
{
	vm->host->os.state_notify(vm->host->os.ctx, vm, vm->ctx);
}

static bool all_parked(const struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++) {
		uint32_t parked = __atomic_load_n(&vm->vcpus[i]->parked, __ATOMIC_ACQUIRE);

		if (vm->vcpus[i]->thread && parked != vm->pauses && parked != V3_PARKED_FOR_GOOD)
			return false;
	}
	return true;
}

/* Every vCPU signals the event when it parks or its thread ends. */
static void wait_parked(struct v3_vm *vm)
{
	while (!all_parked(vm))
		v3_os_event_wait(vm->host, vm->control_event, UINT64_MAX);
}

static void unpark(struct v3_vm *vm)
{
	unsigned int i;

	v3_vm_clock_go_on(vm);
	for (i = 0; i < vm->num_vcpus; i++) {
		struct v3_vcpu *vcpu = vm->vcpus[i];

		__atomic_fetch_and(&vcpu->requests, ~V3_REQ_PAUSE, __ATOMIC_SEQ_CST);
		v3_os_event_signal(vm->host, vcpu->event);
	}
}

static void join_all(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++) {
		struct v3_vcpu *vcpu = vm->vcpus[i];

		if (vcpu && vcpu->thread) {
			v3_os_thread_join(vm->host, vcpu->thread);
			vcpu->thread = NULL;
		}
	}
}

bool v3_control_is_still(struct v3_vm *vm)
{
	enum v3_vm_state state = v3_vm_state(vm, NULL);

	if (state == V3_VM_STOPPED)
		join_all(vm);
	return state != V3_VM_RUNNING;
}

static void request_all(struct v3_vm *vm, uint32_t request)
{
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++)
		if (vm->vcpus[i])
			v3_vcpu_request(vm->vcpus[i], request);
}

/*
 * A request that goes with the state, which a reset takes back with it. Caller holds lock, and
 * tells them after.
 */
static void mark_all(struct v3_vm *vm, uint32_t request)
{
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++)
		if (vm->vcpus[i])
			__atomic_fetch_or(&vm->vcpus[i]->requests, request, __ATOMIC_SEQ_CST);
}

/*
 * Pauses are counted, so that an answer to the one before is not taken for one to this: a vCPU may
 * sleep through a resume and the pause after it.
 */
static void request_pause(struct v3_vm *vm)
{
	uint32_t next = vm->pauses + 1;

	__atomic_store_n(&vm->pauses, next == V3_PARKED_FOR_GOOD ? 1 : next, __ATOMIC_SEQ_CST);
	request_all(vm, V3_REQ_PAUSE);
}

/* --- Start --- */

static enum v3_status threads_start(struct v3_vm *vm)
{
	char name[24];
	enum v3_status status = V3_OK;
	unsigned int i;

	for (i = 0; status == V3_OK && i < vm->num_vcpus; i++) {
		struct v3_vcpu *vcpu = vm->vcpus[i];
		int cpu = v3_vcpu_choose_cpu(vcpu);

		__atomic_store_n(&vcpu->parked, 0, __ATOMIC_RELAXED);
		v3_snprintf(name, sizeof(name), "v3/%s/%u", vm->name, i);
		status = v3_os_thread_start(vm->host, name, cpu, v3_vcpu_thread, vcpu,
					    &vcpu->thread);
		if (status != V3_OK)
			v3_vm_log(vm, V3_LOG_ERROR, "vCPU %u: no thread on CPU %d: %s", i,
				  cpu, v3_status_str(status));
	}
	return status;
}

/* Threads report their start parked; the first error counts. */
static enum v3_status threads_check(struct v3_vm *vm)
{
	unsigned int i;

	wait_parked(vm);
	for (i = 0; i < vm->num_vcpus; i++)
		if (vm->vcpus[i]->thread && vm->vcpus[i]->start_status != V3_OK)
			return vm->vcpus[i]->start_status;
	return V3_OK;
}

/* Back to CREATED: nothing has run. */
static void threads_undo(struct v3_vm *vm)
{
	unsigned int i;

	request_all(vm, V3_REQ_STOP);
	join_all(vm);
	for (i = 0; i < vm->num_vcpus; i++)
		__atomic_fetch_and(&vm->vcpus[i]->requests, ~(V3_REQ_STOP | V3_REQ_PAUSE),
				   __ATOMIC_SEQ_CST);
}

static enum v3_status start_locked(struct v3_vm *vm)
{
	enum v3_status status, other;

	if (v3_vm_state(vm, NULL) != V3_VM_CREATED)
		return V3_ERR_STATE;
	request_pause(vm);
	status = threads_start(vm);
	other = threads_check(vm);
	if (status == V3_OK)
		status = other;
	if (status != V3_OK) {
		threads_undo(vm);
		return status;
	}
	if (!state_change(vm, V3_VM_RUNNING))
		return V3_ERR_STATE;
	unpark(vm);
	return V3_OK;
}

enum v3_status v3_vm_start(struct v3_vm *vm)
{
	enum v3_status status;

	v3_control_enter(vm);
	status = start_locked(vm);
	v3_control_leave(vm);
	if (status == V3_OK)
		notify(vm);
	return status;
}

/* --- Pause and resume --- */

static enum v3_status pause_locked(struct v3_vm *vm)
{
	if (v3_vm_state(vm, NULL) != V3_VM_RUNNING)
		return V3_ERR_STATE;
	request_pause(vm);
	wait_parked(vm);
	v3_vm_clock_stop(vm);
	return state_change(vm, V3_VM_PAUSED) ? V3_OK : V3_ERR_STATE;
}

enum v3_status v3_vm_pause(struct v3_vm *vm)
{
	enum v3_status status;

	v3_control_enter(vm);
	status = pause_locked(vm);
	v3_control_leave(vm);
	if (status == V3_OK)
		notify(vm);
	return status;
}

enum v3_status v3_vm_resume(struct v3_vm *vm)
{
	enum v3_status status = V3_ERR_STATE;

	v3_control_enter(vm);
	if (v3_vm_state(vm, NULL) == V3_VM_PAUSED && state_change(vm, V3_VM_RUNNING)) {
		unpark(vm);
		status = V3_OK;
	}
	v3_control_leave(vm);
	if (status == V3_OK)
		notify(vm);
	return status;
}

/* --- Stopping for a moment --- */

void v3_vm_freeze(struct v3_vm *vm)
{
	enum v3_vm_state state;

	v3_control_enter(vm);
	state = v3_vm_state(vm, NULL);
	vm->frozen = state == V3_VM_RUNNING;
	if (state == V3_VM_CREATED || state == V3_VM_PAUSED)
		return;
	/* Threads of one that has ended are on their way out: that counts as parking, too. */
	request_pause(vm);
	wait_parked(vm);
	if (vm->frozen)
		v3_vm_clock_stop(vm);
}

void v3_vm_thaw(struct v3_vm *vm)
{
	if (vm->frozen)
		unpark(vm);
	vm->frozen = false;
	v3_control_leave(vm);
}

/* --- End --- */

void v3_vm_end(struct v3_vm *vm, enum v3_end_kind kind, uint32_t code, const char *fmt, ...)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	bool first = vm->state != V3_VM_STOPPED;
	char reason[V3_REASON_MAX + 1] = "";
	va_list args;

	if (first) {
		vm->end.kind = kind;
		vm->end.code = code;
		va_start(args, fmt);
		v3_vsnprintf(vm->end.reason, sizeof(vm->end.reason), fmt, args);
		va_end(args);
		memcpy(reason, vm->end.reason, sizeof(reason));
		__atomic_store_n(&vm->state, V3_VM_STOPPED, __ATOMIC_RELEASE);
		mark_all(vm, V3_REQ_STOP);
	}
	v3_lock_irqrestore(&vm->lock, flags);
	if (!first)
		return;
	/* Nothing more to ask of them, but to notice. */
	request_all(vm, 0);
	if (kind == V3_END_CRASH || kind == V3_END_ERROR)
		v3_host_log(vm->host, V3_LOG_WARN, "v3: %s: %s", vm->name, reason);
	notify(vm);
}

enum v3_status v3_vm_stop(struct v3_vm *vm)
{
	v3_vm_end(vm, V3_END_KILLED, 0, "stopped by the host");
	v3_control_enter(vm);
	/* A reset, and even a new start, may have come before our turn. */
	v3_vm_end(vm, V3_END_KILLED, 0, "stopped by the host");
	join_all(vm);
	v3_control_leave(vm);
	return V3_OK;
}

/* --- NMI --- */

enum v3_status v3_vm_nmi(struct v3_vm *vm)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	bool ok = vm->state == V3_VM_RUNNING || vm->state == V3_VM_PAUSED;

	/* Not after a reset: a guest that has just begun has no handler. */
	if (ok)
		mark_all(vm, V3_REQ_NMI);
	v3_lock_irqrestore(&vm->lock, flags);
	if (!ok)
		return V3_ERR_STATE;
	request_all(vm, 0);
	return V3_OK;
}

/* --- For a reset --- */

void v3_control_join(struct v3_vm *vm)
{
	request_all(vm, V3_REQ_STOP);
	join_all(vm);
}

void v3_control_created(struct v3_vm *vm)
{
	const uint32_t keep = V3_REQ_INTR | V3_REQ_TIMER;
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++)
		__atomic_fetch_and(&vm->vcpus[i]->requests, keep, __ATOMIC_SEQ_CST);
	vm->end = (struct v3_vm_end){ .kind = V3_END_NONE };
	__atomic_store_n(&vm->state, V3_VM_CREATED, __ATOMIC_RELEASE);
	v3_lock_irqrestore(&vm->lock, flags);
	notify(vm);
}

enum v3_vm_state v3_vm_state(const struct v3_vm *vm, struct v3_vm_end *end)
{
	struct v3_lock *lock = (struct v3_lock *)(uintptr_t)&vm->lock;
	enum v3_vm_state state;
	uint64_t flags;

	if (!end)
		return __atomic_load_n(&vm->state, __ATOMIC_ACQUIRE);
	/* Together: a reset takes back an end. */
	flags = v3_lock_irqsave(lock);
	state = vm->state;
	*end = vm->end;
	v3_lock_irqrestore(lock, flags);
	return state;
}
