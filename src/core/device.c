/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices as wholes: their list, interrupt lines, reset, and saved state. */
#include "core/vm.h"

enum v3_status v3_device_add(struct v3_vm *vm, const struct v3_device_ops *ops, void *ctx)
{
	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (!ops || !ops->name)
		return V3_ERR_INVALID;
	if (vm->num_devices == V3_MAX_DEVICES)
		return V3_ERR_NOMEM;
	vm->devices[vm->num_devices++] = (struct v3_device){ ops, ctx };
	return V3_OK;
}

const char *v3_device_name(const struct v3_vm *vm, unsigned int index)
{
	return index < vm->num_devices ? vm->devices[index].ops->name : NULL;
}

enum v3_status v3_irq_claim(struct v3_vm *vm, unsigned int gsi)
{
	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (gsi >= V3_NUM_GSI)
		return V3_ERR_RANGE;
	if (vm->claimed_gsis & (1u << gsi))
		return V3_ERR_EXIST;
	vm->claimed_gsis |= 1u << gsi;
	return V3_OK;
}

void v3_devices_reset(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->num_devices; i++)
		if (vm->devices[i].ops->reset)
			vm->devices[i].ops->reset(vm->devices[i].ctx);
}

void v3_devices_destroy(struct v3_vm *vm)
{
	while (vm->num_devices) {
		struct v3_device *device = &vm->devices[--vm->num_devices];

		if (device->ops->destroy)
			device->ops->destroy(device->ctx);
	}
}

/* --- Saved state --- */

static enum v3_status save(struct v3_vm *vm, unsigned int index, void *buf, size_t room,
			   size_t *len)
{
	const struct v3_device *device;

	if (index >= vm->num_devices)
		return V3_ERR_NOENT;
	device = &vm->devices[index];
	if (!device->ops->save)
		return V3_ERR_NOTSUP;
	*len = device->ops->save(device->ctx, buf, room);
	return *len > room ? V3_ERR_RANGE : V3_OK;
}

static enum v3_status load(struct v3_vm *vm, unsigned int index, const void *buf, size_t len)
{
	const struct v3_device *device;

	if (index >= vm->num_devices)
		return V3_ERR_NOENT;
	device = &vm->devices[index];
	return device->ops->load ? device->ops->load(device->ctx, buf, len) : V3_ERR_NOTSUP;
}

enum v3_status v3_device_save(struct v3_vm *vm, unsigned int index, void *buf, size_t room,
			      size_t *len)
{
	enum v3_status status = V3_ERR_STATE;

	*len = 0;
	v3_control_enter(vm);
	if (v3_control_is_still(vm))
		status = save(vm, index, buf, room, len);
	v3_control_leave(vm);
	return status;
}

enum v3_status v3_device_load(struct v3_vm *vm, unsigned int index, const void *buf, size_t len)
{
	enum v3_status status = V3_ERR_STATE;

	v3_control_enter(vm);
	if (v3_control_is_still(vm))
		status = load(vm, index, buf, len);
	v3_control_leave(vm);
	return status;
}
