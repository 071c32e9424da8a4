/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MC146818 real-time clock with 128 bytes of CMOS memory at ports 0x70 and 0x71, GSI 8.
 */
#ifndef V3_DEVICES_RTC_H
#define V3_DEVICES_RTC_H

#include <v3/device.h>

#define V3_RTC_PORT 0x70
#define V3_RTC_GSI 8
/** Index of the century register, as the FADT tells. */
#define V3_RTC_CENTURY 0x32

/**
 * Adds the device; it shows @p unix_seconds (UTC) at VM time 0. Errors as v3_io_hook(),
 * V3_ERR_NOMEM, V3_ERR_RANGE (after the year 9999). Context: process.
 */
enum v3_status v3_rtc_create(struct v3_vm *vm, uint64_t unix_seconds);

#endif
