/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What firmware leaves in the CMOS memory behind the clock's registers.
 */
#ifndef V3_DEVICES_CMOS_H
#define V3_DEVICES_CMOS_H

#include <v3/device.h>

#define V3_CMOS_SIZE 128

/** Fills equipment, memory sizes (from the VM's memory map) and checksum; no clock register. */
void v3_cmos_fill(struct v3_vm *vm, uint8_t cmos[V3_CMOS_SIZE]);

#endif
