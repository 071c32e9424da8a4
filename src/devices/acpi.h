/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables of the PC platform: RSDP, XSDT, FADT, FACS, MADT and DSDT, and
 * SRAT and SLIT for a VM with several NUMA nodes.
 */
#ifndef V3_DEVICES_ACPI_H
#define V3_DEVICES_ACPI_H

#include <v3/device.h>

/** Most bytes that v3_acpi_build() can need, for V3_MAX_VCPUS and as many pieces of memory. */
#define V3_ACPI_MAX_SIZE 16384

/**
 * Builds everything as it has to lie from V3_PC_RSDP_GPA on.
 * @param vm whose NUMA nodes are shown if it has several; may be NULL.
 * @return bytes used, or 0 if @p size is too small. Context: any.
 */
size_t v3_acpi_build(uint8_t *buf, size_t size, unsigned int num_vcpus, struct v3_vm *vm);

/** Builds the DSDT's code, without its header; 0 if @p size is too small. */
size_t v3_acpi_build_dsdt(uint8_t *buf, size_t size);

/**
 * Writes the tables into guest memory. V3_ERR_RANGE: no guest memory there. Context: process; VM in
 * V3_VM_CREATED.
 */
enum v3_status v3_acpi_write(struct v3_vm *vm);

#endif
