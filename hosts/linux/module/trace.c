/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Linux tracepoints. While none of them is enabled libv3 does not call v3_lx_trace() at all; each
 * is behind a static key of its own besides.
 */
#include <linux/mutex.h>
#include <linux/version.h>

#include "lx.h"

/* From 6.10 on the kernel remembers the string from __string(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define v3_lx_assign_str(field, value) __assign_str(field)
#else
#define v3_lx_assign_str(field, value) __assign_str(field, value)
#endif

#define CREATE_TRACE_POINTS
#include "trace_points.h"

#undef V3_LX_EXIT
#undef V3_LX_EXIT_LAST
#define V3_LX_EXIT(kind, name) +1
#define V3_LX_EXIT_LAST(kind, name) +1
static_assert(V3_LX_EXITS == V3_EXIT_COUNT);

/* How many tracepoints are enabled, under v3_lx_vms_lock. */
static unsigned int users;

static void set_all(bool on)
{
	struct v3_lx_vm *vm;
	struct v3_vm *core;

	list_for_each_entry(vm, &v3_lx_vms, link) {
		core = v3_lx_vm_enter(vm);
		if (!core)
			continue;
		v3_trace_host(core, on);
		v3_lx_vm_leave(vm);
	}
}

int v3_lx_trace_reg(void)
{
	mutex_lock(&v3_lx_vms_lock);
	if (!users++)
		set_all(true);
	mutex_unlock(&v3_lx_vms_lock);
	return 0;
}

void v3_lx_trace_unreg(void)
{
	mutex_lock(&v3_lx_vms_lock);
	if (!--users)
		set_all(false);
	mutex_unlock(&v3_lx_vms_lock);
}

void v3_lx_trace_vm(struct v3_vm *core)
{
	if (users)
		v3_trace_host(core, true);
}

void v3_lx_trace(void *ctx, struct v3_vcpu *vcpu, void *vm_ctx,
		 const struct v3_trace_event *event)
{
	const struct v3_lx_vm *vm = vm_ctx;
	unsigned int index = v3_vcpu_index(vcpu);

	switch (event->kind) {
	case V3_TRACE_ENTRY:
		trace_v3_entry(vm->name, index, event->rip);
		break;
	case V3_TRACE_EXIT:
		trace_v3_exit(vm->name, index, event->code, event->rip, event->info,
			      event->info2);
		break;
	case V3_TRACE_INJECT:
		trace_v3_inject(vm->name, index, event->code, event->vector, event->info);
		break;
	default:
		break;
	}
}
