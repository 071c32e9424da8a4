/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file pc.h
 * The PC platform: all devices and firmware tables a PC operating system expects, in one call.
 */
#ifndef V3_PC_H
#define V3_PC_H

#include <v3/v3.h>

/** Guest-physical address of each vCPU's local APIC at its start. */
#define V3_PC_LAPIC_BASE 0xFEE00000ull
/** Guest-physical address of the I/O APIC. */
#define V3_PC_IOAPIC_BASE 0xFEC00000ull
/** ACPI power-management registers: event, control and timer blocks. */
#define V3_PC_PM_BASE 0x600
/** Where the RSDP and the tables are; written anew at each reset. */
#define V3_PC_RSDP_GPA 0xF0000ull
/** Where the tables begin that the RSDP leads to. */
#define V3_PC_TABLES_GPA 0xF0040ull
/** Where they end at the latest. */
#define V3_PC_TABLES_END 0x100000ull
/** Where the MP table's floating pointer is, with the table behind it; so is this. */
#define V3_PC_MP_GPA 0xF8000ull
/** Guest exit port: the low byte written is the VM's exit code. */
#define V3_PC_EXIT_PORT 0xF4

/** What v3_pc_attach() builds. Zero it, then fill. */
struct v3_pc_config {
	/** sizeof(struct v3_pc_config). */
	uint32_t struct_size;
	/** Zero. */
	uint32_t reserved;
	/** Seconds since 1970 UTC that the RTC shows at creation. */
	uint64_t rtc_seconds;
};

/**
 * Adds LAPICs, IOAPIC, 8259 pair, 8254 with port 0x61, RTC/CMOS, the paravirtual clock of KVM
 * guests, COM1, PCI host bridge, ACPI power management, reset and exit ports, and writes ACPI
 * tables and MP table into guest memory. With memory on several nodes ACPI shows them to the guest,
 * numbered from 0 as the configuration names them.
 * @return V3_OK, V3_ERR_NOMEM, V3_ERR_EXIST, V3_ERR_STATE, V3_ERR_VERSION (struct_size),
 * V3_ERR_INVALID (reserved), V3_ERR_RANGE (rtc_seconds after the year 9999). On error the VM can
 * only be destroyed. Context: process.
 */
enum v3_status v3_pc_attach(struct v3_vm *vm, const struct v3_pc_config *config);

#endif
