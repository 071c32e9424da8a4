/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controllers of a PC as one device: a local APIC per vCPU, an I/O APIC and the 8259
 * pair, wired as in an Intel MP system: the pair's output goes to LINT0 of every local APIC and to
 * pin 0 of the I/O APIC; ISA interrupt 0 is pin 2, the others are the pin of their number.
 *
 * Locks, in this order: pic.lock, ioapic.lock. Local APICs have none: others touch only their
 * atomic words. v3_vcpu_check_intr() and its kin may be called with any of them held.
 */
#ifndef V3_DEVICES_INTC_H
#define V3_DEVICES_INTC_H

#include <v3/device.h>

#include "core/intr.h"
#include "ioapic.h"
#include "lapic.h"
#include "pic.h"

struct v3_intc {
	/* Constant after creation. */
	struct v3_vm *vm;
	unsigned int num_lapics;
	/* Where the next lowest-priority arbitration starts; any value is right, so no lock. */
	unsigned int rotor;
	struct v3_pic pic;
	struct v3_ioapic ioapic;
	struct v3_lapic lapic[];	/* indexed by v3_lapic.id */
};

static inline struct v3_intc *v3_lapic_intc(const struct v3_lapic *la)
{
	return (struct v3_intc *)((char *)(la - la->id) - offsetof(struct v3_intc, lapic));
}

/* An interrupt message: what an ICR write or an I/O APIC pin sends. */
struct v3_intr_msg {
	uint32_t dest;
	uint8_t vector;
	uint8_t mode;	/* V3_APIC_DM_* */
	bool logical;
	bool level;
	bool wide;	/* 32-bit destination of an x2APIC sender; else 8 bits */
};

/**
 * Builds the interrupt controllers of a VM and attaches them to it; they live as long as it does.
 * V3_OK, V3_ERR_NOMEM, V3_ERR_EXIST, V3_ERR_STATE. After an error the VM can only be
 * destroyed: its hooks may point to what is gone. Context: process.
 */
enum v3_status v3_intc_create(struct v3_vm *vm);

/* Delivers a message to all it is for, or to one of them; true if any took it. Any context. */
bool v3_intc_send(struct v3_intc *intc, const struct v3_intr_msg *msg);

/* The 8259 pair's output changed. Called with pic.lock held. */
void v3_intc_pic_output(struct v3_intc *intc, bool level);

#endif
