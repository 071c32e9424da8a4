/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of the local APIC as a guest reaches them: the xAPIC's page, the x2APIC's MSRs,
 * IA32_APIC_BASE, IA32_TSC_DEADLINE and CPUID. SDM 3A 11.4 to 11.12; APM2 16.3 to 16.13.
 */
#include "intc.h"
#include "lapic.h"
#include "lib/bits.h"
#include "x86/apic.h"
#include "x86/cpuid.h"
#include "x86/msr.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Writable bits, and those that are there but read-only, of the LVT entries */
static const struct {
	uint32_t writable, readonly;
} lvt_bits[V3_LVT_COUNT] = {
	[V3_LVT_TIMER] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED | V3_APIC_TIMER_MODE_MASK,
			   V3_APIC_LVT_PENDING },
	[V3_LVT_THERMAL] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED | V3_APIC_LVT_MODE_MASK,
			     V3_APIC_LVT_PENDING },
	[V3_LVT_PERF] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED | V3_APIC_LVT_MODE_MASK,
			  V3_APIC_LVT_PENDING },
	[V3_LVT_LINT0] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED | V3_APIC_LVT_MODE_MASK |
			   V3_APIC_LVT_ACTIVE_LOW | V3_APIC_LVT_LEVEL,
			   V3_APIC_LVT_PENDING | V3_APIC_LVT_REMOTE_IRR },
	[V3_LVT_LINT1] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED | V3_APIC_LVT_MODE_MASK |
			   V3_APIC_LVT_ACTIVE_LOW | V3_APIC_LVT_LEVEL,
			   V3_APIC_LVT_PENDING | V3_APIC_LVT_REMOTE_IRR },
	[V3_LVT_ERROR] = { V3_APIC_LVT_VECTOR_MASK | V3_APIC_LVT_MASKED, V3_APIC_LVT_PENDING },
};

#define SVR_BITS (V3_APIC_LVT_VECTOR_MASK | V3_APIC_SVR_ENABLE | V3_APIC_SVR_FOCUS_DISABLE | \
		  V3_APIC_SVR_EOI_SUPPRESS)
/* No value of a 32-bit register */
#define NO_REG (1ull << 32)
#define REG(offset) ((offset) >> 4)
#define ICR_RESERVED (0xfff00000u | (3u << 16) | (1u << 13))

static struct v3_lapic *lapic_of(void *ctx, const struct v3_vcpu *vcpu)
{
	struct v3_intc *intc = ctx;

	return &intc->lapic[v3_vcpu_index(vcpu)];
}

/* LVT entry of a register, or V3_LVT_COUNT */
static unsigned int lvt_index(uint32_t reg)
{
	if (reg < V3_APIC_LVT_TIMER || reg > V3_APIC_LVT_ERROR)
		return V3_LVT_COUNT;
	return (reg - V3_APIC_LVT_TIMER) >> 4;
}

/* LINT0 is INTR in ExtINT mode; see v3_lapic_init() for a local APIC that is off. */
static void update_extint(struct v3_lapic *la)
{
	uint32_t lvt = la->lvt[V3_LVT_LINT0] & (V3_APIC_LVT_MASKED | V3_APIC_LVT_MODE_MASK);

	__atomic_store_n(&la->extint, lvt == V3_APIC_DM_EXTINT << V3_APIC_LVT_MODE_SHIFT,
			 __ATOMIC_SEQ_CST);
}

