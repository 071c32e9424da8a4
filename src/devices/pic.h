/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pair of 8259A interrupt controllers of a PC, with the edge/level registers of EISA.
 * Intel 8259A data sheet (231468); Intel 82371AB data sheet 4.1.4 (ELCR).
 */
#ifndef V3_DEVICES_PIC_H
#define V3_DEVICES_PIC_H

#include <v3/device.h>

#include "lib/lock.h"

/* One 8259A. Priorities rotate: level `top` is the highest, top - 1 (modulo 8) the lowest. */
struct v3_pic_chip {
	uint8_t irr, imr, isr;
	uint8_t lines;		/* levels of the inputs, to see edges */
	uint8_t elcr;		/* bit set: level-triggered */
	uint8_t base;		/* vector of input 0 (ICW2) */
	uint8_t top;
	uint8_t icw_next;	/* initialization word expected at the odd port; 0: none */
	bool icw4_needed, single;
	bool auto_eoi, rotate_auto_eoi;
	bool special_mask, special_nested;
	bool read_isr, poll;
};

struct v3_pic {
	struct v3_lock lock;
	/* All below: under the lock; output, poll and the masks are also read without it. */
	struct v3_pic_chip master, slave;
	bool output;
};

enum v3_status v3_pic_hook(struct v3_vm *vm, struct v3_pic *pic);
void v3_pic_reset(struct v3_pic *pic);
/* Sets input 0-15. Any context. */
void v3_pic_set(struct v3_pic *pic, unsigned int irq, bool level);
/* INTA cycle: the vector, a spurious one (input 7) if the request is gone. Any context. */
uint8_t v3_pic_intack(struct v3_pic *pic);

/* The vector that an INTA cycle would give now. Any context. */
int v3_pic_vector(struct v3_pic *pic);

/* INTR, without a lock: it may change at once. */
static inline bool v3_pic_output(const struct v3_pic *pic)
{
	return __atomic_load_n(&pic->output, __ATOMIC_ACQUIRE);
}

#endif
