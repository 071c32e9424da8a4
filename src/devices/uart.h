/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550A UART at COM1 (ports 0x3F8-0x3FF, GSI 4), connected to a console of the VM.
 */
#ifndef V3_DEVICES_UART_H
#define V3_DEVICES_UART_H

#include <v3/device.h>

#define V3_COM1_PORT 0x3f8
#define V3_COM1_GSI 4

/**
 * Adds a UART whose line is console @p console. Errors as v3_io_hook() and v3_console_attach(),
 * V3_ERR_NOMEM. Context: process.
 */
enum v3_status v3_uart_create(struct v3_vm *vm, uint16_t port, unsigned int gsi,
			      unsigned int console);

#endif
