/* SPDX-License-Identifier: BSD-2-Clause */
#include "intc.h"
#include "ioapic.h"
#include "x86/apic.h"

#define READONLY (V3_IOAPIC_PENDING | V3_IOAPIC_REMOTE_IRR)
/* Bits 55:17 do not exist. */
#define EXISTING (V3_IOAPIC_DEST_MASK | V3_IOAPIC_MASKED | 0xffffull)
#define ID_MASK (0xfu << V3_IOAPIC_ID_SHIFT)

static struct v3_intc *intc_of(struct v3_ioapic *ioapic)
{
	return (struct v3_intc *)((char *)ioapic - offsetof(struct v3_intc, ioapic));
}

static unsigned int mode_of(uint64_t redir)
{
	return (redir & V3_IOAPIC_MODE_MASK) >> V3_IOAPIC_MODE_SHIFT;
}

/* Only fixed and lowest-priority interrupts have an EOI: others are edges whatever the bit says. */
static bool is_level(uint64_t redir)
{
	return (redir & V3_IOAPIC_LEVEL) && mode_of(redir) <= V3_APIC_DM_LOWEST;
}

/* Sends the interrupt of an unmasked pin; called with the lock held. */
static bool send(struct v3_ioapic *ioapic, uint64_t redir)
{
	struct v3_intr_msg msg = {
		.dest = (uint32_t)(redir >> V3_IOAPIC_DEST_SHIFT),
		.vector = redir & V3_IOAPIC_VECTOR_MASK,
		.mode = (uint8_t)mode_of(redir),
		.logical = redir & V3_IOAPIC_LOGICAL,
		.level = is_level(redir),
	};

	/* Reserved in an I/O APIC */
	if (msg.mode == V3_APIC_DM_STARTUP)
		return false;
	return v3_intc_send(intc_of(ioapic), &msg);
}

/* A level-triggered pin that is asserted, unmasked and not in service interrupts. */
static void evaluate(struct v3_ioapic *ioapic, unsigned int pin)
{
	uint64_t *redir = &ioapic->redir[pin];

	if (!(ioapic->lines & (1u << pin)) || !is_level(*redir) ||
	    (*redir & (V3_IOAPIC_MASKED | V3_IOAPIC_REMOTE_IRR)))
		return;
	if (send(ioapic, *redir))
		*redir |= V3_IOAPIC_REMOTE_IRR;
}

void v3_ioapic_set(struct v3_ioapic *ioapic, unsigned int pin, bool level)
{
	uint64_t flags = v3_lock_irqsave(&ioapic->lock);
	uint32_t bit = 1u << pin;
	uint64_t redir = ioapic->redir[pin];
	bool rising = level && !(ioapic->lines & bit);

	if (level)
		ioapic->lines |= bit;
	else
		ioapic->lines &= ~bit;
	/* Data sheet 3.2.4: an edge on a masked pin is lost. */
	if (is_level(redir))
		evaluate(ioapic, pin);
	else if (rising && !(redir & V3_IOAPIC_MASKED))
		send(ioapic, redir);
	v3_lock_irqrestore(&ioapic->lock, flags);
}

void v3_ioapic_eoi(struct v3_ioapic *ioapic, uint8_t vector)
{
	uint64_t flags = v3_lock_irqsave(&ioapic->lock);
	unsigned int pin;

	for (pin = 0; pin < V3_IOAPIC_PINS; pin++) {
		uint64_t *redir = &ioapic->redir[pin];

		if ((*redir & V3_IOAPIC_REMOTE_IRR) && (*redir & V3_IOAPIC_VECTOR_MASK) == vector) {
			*redir &= ~V3_IOAPIC_REMOTE_IRR;
			evaluate(ioapic, pin);
		}
	}
	v3_lock_irqrestore(&ioapic->lock, flags);
}

void v3_ioapic_retry(struct v3_ioapic *ioapic)
{
	uint64_t flags = v3_lock_irqsave(&ioapic->lock);
	unsigned int pin;

	for (pin = 0; pin < V3_IOAPIC_PINS; pin++)
		evaluate(ioapic, pin);
	v3_lock_irqrestore(&ioapic->lock, flags);
}

