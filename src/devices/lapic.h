/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APIC: xAPIC and x2APIC. SDM vol. 3A chapter 11; APM2 chapter 16. One of an "integrated
 * APIC" with 6 LVT entries and EOI-broadcast suppression. APIC IDs are vCPU indices and read-only.
 */
#ifndef V3_DEVICES_LAPIC_H
#define V3_DEVICES_LAPIC_H

#include <v3/device.h>

struct v3_intc;
struct v3_lent;

/* The timer counts at 1 GHz before division: one tick at divide-by-1 in nanoseconds. */
#define V3_LAPIC_TICK_NS 1
/* Shorter periods are stretched to it, so that a guest cannot keep its vCPU in the VMM. */
#define V3_LAPIC_MIN_PERIOD_NS 20000

/* Version register: integrated APIC, number of LVT entries - 1, EOI-broadcast suppression */
#define V3_LAPIC_VERSION (0x14u | (V3_LVT_COUNT - 1) << 16 | 1u << 24)

/* LVT entries in the order of their registers, from V3_APIC_LVT_TIMER on */
enum v3_lvt {
	V3_LVT_TIMER, V3_LVT_THERMAL, V3_LVT_PERF, V3_LVT_LINT0, V3_LVT_LINT1, V3_LVT_ERROR,
	V3_LVT_COUNT
};

enum v3_lapic_mode {
	V3_LAPIC_DISABLED,	/* IA32_APIC_BASE.EN = 0 */
	V3_LAPIC_XAPIC,
	V3_LAPIC_X2APIC,
};

/* Bits of v3_lapic.pending above those of the IRR's words */
#define V3_LAPIC_PENDING_IRR	0xfu
#define V3_LAPIC_PENDING_EXTINT	(1u << 4)	/* an ExtINT message came */

/*
 * Fields of the first group are written by any thread, with atomic operations. The others belong to
 * the vCPU's thread, which writes them without a lock; those marked (r) are read by others.
 */
struct v3_lapic {
	uint64_t irr[4], tmr[4];
	/* Bit n: irr[n] may have a bit set. Clear while it has one only for a moment in ack. */
	uint32_t pending;
	uint32_t esr_next;	/* errors since the last write to ESR */
	uint32_t lint0_irr;	/* level-triggered LINT0 waits for its EOI */

	uint8_t ppr;		/* (r) from tpr and isrv */
	uint8_t tpr;
	uint8_t isrv;		/* highest vector in service, 0: none */
	uint8_t isr_words;	/* bit n: isr[n] is not zero */
	bool accepts;		/* (r) globally and by software enabled */
	bool extint;		/* (r) the 8259 pair's output is this vCPU's INTR */
	uint8_t mode;		/* (r) enum v3_lapic_mode */
	uint8_t id;		/* constant: index of the vCPU */
	uint64_t isr[4];
	struct v3_vcpu *vcpu;	/* constant */

	uint32_t ldr, dfr;	/* (r) of the xAPIC */
	uint32_t svr;
	uint32_t esr;
	uint64_t icr;
	uint32_t lvt[V3_LVT_COUNT];	/* (r) */

	uint64_t deadline;	/* v3_now() of expiry; 0: not counting */
	uint64_t period;	/* in ns; 0: one-shot */
	uint64_t tsc_deadline;	/* 0: disarmed */
	uint32_t initial_count;
	uint8_t divide;		/* divide configuration register */
	uint8_t divide_shift;
	uint16_t base_flags;	/* of IA32_APIC_BASE: BSP, EXTD, EN */
	bool written;		/* registers that only writes change have changed since lend */
} __attribute__((aligned(64)));	/* no cache line is two vCPUs' */

/* The index of a vCPU times a power of two: every register access begins with it. */
_Static_assert(sizeof(struct v3_lapic) == 256, "the array of local APICs is indexed by a shift");

/* Constant fields; then v3_lapic_reset(). */
void v3_lapic_setup(struct v3_lapic *la, struct v3_vcpu *vcpu);
/* Hooks the registers of all local APICs. */
enum v3_status v3_lapic_hook(struct v3_intc *intc);
/* Power-on, and what firmware leaves: the first vCPU's in virtual wire mode. */
void v3_lapic_reset(struct v3_lapic *la);
/* INIT state, SDM 11.4.7.3: IA32_APIC_BASE and the ID stay. */
void v3_lapic_init(struct v3_lapic *la);

/* Interrupts from anywhere, any context. False: disabled, not taken. */
bool v3_lapic_accept(struct v3_lapic *la, uint8_t vector, bool level);
/** An edge of its own making, on the thread of its vCPU. */
void v3_lapic_accept_own(struct v3_lapic *la, uint8_t vector);
void v3_lapic_accept_extint(struct v3_lapic *la);
void v3_lapic_error(struct v3_lapic *la, uint32_t esr_bit);
void v3_lapic_lint0(struct v3_lapic *la, bool level);

/* Highest vector above the PPR, or -1; *blocked: one waits behind the TPR alone. Own thread. */
int v3_lapic_peek(const struct v3_lapic *la, bool *blocked);
/* Moves that vector from IRR to ISR. Own thread. */
int v3_lapic_ack(struct v3_lapic *la);
void v3_lapic_eoi(struct v3_lapic *la);
/* Arbitration priority. Own thread. */
uint8_t v3_lapic_apr(const struct v3_lapic *la);
/* The caller tells the core. */
void v3_lapic_set_tpr(struct v3_lapic *la, uint8_t tpr);
/* A register by its xAPIC offset; of those that do not exist bit 32 is set. Own thread. */
uint64_t v3_lapic_reg(const struct v3_lapic *la, uint32_t reg);
/* A write by the guest, in the present mode, that the hardware has checked. Own thread. */
void v3_lapic_written(struct v3_lapic *la, uint32_t reg, uint32_t value);
/* The hardware has taken a vector out of ISR. Own thread. */
void v3_lapic_eoi_done(struct v3_lapic *la, uint8_t vector);
/* lapic_lend.c; see v3_intc_lend_ops. Own thread. */
void v3_lapic_lend(struct v3_lapic *la, uint8_t *page, unsigned int how, struct v3_lent *lent);
void v3_lapic_take_back(struct v3_lapic *la, const uint8_t *page, unsigned int how);
void v3_lapic_send_ipi(struct v3_lapic *la, uint32_t icr_low, uint32_t dest);
/* The logical destination register as a guest in the present mode sees it. */
uint32_t v3_lapic_ldr(const struct v3_lapic *la);

/* Timer, lapic_timer.c. Own thread. */
/* Its time has come, if due; else the guest has set its TSC. */
void v3_lapic_timer_expired(struct v3_lapic *la, bool due);
void v3_lapic_timer_stop(struct v3_lapic *la);
/* The LVT entry changed from @p old. */
void v3_lapic_timer_lvt(struct v3_lapic *la, uint32_t old);
void v3_lapic_timer_set_initial(struct v3_lapic *la, uint32_t count);
void v3_lapic_timer_set_divide(struct v3_lapic *la, uint32_t divide);
uint32_t v3_lapic_timer_current(const struct v3_lapic *la);
void v3_lapic_timer_set_deadline(struct v3_lapic *la, uint64_t tsc);
uint64_t v3_lapic_timer_deadline(const struct v3_lapic *la);

#endif
