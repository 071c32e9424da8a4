/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 8254 interval timer at ports 0x40-0x43 and the system control port 0x61.
 * Channel 0 drives GSI 0, channel 2 is gated and read through port 0x61.
 */
#ifndef V3_DEVICES_PIT_H
#define V3_DEVICES_PIT_H

#include <v3/device.h>

/** Input clock of all three channels. */
#define V3_PIT_HZ 1193182u
#define V3_PIT_GSI 0

/** Adds the device. Errors as v3_io_hook(), V3_ERR_NOMEM. Context: process. */
enum v3_status v3_pit_create(struct v3_vm *vm);

#endif
