/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC platform. Whatever a failed step leaves behind belongs to the VM's device list, so that
 * v3_vm_destroy() is all the unwinding there is.
 */
#include <v3/pc.h>

#include "core/pvclock.h"
#include "devices/acpi.h"
#include "devices/acpi_pm.h"
#include "devices/i8042.h"
#include "devices/intc.h"
#include "devices/mptable.h"
#include "devices/pci.h"
#include "devices/pit.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "devices/uart.h"

static enum v3_status pc_rtc(struct v3_vm *vm, const struct v3_pc_config *config)
{
	return v3_rtc_create(vm, config->rtc_seconds);
}

static enum v3_status pc_clock(struct v3_vm *vm, const struct v3_pc_config *config)
{
	return v3_pvclock_create(vm, config->rtc_seconds);
}

static enum v3_status pc_com1(struct v3_vm *vm, const struct v3_pc_config *config)
{
	(void)config;
	return v3_uart_create(vm, V3_COM1_PORT, V3_COM1_GSI, 0);
}

static enum v3_status pc_pci(struct v3_vm *vm, const struct v3_pc_config *config)
{
	(void)config;
	return v3_pci_create(vm, NULL);
}

/* Lines that nobody else may have; 2 is the 8259s' cascade. */
static enum v3_status pc_lines(struct v3_vm *vm, const struct v3_pc_config *config)
{
	static const uint8_t lines[] = {
		V3_PIT_GSI, V3_I8042_GSI, 2, V3_COM1_GSI, V3_RTC_GSI, V3_ACPI_SCI_GSI,
	};
	enum v3_status status = V3_OK;
	size_t i;

	(void)config;
	for (i = 0; status == V3_OK && i < sizeof(lines); i++)
		status = v3_irq_claim(vm, lines[i]);
	return status;
}

static enum v3_status tables_write(struct v3_vm *vm)
{
	enum v3_status status = v3_acpi_write(vm);

	return status == V3_OK ? v3_mptable_write(vm) : status;
}

/* The guest before may have used their memory. What fitted once fits again. */
static void tables_reset(void *ctx)
{
	tables_write(ctx);
}

static enum v3_status tables_create(struct v3_vm *vm)
{
	static const struct v3_device_ops ops = {
		.name = "firmware tables", .reset = tables_reset,
	};
	enum v3_status status = tables_write(vm);

	return status == V3_OK ? v3_device_add(vm, &ops, vm) : status;
}

#define PC_PLAIN(name, create) \
	static enum v3_status name(struct v3_vm *vm, const struct v3_pc_config *config) \
	{ \
		(void)config; \
		return create(vm); \
	}
PC_PLAIN(pc_intc, v3_intc_create)
PC_PLAIN(pc_pit, v3_pit_create)
PC_PLAIN(pc_reset, v3_reset_create)
PC_PLAIN(pc_i8042, v3_i8042_create)
PC_PLAIN(pc_acpi_pm, v3_acpi_pm_create)
PC_PLAIN(pc_tables, tables_create)

/* Interrupt controllers first: devices set their lines when they are created. */
static const struct {
	const char *name;
	enum v3_status (*create)(struct v3_vm *vm, const struct v3_pc_config *config);
} pc_steps[] = {
	{ "interrupt lines", pc_lines },
	{ "interrupt controllers", pc_intc },
	{ "PIT", pc_pit },
	{ "RTC", pc_rtc },
	{ "paravirtual clock", pc_clock },
	{ "COM1", pc_com1 },
	{ "PCI", pc_pci },
	{ "reset and exit ports", pc_reset },
	{ "8042", pc_i8042 },
	{ "ACPI registers", pc_acpi_pm },
	{ "firmware tables", pc_tables },
};

enum v3_status v3_pc_attach(struct v3_vm *vm, const struct v3_pc_config *config)
{
	enum v3_status status;
	size_t i;

	if (config->struct_size != sizeof(*config))
		return V3_ERR_VERSION;
	if (config->reserved)
		return V3_ERR_INVALID;
	if (v3_vm_state(vm, NULL) != V3_VM_CREATED)
		return V3_ERR_STATE;
	for (i = 0; i < sizeof(pc_steps) / sizeof(pc_steps[0]); i++) {
		status = pc_steps[i].create(vm, config);
		if (status) {
			v3_vm_log(vm, V3_LOG_ERROR, "PC platform: cannot add %s: %s",
				  pc_steps[i].name, v3_status_str(status));
			return status;
		}
	}
	return V3_OK;
}
