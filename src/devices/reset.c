/* SPDX-License-Identifier: BSD-2-Clause */
#include <v3/pc.h>

#include "devices/reset.h"

#define RESET_CPU 0x04u		/* 0xCF9: setting it resets, bit 1 says how hard */

#define DIAGNOSTIC_PORT 0x80
#define PORT92 0x92
#define PORT92_FAST_RESET 0x01u
#define PORT92_A20 0x02u
#define EXIT_PORT_SIZE 4

struct port92 {
	struct v3_vm *vm;	/* constant */
	uint8_t value;		/* atomic */
};

uint8_t v3_reset_read(struct v3_vm *vm)
{
	(void)vm;
	return 0;
}

void v3_reset_write(struct v3_vm *vm, uint8_t value)
{
	if (value & RESET_CPU)
		v3_vm_end(vm, V3_END_RESET, 0, "guest wrote 0x%x to the reset port 0x%x", value,
			  V3_RESET_PORT);
}

static uint32_t port92_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct port92 *p92 = ctx;

	(void)vcpu;
	(void)port;
	(void)size;
	return __atomic_load_n(&p92->value, __ATOMIC_RELAXED);
}

/* A20 reads back as written but is always open: no 64-bit system closes it. */
static void port92_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		       uint32_t value)
{
	struct port92 *p92 = ctx;

	(void)port;
	(void)size;
	__atomic_store_n(&p92->value, (uint8_t)(value & PORT92_A20), __ATOMIC_RELAXED);
	if (value & PORT92_FAST_RESET)
		v3_vm_end(v3_vcpu_vm(vcpu), V3_END_RESET, 0, "guest asked for a reset by port 0x%x",
			  PORT92);
}

static void exit_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	(void)ctx;
	(void)size;
	if (port == V3_PC_EXIT_PORT)
		v3_vm_end(v3_vcpu_vm(vcpu), V3_END_EXIT, value & 0xff,
			  "guest wrote %u to the exit port", value & 0xff);
}

static void port92_power_on(void *ctx)
{
	struct port92 *p92 = ctx;

	__atomic_store_n(&p92->value, PORT92_A20, __ATOMIC_RELAXED);
}

static void port92_destroy(void *ctx)
{
	struct port92 *p92 = ctx;

	v3_device_free(p92->vm, p92, sizeof(*p92));
}

static const struct v3_io_ops ignore_ops = { .in = NULL, .out = NULL };
static const struct v3_io_ops port92_io_ops = { .in = port92_in, .out = port92_out };
static const struct v3_io_ops exit_io_ops = { .in = NULL, .out = exit_out };
static const struct v3_device_ops port92_ops = {
	.name = "port92", .destroy = port92_destroy, .reset = port92_power_on,
};

enum v3_status v3_reset_create(struct v3_vm *vm)
{
	struct port92 *p92 = v3_device_alloc(vm, sizeof(*p92));
	enum v3_status status;

	if (!p92)
		return V3_ERR_NOMEM;
	p92->vm = vm;
	port92_power_on(p92);
	status = v3_device_add(vm, &port92_ops, p92);
	if (status) {
		port92_destroy(p92);
		return status;
	}
	status = v3_io_hook(vm, PORT92, 1, &port92_io_ops, p92);
	if (!status)
		status = v3_io_hook(vm, V3_PC_EXIT_PORT, EXIT_PORT_SIZE, &exit_io_ops, NULL);
	/* Operating systems write it as a delay: known, so that nobody logs it. */
	if (!status)
		status = v3_io_hook(vm, DIAGNOSTIC_PORT, 1, &ignore_ops, NULL);
	return status;
}
