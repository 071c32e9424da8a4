/* SPDX-License-Identifier: BSD-2-Clause */
/* The doorbell as a guest sees it. */
#ifndef DOORBELL_REGS_H
#define DOORBELL_REGS_H

/* 32 bits; a write rings as often as its value says, a read gives the low half of COUNT. */
#define DOORBELL_PORT		0x5d0

/* A page of 64-bit registers, read and written as 4 or 8 bytes at their start. */
#define DOORBELL_MMIO		0xfeb00000
#define DOORBELL_MMIO_SIZE	0x1000
#define DOORBELL_ID		0x00	/* read only */
#define DOORBELL_CONTROL	0x08
#define DOORBELL_STATUS		0x10	/* a 1 clears its bit */
#define DOORBELL_COUNT		0x18	/* rings since power-on; read only */
#define DOORBELL_DELAY		0x20	/* arms the timer: nanoseconds, 0 disarms; reads what is left */

#define DOORBELL_ID_VALUE	0x42443356	/* "V3DB" */
#define DOORBELL_ENABLE		(1u << 0)	/* CONTROL: interrupts while STATUS is not 0 */
#define DOORBELL_RUNG		(1u << 0)	/* STATUS */
#define DOORBELL_TIMER		(1u << 1)
#define DOORBELL_DELAY_MAX	1000000000000	/* longer ones are cut */

/* Level-triggered, a line that only the I/O APIC has */
#define DOORBELL_GSI		20

#endif