static void set_lvt(struct v3_lapic *la, unsigned int i, uint32_t value)
{
	uint32_t old = la->lvt[i];

	value &= lvt_bits[i].writable;
	/* SDM 11.4.7.2: masked for as long as it is disabled by software. */
	if (!(la->svr & V3_APIC_SVR_ENABLE))
		value |= V3_APIC_LVT_MASKED;
	__atomic_store_n(&la->lvt[i], value, __ATOMIC_SEQ_CST);
	if (i == V3_LVT_TIMER) {
		v3_lapic_timer_lvt(la, old);
	} else if (i == V3_LVT_LINT0) {
		update_extint(la);
		/* A change from or to edge-triggered forgets what was in flight. */
		if ((old ^ value) & V3_APIC_LVT_LEVEL)
			__atomic_store_n(&la->lint0_irr, 0, __ATOMIC_SEQ_CST);
		if (v3_pic_output(&v3_lapic_intc(la)->pic) &&
		    (la->extint || (value & V3_APIC_LVT_LEVEL)))
			v3_lapic_lint0(la, true);
	}
}

static void set_svr(struct v3_lapic *la, uint32_t value)
{
	bool enable = value & V3_APIC_SVR_ENABLE;
	bool was = la->svr & V3_APIC_SVR_ENABLE;
	unsigned int i;

	la->svr = value & SVR_BITS;
	__atomic_store_n(&la->accepts, enable, __ATOMIC_SEQ_CST);
	if (was && !enable)
		for (i = 0; i < V3_LVT_COUNT; i++)
			set_lvt(la, i, la->lvt[i] | V3_APIC_LVT_MASKED);
	if (!was && enable)
		v3_ioapic_retry(&v3_lapic_intc(la)->ioapic);
}

static uint32_t read_lvt(const struct v3_lapic *la, unsigned int i)
{
	uint32_t value = la->lvt[i];

	if (i == V3_LVT_LINT0 && __atomic_load_n(&la->lint0_irr, __ATOMIC_RELAXED))
		value |= V3_APIC_LVT_REMOTE_IRR;
	return value;
}

/* Word @p reg (from V3_APIC_ISR, TMR or IRR on) of a 256-bit register */
static uint32_t read_bitmap(const uint64_t *words, uint32_t reg)
{
	unsigned int i = (reg >> 4) & 7;

	return (uint32_t)(__atomic_load_n(&words[i / 2], __ATOMIC_RELAXED) >> (32 * (i & 1)));
}

/* A register by its xAPIC offset, or NO_REG. One dense switch, so that it can be one jump. */
uint64_t v3_lapic_reg(const struct v3_lapic *la, uint32_t reg)
{
	switch (reg >> 4) {
	case REG(V3_APIC_ID):
		return (uint32_t)la->id << V3_APIC_ID_SHIFT;
	case REG(V3_APIC_VERSION):
		return V3_LAPIC_VERSION;
	case REG(V3_APIC_TPR):
		return la->tpr;
	case REG(V3_APIC_APR):
		return v3_lapic_apr(la);
	case REG(V3_APIC_PPR):
		return la->ppr;
	case REG(V3_APIC_EOI):
	case REG(V3_APIC_RRR):
		return 0;
	case REG(V3_APIC_LDR):
		return v3_lapic_ldr(la);
	case REG(V3_APIC_DFR):
		return la->dfr;
	case REG(V3_APIC_SVR):
		return la->svr;
	case REG(V3_APIC_ISR) ... REG(V3_APIC_TMR) - 1:
		return read_bitmap(la->isr, reg);
	case REG(V3_APIC_TMR) ... REG(V3_APIC_IRR) - 1:
		return read_bitmap(la->tmr, reg);
	case REG(V3_APIC_IRR) ... REG(V3_APIC_ESR) - 1:
		return read_bitmap(la->irr, reg);
	case REG(V3_APIC_ESR):
		return la->esr;
	case REG(V3_APIC_ICR_LOW):
		return (uint32_t)la->icr;
	case REG(V3_APIC_ICR_HIGH):
		return (uint32_t)(la->icr >> 32);
	case REG(V3_APIC_LVT_TIMER) ... REG(V3_APIC_LVT_ERROR):
		return read_lvt(la, REG(reg) - REG(V3_APIC_LVT_TIMER));
	case REG(V3_APIC_TIMER_INITIAL):
		return la->initial_count;
	case REG(V3_APIC_TIMER_CURRENT):
		return v3_lapic_timer_current(la);
	case REG(V3_APIC_TIMER_DIVIDE):
		return la->divide;
	default:
		return NO_REG;
	}
}

