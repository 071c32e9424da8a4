/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O APIC with 24 pins, version 0x20. Intel 82093AA data sheet (290566) section 3; the EOI
 * register of version 0x20 as in Intel's ICH data sheets. Polarity is kept but without effect:
 * a line's level in libv3 means "asserted".
 */
#ifndef V3_DEVICES_IOAPIC_H
#define V3_DEVICES_IOAPIC_H

#include <v3/device.h>

#include "lib/lock.h"

#define V3_IOAPIC_PINS 24
#define V3_IOAPIC_VERSION 0x20

struct v3_ioapic {
	struct v3_lock lock;
	/* All below: changed under the lock; registers are read without it. */
	uint64_t redir[V3_IOAPIC_PINS];
	uint32_t lines;		/* levels of the pins */
	uint32_t id;
	uint32_t index;
};

enum v3_status v3_ioapic_hook(struct v3_vm *vm, struct v3_ioapic *ioapic);
void v3_ioapic_reset(struct v3_ioapic *ioapic);
/* Sets a pin. Any context; pic.lock may be held. */
void v3_ioapic_set(struct v3_ioapic *ioapic, unsigned int pin, bool level);
/* EOI of a level-triggered vector. Any context. */
void v3_ioapic_eoi(struct v3_ioapic *ioapic, uint8_t vector);
/* Tries again what no local APIC took. Any context. */
void v3_ioapic_retry(struct v3_ioapic *ioapic);

#endif
