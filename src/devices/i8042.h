/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 8042 keyboard controller at ports 0x60 and 0x64 with nothing plugged in. It answers every
 * command that has an answer, so that no driver waits for a timeout, and it resets the machine.
 */
#ifndef V3_DEVICES_I8042_H
#define V3_DEVICES_I8042_H

#include <v3/device.h>

#define V3_I8042_GSI 1

/** Adds the device. Errors as v3_io_hook(), V3_ERR_NOMEM. Context: process. */
enum v3_status v3_i8042_create(struct v3_vm *vm);

#endif
