/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/interrupts: what each CPU has taken, and of whom.
 */
#ifndef V3_CLI_IRQS_H
#define V3_CLI_IRQS_H

#include "cli.h"

struct v3_irq {
	char label[16]; /* "4", "LOC" */
	char text[64];  /* "IO-APIC 4-edge ttyS0", "Local timer interrupts" */
	uint64_t count;
};

/*
 * The column of a CPU in a text like that of /proc/interrupts. *irqs is to be freed. Returns how
 * many rows there are, or -1 with a message.
 */
int v3_irqs_parse(const char *text, unsigned int cpu, struct v3_irq **irqs, struct v3_msg *msg);
/* The same of /proc/interrupts itself. */
int v3_irqs_read(unsigned int cpu, struct v3_irq **irqs, struct v3_msg *msg);

#endif
