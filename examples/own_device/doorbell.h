/* SPDX-License-Identifier: BSD-2-Clause */
/* A device that libv3 does not have: a doorbell with a counter and a one-shot timer. */
#ifndef DOORBELL_H
#define DOORBELL_H

#include <v3/device.h>

#include "doorbell_regs.h"

/* v3_device_name() of it. */
#define DOORBELL_NAME "doorbell"

/*
 * Adds a doorbell to a VM that was not started, after v3_pc_attach(). V3_OK, or what a hook
 * refused; then the VM can only be destroyed.
 */
enum v3_status doorbell_attach(struct v3_vm *vm);

#endif
