/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware at V3_PC_PM_BASE (ACPI 6.3, 4.8.3): PM1a event and control registers and
 * the power-management timer. ACPI mode is always on; the SCI is GSI 9, level triggered.
 */
#ifndef V3_DEVICES_ACPI_PM_H
#define V3_DEVICES_ACPI_PM_H

#include <v3/device.h>

#define V3_ACPI_SCI_GSI 9
#define V3_ACPI_PM_TIMER_HZ 3579545u
/** Offsets from V3_PC_PM_BASE. */
#define V3_ACPI_PM1_EVENT 0	/**< status, then enable, 16 bits each */
#define V3_ACPI_PM1_CONTROL 4
#define V3_ACPI_PM_TIMER 8
/** SLP_TYP of S5, as the _S5 package tells. */
#define V3_ACPI_S5_TYPE 5

/** Adds the device. Errors as v3_io_hook(), V3_ERR_NOMEM. Context: process. */
enum v3_status v3_acpi_pm_create(struct v3_vm *vm);

#endif
