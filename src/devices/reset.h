/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways a guest ends its VM with a port: reset register (0xCF9), fast reset (0x92) and exit
 * port (0xF4). Also the diagnostic port 0x80, which does nothing.
 */
#ifndef V3_DEVICES_RESET_H
#define V3_DEVICES_RESET_H

#include <v3/device.h>

/** Reset control register; inside the ports of PCI's address register, which passes it on. */
#define V3_RESET_PORT 0xcf9
/** What the FADT says to write there: a hard reset. */
#define V3_RESET_VALUE 0x06

uint8_t v3_reset_read(struct v3_vm *vm);
void v3_reset_write(struct v3_vm *vm, uint8_t value);

/** Adds ports 0x80, 0x92 and 0xF4. Errors as v3_io_hook(), V3_ERR_NOMEM. Context: process. */
enum v3_status v3_reset_create(struct v3_vm *vm);

#endif