/* Registers that both modes write at the same number; else false. Reserved bits are dropped. */
static bool write_reg(struct v3_lapic *la, uint32_t reg, uint32_t value)
{
	if (lvt_index(reg) < V3_LVT_COUNT) {
		set_lvt(la, lvt_index(reg), value);
		return true;
	}
	switch (reg) {
	case V3_APIC_TPR:
		v3_lapic_set_tpr(la, (uint8_t)value);
		/* Also if nothing waits: the core keeps a copy of TPR as CR8. */
		v3_vcpu_check_intr(la->vcpu);
		return true;
	case V3_APIC_EOI:
		v3_lapic_eoi(la);
		return true;
	case V3_APIC_SVR:
		set_svr(la, value);
		return true;
	case V3_APIC_ESR:
		/* SDM 11.5.3: a write makes the errors since the last one readable. */
		la->esr = __atomic_exchange_n(&la->esr_next, 0, __ATOMIC_SEQ_CST);
		return true;
	case V3_APIC_TIMER_INITIAL:
		v3_lapic_timer_set_initial(la, value);
		return true;
	case V3_APIC_TIMER_DIVIDE:
		v3_lapic_timer_set_divide(la, value);
		return true;
	default:
		return false;
	}
}

/* Registers that exist but ignore writes in xAPIC mode, so that these are no errors */
static bool readonly_xapic(uint32_t reg)
{
	return reg == V3_APIC_ID || reg == V3_APIC_VERSION || reg == V3_APIC_APR ||
	       reg == V3_APIC_PPR || reg == V3_APIC_RRR || reg == V3_APIC_TIMER_CURRENT ||
	       (reg >= V3_APIC_ISR && reg < V3_APIC_ESR);
}

/* Rare: bytes of a register, and registers that do not exist. */
static __attribute__((noinline)) uint64_t mmio_read_rare(struct v3_lapic *la, uint32_t offset,
							 unsigned int size)
{
	unsigned int byte = offset & 15;
	uint64_t value;

	/* Bytes 4 to 15 of a register are nothing. */
	if (byte + size > 4)
		return 0;
	value = v3_lapic_reg(la, offset);
	if (value != NO_REG)
		return value >> (8 * byte);
	v3_lapic_error(la, V3_APIC_ESR_ILLEGAL_REG);
	return 0;
}

static uint64_t mmio_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	uint64_t value = NO_REG;

	/* The page belongs to nobody then, SDM 11.4.3 and 11.12.2. */
	if (UNLIKELY(la->mode != V3_LAPIC_XAPIC))
		return UINT64_MAX;
	if (!(offset & 15) && size == 4)
		value = v3_lapic_reg(la, (uint32_t)offset);
	return value != NO_REG ? value : mmio_read_rare(la, (uint32_t)offset, size);
}

static __attribute__((noinline)) void mmio_write_rare(struct v3_lapic *la, uint32_t reg,
						      uint32_t value)
{
	switch (reg) {
	case V3_APIC_ICR_HIGH:
		la->icr = (la->icr & 0xffffffff) | (uint64_t)(value & 0xff000000) << 32;
		break;
	case V3_APIC_LDR:
		__atomic_store_n(&la->ldr, value & 0xff000000, __ATOMIC_SEQ_CST);
		v3_ioapic_retry(&v3_lapic_intc(la)->ioapic);
		break;
	case V3_APIC_DFR:
		__atomic_store_n(&la->dfr, value | 0x0fffffff, __ATOMIC_SEQ_CST);
		v3_ioapic_retry(&v3_lapic_intc(la)->ioapic);
		break;
	default:
		if (!write_reg(la, reg, value) && !readonly_xapic(reg))
			v3_lapic_error(la, V3_APIC_ESR_ILLEGAL_REG);
		break;
	}
}