/* Without the lock: a register is one word in memory, and reading it has no side effect. */
static uint32_t read_data(const struct v3_ioapic *ioapic, uint32_t index)
{
	unsigned int pin = (index - V3_IOAPIC_REG_REDIR(0)) / 2;

	switch (index) {
	case V3_IOAPIC_REG_ID:
	case V3_IOAPIC_REG_ARB:
		/* The arbitration ID follows the ID, data sheet 3.2.3. */
		return __atomic_load_n(&ioapic->id, __ATOMIC_RELAXED);
	case V3_IOAPIC_REG_VERSION:
		return V3_IOAPIC_VERSION | (V3_IOAPIC_PINS - 1) << V3_IOAPIC_VERSION_MAX_SHIFT;
	default:
		if (index < V3_IOAPIC_REG_REDIR(0) || pin >= V3_IOAPIC_PINS)
			return 0xffffffff;
		return (uint32_t)(__atomic_load_n(&ioapic->redir[pin], __ATOMIC_RELAXED) >>
				  (index & 1 ? 32 : 0));
	}
}

static void write_redir(struct v3_ioapic *ioapic, unsigned int pin, bool high, uint32_t value)
{
	uint64_t old = ioapic->redir[pin];
	uint64_t redir;

	if (high)
		redir = (old & 0xffffffff) | (uint64_t)value << 32;
	else
		redir = (old & ~0xffffffffull) | value;
	redir = (redir & EXISTING & ~READONLY) | (old & READONLY);
	/* An edge-triggered interrupt has no remote IRR: the way guests reset a stuck one. */
	if (!is_level(redir))
		redir &= ~V3_IOAPIC_REMOTE_IRR;
	ioapic->redir[pin] = redir;
	evaluate(ioapic, pin);
}

static void write_data(struct v3_ioapic *ioapic, uint32_t value)
{
	unsigned int pin = (ioapic->index - V3_IOAPIC_REG_REDIR(0)) / 2;

	if (ioapic->index == V3_IOAPIC_REG_ID)
		ioapic->id = value & ID_MASK;
	else if (ioapic->index >= V3_IOAPIC_REG_REDIR(0) && pin < V3_IOAPIC_PINS)
		write_redir(ioapic, pin, ioapic->index & 1, value);
}

static uint64_t ioapic_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	const struct v3_ioapic *ioapic = ctx;
	uint32_t index = __atomic_load_n(&ioapic->index, __ATOMIC_RELAXED);

	(void)vcpu;
	(void)size;
	if (offset == V3_IOAPIC_MMIO_DATA)
		return read_data(ioapic, index);
	return offset == V3_IOAPIC_MMIO_INDEX ? index : UINT64_MAX;
}

static void ioapic_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct v3_ioapic *ioapic = ctx;
	uint64_t flags;

	(void)vcpu;
	/* Data sheet 3.1: 32-bit accesses only; the index has 8 bits, so it may be a byte. */
	if (size < 4 && offset != V3_IOAPIC_MMIO_INDEX) {
		v3_vm_log(intc_of(ioapic)->vm, V3_LOG_DEBUG,
			  "write of %u bytes to I/O APIC offset 0x%llx ignored: "
			  "not a 32-bit access",
			  size, (unsigned long long)offset);
		return;
	}
	if (offset == V3_IOAPIC_MMIO_EOI) {
		v3_ioapic_eoi(ioapic, (uint8_t)value);
		return;
	}
	flags = v3_lock_irqsave(&ioapic->lock);
	if (offset == V3_IOAPIC_MMIO_INDEX)
		ioapic->index = value & 0xff;
	else if (offset == V3_IOAPIC_MMIO_DATA)
		write_data(ioapic, (uint32_t)value);
	v3_lock_irqrestore(&ioapic->lock, flags);
}

static const struct v3_mmio_ops ioapic_ops = { ioapic_read, ioapic_write };

void v3_ioapic_reset(struct v3_ioapic *ioapic)
{
	uint64_t flags = v3_lock_irqsave(&ioapic->lock);
	unsigned int pin;

	for (pin = 0; pin < V3_IOAPIC_PINS; pin++)
		ioapic->redir[pin] = V3_IOAPIC_MASKED;
	ioapic->id = 0;
	ioapic->index = 0;
	v3_lock_irqrestore(&ioapic->lock, flags);
}

enum v3_status v3_ioapic_hook(struct v3_vm *vm, struct v3_ioapic *ioapic)
{
	return v3_mmio_hook(vm, V3_IOAPIC_DEFAULT_BASE, V3_IOAPIC_SIZE, &ioapic_ops, ioapic);
}
