/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file intr.h
 * Between the core and the virtual interrupt controllers (src/devices): the core knows no LAPIC.
 */
#ifndef V3_CORE_INTR_H
#define V3_CORE_INTR_H

#include <v3/device.h>

/**
 * The interrupt controllers of a VM. peek, ack, tpr_get, tpr_set and pending are called on the
 * thread of the vCPU concerned, outside of the guest, with interrupts on or off; they must not
 * sleep.
 */
struct v3_intc_ops {
	/**
	 * Vector that the vCPU would take now (already above the processor priority), or -1.
	 * No side effect. If there is none but one waits behind the TPR alone,
	 * *tpr_blocked is set to true (the core then watches TPR writes), else false.
	 */
	int (*peek)(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked);
	/**
	 * Interrupt acknowledge: the vector the vCPU really takes (IRR to ISR, or 8259 INTA); -1 if
	 * it went away.
	 */
	int (*ack)(struct v3_vcpu *vcpu, void *ctx);
	/** Task priority as CR8 (bits 3:0). */
	unsigned int (*tpr_get)(struct v3_vcpu *vcpu, void *ctx);
	void (*tpr_set)(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8);
	/** Behind v3_irq_set(). Any context. */
	void (*irq_set)(void *ctx, unsigned int gsi, bool level);
	/**
	 * The vCPU got an INIT: its local controller goes to INIT state (SDM 3A 11.4.7.3). On the
	 * vCPU's thread.
	 */
	void (*init)(struct v3_vcpu *vcpu, void *ctx);
	/**
	 * The time of v3_vcpu_timer_set() has come (@p due), or the guest has set its TSC before
	 * that; the timer is off then. May be NULL if v3_vcpu_timer_set() is never called. On the
	 * vCPU's thread.
	 */
	void (*timer)(struct v3_vcpu *vcpu, void *ctx, bool due);
	/** For hardware that is a guest's local APIC while it runs; NULL: there is no way. */
	const struct v3_intc_lend_ops *lend;
};

/** What is lent: how the guest reaches the registers. */
enum v3_lent_mode {
	V3_LENT_NOTHING, /**< the local APIC is off, or the hardware has nothing for its mode */
	V3_LENT_MMIO,
	V3_LENT_MSR,	 /**< x2APIC */
};

/** What the hardware can take: a mode's registers, and all of them or TPR alone. */
#define V3_LEND_MMIO 1u
#define V3_LEND_MSR 2u
#define V3_LEND_ALL 4u

/** What the hardware wants to know beside the registers. */
struct v3_lent {
	enum v3_lent_mode mode;
	/** Highest vectors in IRR and ISR, 0: none. */
	uint8_t irr, isr;
	/** Vectors whose EOI the local APIC has to see: those that are level-triggered. */
	uint64_t level[4];
};

/**
 * A local APIC whose registers are lent to the hardware between two looks at it. All on the thread
 * of the vCPU, outside of the guest, interrupts on or off; must not sleep.
 */
struct v3_intc_lend_ops {
	/**
	 * Fills a page with the registers as they are in SDM vol. 3 11.4.1 (offsets of the
	 * xAPIC; x2APIC: those of the MSRs by 16, ICR as one of 64 bits), and always with the
	 * same page. @p how: V3_LEND_*. What is in IRR moves there. The hardware may change TPR,
	 * PPR, ISR, IRR and, where registers are memory, the ICR.
	 */
	void (*lend)(struct v3_vcpu *vcpu, void *ctx, uint8_t *page, unsigned int how,
		     struct v3_lent *lent);
	/** The reverse, for the same @p how; not if nothing was lent. */
	void (*take_back)(struct v3_vcpu *vcpu, void *ctx, const uint8_t *page,
			  unsigned int how);
	/** The guest has written a register, and the store is done. */
	void (*written)(struct v3_vcpu *vcpu, void *ctx, uint32_t reg, uint32_t value);
	/** The hardware has done the EOI of a vector in lent.level. */
	void (*eoi)(struct v3_vcpu *vcpu, void *ctx, uint8_t vector);
};

/** Whether the hardware makes use of that. Constant. */
bool v3_intc_lends(const struct v3_vm *vm);
/**
 * For controllers of a VM for which that is true, before they answer an access by the guest (the
 * core does it before the other methods): what is lent comes back. On the vCPU's thread.
 */
void v3_intc_take_back(struct v3_vcpu *vcpu);

/**
 * Gives the VM its interrupt controllers, once, while V3_VM_CREATED. Without any, no interrupt is
 * ever delivered.
 */
enum v3_status v3_intc_attach(struct v3_vm *vm, const struct v3_intc_ops *ops, void *ctx);

/**
 * The answer of peek may have changed: makes the vCPU ask again before it next runs guest code,
 * wherever it is (running, in HLT, on another CPU). Any context, any lock of the caller; cheap when
 * the caller is the vCPU itself.
 */
void v3_vcpu_check_intr(struct v3_vcpu *vcpu);
/** The same, cheaper, on the vCPU's thread outside of the guest if interrupts were only added. */
void v3_vcpu_check_own(struct v3_vcpu *vcpu);
/**
 * INIT: the vCPU resets (APM2 14.1.3) and waits for a start-up IPI (the first vCPU restarts at the
 * reset vector). Any context.
 */
void v3_vcpu_init(struct v3_vcpu *vcpu);
/**
 * Start-up IPI: a vCPU that waits for one starts at @p vector << 12 in real mode; others ignore it.
 * Any context.
 */
void v3_vcpu_sipi(struct v3_vcpu *vcpu, uint8_t vector);

/**
 * Sets the one timer of the vCPU's own interrupt controller: the method timer is called once when
 * v3_now() is @p deadline; UINT64_MAX: never. Takes no lock, so only on the vCPU's thread, or while
 * it is parked or has none.
 */
void v3_vcpu_timer_set(struct v3_vcpu *vcpu, uint64_t deadline);

#endif