/* SDM 11.4.1: registers are written as aligned words of 32 bits; the rest is undefined. */
static __attribute__((noinline)) void mmio_write_odd(const struct v3_lapic *la, uint64_t offset,
						     unsigned int size)
{
	v3_vm_log(v3_lapic_intc(la)->vm, V3_LOG_DEBUG,
		  "vcpu %u: write of %u bytes to local APIC offset 0x%llx ignored: "
		  "not an aligned 32-bit access",
		  la->id, size, (unsigned long long)offset);
}

static void mmio_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);

	if (UNLIKELY(la->mode != V3_LAPIC_XAPIC))
		return;
	if (UNLIKELY(size != 4 || (offset & 15))) {
		mmio_write_odd(la, offset, size);
	} else if (offset == V3_APIC_EOI) {
		v3_lapic_eoi(la);
	} else if (offset == V3_APIC_ICR_LOW) {
		uint32_t low = (uint32_t)value & ~(ICR_RESERVED | V3_APIC_ICR_PENDING);

		la->icr = (la->icr & 0xffffffff00000000ull) | low;
		v3_lapic_send_ipi(la, low, (uint32_t)(la->icr >> 56));
	} else {
		mmio_write_rare(la, (uint32_t)offset, (uint32_t)value);
	}
}

/* Of the commonest nothing is left but what v3_lapic_lend() looks at anyway. */
static void note_written(struct v3_lapic *la, uint32_t reg)
{
	if (reg != V3_APIC_EOI && reg != V3_APIC_TPR && reg != V3_APIC_ICR_LOW &&
	    reg != V3_APIC_SELF_IPI)
		la->written = true;
}

void v3_lapic_written(struct v3_lapic *la, uint32_t reg, uint32_t value)
{
	note_written(la, reg);
	/* An x2APIC has told of one kind alone: a vector to itself that there is not. */
	if (la->mode == V3_LAPIC_X2APIC)
		v3_lapic_send_ipi(la, V3_APIC_ICR_SELF | (value & V3_APIC_ICR_VECTOR_MASK), 0);
	else
		mmio_write(la->vcpu, v3_lapic_intc(la), reg, 4, value);
}

static const struct v3_mmio_ops mmio_ops = { mmio_read, mmio_write };

/* The same where the hardware may have the registers. */
static uint64_t lent_mmio_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	v3_intc_take_back(vcpu);
	return mmio_read(vcpu, ctx, offset, size);
}

static void lent_mmio_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
			    uint64_t value)
{
	v3_intc_take_back(vcpu);
	note_written(lapic_of(ctx, vcpu), (uint32_t)offset);
	mmio_write(vcpu, ctx, offset, size, value);
}

static const struct v3_mmio_ops lent_mmio_ops = { lent_mmio_read, lent_mmio_write };

/* Write-only in x2APIC mode, or replaced, or gone: SDM table 11-6 */
static bool unreadable_x2apic(uint32_t reg)
{
	return reg == V3_APIC_APR || reg == V3_APIC_EOI || reg == V3_APIC_RRR ||
	       reg == V3_APIC_DFR || reg == V3_APIC_ICR_HIGH;
}

static enum v3_hook_result x2apic_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				       uint64_t *value)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	uint32_t reg = (msr - V3_MSR_X2APIC_FIRST) << 4;

	if (la->mode != V3_LAPIC_X2APIC || unreadable_x2apic(reg))
		return V3_HOOK_FAULT;
	*value = v3_lapic_reg(la, reg);
	if (msr == V3_MSR_X2APIC_ID)
		*value = la->id;
	else if (msr == V3_MSR_X2APIC_ICR)
		*value = la->icr;
	else if (*value == NO_REG)
		return V3_HOOK_FAULT;
	return V3_HOOK_DONE;
}

