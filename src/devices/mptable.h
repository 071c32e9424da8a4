/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MP table, for guests that do not read ACPI: Intel MultiProcessor Specification 1.4 (242016),
 * chapter 4. It says what the MADT says, as far as it can.
 */
#ifndef V3_DEVICES_MPTABLE_H
#define V3_DEVICES_MPTABLE_H

#include <stddef.h>

#include <v3/device.h>

/** Most bytes that v3_mptable_build() can need, for V3_MAX_VCPUS. */
#define V3_MPTABLE_MAX_SIZE 2048

/**
 * Builds floating pointer structure and configuration table as they have to lie from V3_PC_MP_GPA
 * on. Local APIC IDs are vCPU indices; those that 8 bits cannot hold are left out.
 * @return bytes used, or 0 if @p size is too small. Context: any.
 */
size_t v3_mptable_build(uint8_t *buf, size_t size, unsigned int num_vcpus);

/**
 * Writes the table into guest memory. V3_ERR_RANGE: no guest memory there. Context: process; VM
 * in V3_VM_CREATED.
 */
enum v3_status v3_mptable_write(struct v3_vm *vm);

#endif