/* Bits that a write may have set in x2APIC mode */
static uint32_t x2apic_bits(uint32_t reg)
{
	unsigned int lvt = lvt_index(reg);

	if (lvt < V3_LVT_COUNT)
		return lvt_bits[lvt].writable | lvt_bits[lvt].readonly;
	switch (reg) {
	case V3_APIC_TPR:
		return 0xff;
	case V3_APIC_SVR:
		return SVR_BITS;
	case V3_APIC_TIMER_INITIAL:
		return 0xffffffff;
	case V3_APIC_TIMER_DIVIDE:
		return V3_APIC_TIMER_DIVIDE_MASK;
	default:
		/* EOI and ESR take only zero; write_reg() refuses the others. */
		return 0;
	}
}

static enum v3_hook_result x2apic_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					uint64_t value)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	uint32_t reg = (msr - V3_MSR_X2APIC_FIRST) << 4;

	if (UNLIKELY(la->mode != V3_LAPIC_X2APIC))
		return V3_HOOK_FAULT;
	if (msr == V3_MSR_X2APIC_ICR) {
		/* The delivery status bit is gone, but CPUs take writes that have it set. */
		if (UNLIKELY((uint32_t)value & ICR_RESERVED))
			return V3_HOOK_FAULT;
		value &= ~(uint64_t)V3_APIC_ICR_PENDING;
		la->icr = value;
		v3_lapic_send_ipi(la, (uint32_t)value, (uint32_t)(value >> 32));
		return V3_HOOK_DONE;
	}
	if (msr == V3_MSR_X2APIC_SELF_IPI) {
		if (UNLIKELY(value > 0xff))
			return V3_HOOK_FAULT;
		v3_lapic_send_ipi(la, V3_APIC_ICR_SELF | (uint32_t)value, 0);
		return V3_HOOK_DONE;
	}
	if (UNLIKELY(value & ~(uint64_t)x2apic_bits(reg)))
		return V3_HOOK_FAULT;
	return write_reg(la, reg, (uint32_t)value) ? V3_HOOK_DONE : V3_HOOK_FAULT;
}

static const struct v3_msr_ops x2apic_ops = { x2apic_read, x2apic_write };

static enum v3_hook_result lent_x2apic_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					    uint64_t *value)
{
	v3_intc_take_back(vcpu);
	return x2apic_read(vcpu, ctx, msr, value);
}

static enum v3_hook_result lent_x2apic_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					     uint64_t value)
{
	v3_intc_take_back(vcpu);
	note_written(lapic_of(ctx, vcpu), (msr - V3_MSR_X2APIC_FIRST) << 4);
	return x2apic_write(vcpu, ctx, msr, value);
}

static const struct v3_msr_ops lent_x2apic_ops = { lent_x2apic_read, lent_x2apic_write };

static enum v3_hook_result base_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				     uint64_t *value)
{
	(void)msr;
	*value = V3_APIC_DEFAULT_BASE | lapic_of(ctx, vcpu)->base_flags;
	return V3_HOOK_DONE;
}

/* SDM figure 11-27: x2APIC is entered from xAPIC mode and left by switching the APIC off. */
static bool mode_change_valid(unsigned int from, unsigned int to)
{
	if (to == V3_LAPIC_X2APIC)
		return from != V3_LAPIC_DISABLED;
	return from != V3_LAPIC_X2APIC || to == V3_LAPIC_DISABLED;
}

static void set_mode(struct v3_lapic *la, enum v3_lapic_mode mode)
{
	if (la->mode == mode)
		return;
	__atomic_store_n(&la->mode, mode, __ATOMIC_SEQ_CST);
	la->written = true;
	if (mode == V3_LAPIC_DISABLED)
		v3_lapic_init(la);	/* SDM 11.4.3: the state is lost */
	else if (mode == V3_LAPIC_XAPIC)
		update_extint(la);
	/* It may be a destination now that it was not before. */
	v3_ioapic_retry(&v3_lapic_intc(la)->ioapic);
	v3_vcpu_check_intr(la->vcpu);
}

static V3_RARE enum v3_hook_result base_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					      uint64_t value)
{
	const uint64_t flags = V3_APIC_BASE_BSP | V3_APIC_BASE_X2APIC | V3_APIC_BASE_ENABLE;
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	enum v3_lapic_mode mode = V3_LAPIC_DISABLED;

	(void)msr;
	if (value & ~(V3_APIC_BASE_ADDR_MASK | flags))
		return V3_HOOK_FAULT;
	if ((value & V3_APIC_BASE_ADDR_MASK) != V3_APIC_DEFAULT_BASE) {
		v3_vm_log(v3_lapic_intc(la)->vm, V3_LOG_WARN,
			  "vcpu %u: guest tries to move its local APIC to 0x%llx, which libv3 does "
			  "not do: #GP",
			  la->id, (unsigned long long)(value & V3_APIC_BASE_ADDR_MASK));
		return V3_HOOK_FAULT;
	}
	if (value & V3_APIC_BASE_ENABLE)
		mode = value & V3_APIC_BASE_X2APIC ? V3_LAPIC_X2APIC : V3_LAPIC_XAPIC;
	else if (value & V3_APIC_BASE_X2APIC)
		return V3_HOOK_FAULT;
	if (v3_intc_lends(v3_lapic_intc(la)->vm))
		v3_intc_take_back(vcpu);
	if (!mode_change_valid(la->mode, mode))
		return V3_HOOK_FAULT;
	/* The BSP flag is read-only. */
	la->base_flags = (uint16_t)((la->base_flags & V3_APIC_BASE_BSP) |
				    (value & (V3_APIC_BASE_X2APIC | V3_APIC_BASE_ENABLE)));
	set_mode(la, mode);
	return V3_HOOK_DONE;
}

static const struct v3_msr_ops base_ops = { base_read, base_write };

static enum v3_hook_result deadline_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					 uint64_t *value)
{
	(void)msr;
	*value = v3_lapic_timer_deadline(lapic_of(ctx, vcpu));
	return V3_HOOK_DONE;
}

static enum v3_hook_result deadline_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
					  uint64_t value)
{
	(void)msr;
	v3_lapic_timer_set_deadline(lapic_of(ctx, vcpu), value);
	return V3_HOOK_DONE;
}

static const struct v3_msr_ops deadline_ops = { deadline_read, deadline_write };

static void cpuid_features(struct v3_vcpu *vcpu, void *ctx, uint32_t leaf, uint32_t subleaf,
			   struct v3_cpuid *regs)
{
	const struct v3_lapic *la = lapic_of(ctx, vcpu);

	(void)leaf;
	(void)subleaf;
	regs->ecx |= V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_TSC_DEADLINE;
	if (la->mode != V3_LAPIC_DISABLED)
		regs->edx |= V3_CPUID_1_EDX_APIC;
	else
		regs->edx &= ~V3_CPUID_1_EDX_APIC;
}

V3_RARE enum v3_status v3_lapic_hook(struct v3_intc *intc)
{
	struct v3_vm *vm = intc->vm;
	bool lends = v3_intc_lends(vm);
	enum v3_status status;

	status = v3_mmio_hook(vm, V3_APIC_DEFAULT_BASE, V3_APIC_SIZE,
			      lends ? &lent_mmio_ops : &mmio_ops, intc);
	if (status == V3_OK)
		status = v3_msr_hook(vm, V3_MSR_X2APIC_FIRST,
				     V3_MSR_X2APIC_LAST - V3_MSR_X2APIC_FIRST + 1,
				     lends ? &lent_x2apic_ops : &x2apic_ops, intc);
	if (status == V3_OK)
		status = v3_msr_hook(vm, V3_MSR_APIC_BASE, 1, &base_ops, intc);
	if (status == V3_OK)
		status = v3_msr_hook(vm, V3_MSR_TSC_DEADLINE, 1, &deadline_ops, intc);
	if (status == V3_OK)
		status = v3_cpuid_hook(vm, V3_CPUID_LEAF_FEATURES, 1, cpuid_features, intc);
	return status;
}
