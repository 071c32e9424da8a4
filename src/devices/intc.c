/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt controllers as the core sees them, and the wires between them. */
#include "intc.h"
#include "lib/bits.h"
#include "x86/apic.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

#define PIC_LINES 16
#define PIC_CASCADE 2
#define PIN_PIC 0		/* of the I/O APIC: output of the 8259 pair */
#define PIN_TIMER 2		/* ISA interrupt 0 */

static struct v3_lapic *lapic_of(void *ctx, const struct v3_vcpu *vcpu)
{
	struct v3_intc *intc = ctx;

	return &intc->lapic[v3_vcpu_index(vcpu)];
}

/* Whether the vCPU would run an INTA cycle with the 8259 pair: by wire or by message */
static bool wants_intack(const struct v3_lapic *la, uint32_t pending)
{
	if (pending & V3_LAPIC_PENDING_EXTINT)
		return true;
	return v3_pic_output(&v3_lapic_intc(la)->pic) &&
	       __atomic_load_n(&la->extint, __ATOMIC_RELAXED);
}

static int intc_peek(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	uint32_t pending = __atomic_load_n(&la->pending, __ATOMIC_ACQUIRE);

	*tpr_blocked = false;
	if (LIKELY(!wants_intack(la, pending)))
		return pending ? v3_lapic_peek(la, tpr_blocked) : -1;
	return v3_pic_vector(&v3_lapic_intc(la)->pic);
}

static int intc_ack(struct v3_vcpu *vcpu, void *ctx)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);
	uint32_t pending = __atomic_load_n(&la->pending, __ATOMIC_ACQUIRE);

	if (LIKELY(!wants_intack(la, pending)))
		return v3_lapic_ack(la);
	__atomic_and_fetch(&la->pending, ~V3_LAPIC_PENDING_EXTINT, __ATOMIC_SEQ_CST);
	return v3_pic_intack(&v3_lapic_intc(la)->pic);
}

static unsigned int intc_tpr_get(struct v3_vcpu *vcpu, void *ctx)
{
	return lapic_of(ctx, vcpu)->tpr >> 4;
}

static void intc_tpr_set(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8)
{
	struct v3_lapic *la = lapic_of(ctx, vcpu);

	/* Unchanged: do not lose TPR bits 3:0, which CR8 does not have. */
	if (la->tpr >> 4 == (cr8 & 15))
		return;
	v3_lapic_set_tpr(la, (uint8_t)((cr8 & 15) << 4));
	if (__atomic_load_n(&la->pending, __ATOMIC_RELAXED))
		v3_vcpu_check_intr(vcpu);
}

static void intc_irq_set(void *ctx, unsigned int gsi, bool level)
{
	struct v3_intc *intc = ctx;

	/* Interrupt 2 is the cascade, and pin 2 is the timer's. */
	if (gsi >= V3_NUM_GSI || gsi == PIC_CASCADE)
		return;
	if (gsi < PIC_LINES)
		v3_pic_set(&intc->pic, gsi, level);
	v3_ioapic_set(&intc->ioapic, gsi == 0 ? PIN_TIMER : gsi, level);
}

static void intc_init(struct v3_vcpu *vcpu, void *ctx)
{
	v3_lapic_init(lapic_of(ctx, vcpu));
}

static void intc_timer(struct v3_vcpu *vcpu, void *ctx, bool due)
{
	v3_lapic_timer_expired(lapic_of(ctx, vcpu), due);
}

static void intc_lend(struct v3_vcpu *vcpu, void *ctx, uint8_t *page, unsigned int how,
		      struct v3_lent *lent)
{
	v3_lapic_lend(lapic_of(ctx, vcpu), page, how, lent);
}

static void intc_take_back(struct v3_vcpu *vcpu, void *ctx, const uint8_t *page, unsigned int how)
{
	v3_lapic_take_back(lapic_of(ctx, vcpu), page, how);
}

static void intc_written(struct v3_vcpu *vcpu, void *ctx, uint32_t reg, uint32_t value)
{
	v3_lapic_written(lapic_of(ctx, vcpu), reg, value);
}

static void intc_eoi(struct v3_vcpu *vcpu, void *ctx, uint8_t vector)
{
	v3_lapic_eoi_done(lapic_of(ctx, vcpu), vector);
}

static const struct v3_intc_lend_ops lend_ops = {
	.lend = intc_lend,
	.take_back = intc_take_back,
	.written = intc_written,
	.eoi = intc_eoi,
};

static const struct v3_intc_ops intc_ops = {
	.peek = intc_peek,
	.ack = intc_ack,
	.tpr_get = intc_tpr_get,
	.tpr_set = intc_tpr_set,
	.irq_set = intc_irq_set,
	.init = intc_init,
	.timer = intc_timer,
	.lend = &lend_ops,
};

void v3_intc_pic_output(struct v3_intc *intc, bool level)
{
	unsigned int i;

	for (i = 0; i < intc->num_lapics; i++)
		v3_lapic_lint0(&intc->lapic[i], level);
	v3_ioapic_set(&intc->ioapic, PIN_PIC, level);
}

static void intc_power_on(void *ctx)
{
	struct v3_intc *intc = ctx;
	unsigned int i;

	for (i = 0; i < intc->num_lapics; i++)
		v3_lapic_reset(&intc->lapic[i]);
	v3_ioapic_reset(&intc->ioapic);
	v3_pic_reset(&intc->pic);
}

static size_t intc_size(unsigned int num_lapics)
{
	return sizeof(struct v3_intc) + num_lapics * sizeof(struct v3_lapic);
}

static void intc_destroy(void *ctx)
{
	struct v3_intc *intc = ctx;

	v3_device_free(intc->vm, intc, intc_size(intc->num_lapics));
}

static const struct v3_device_ops device_ops = {
	.name = "interrupt controllers",
	.destroy = intc_destroy,
	.reset = intc_power_on,
};

static enum v3_status hook_all(struct v3_intc *intc)
{
	enum v3_status status = v3_lapic_hook(intc);

	if (status == V3_OK)
		status = v3_ioapic_hook(intc->vm, &intc->ioapic);
	if (status == V3_OK)
		status = v3_pic_hook(intc->vm, &intc->pic);
	if (status == V3_OK)
		status = v3_intc_attach(intc->vm, &intc_ops, intc);
	return status;
}

V3_RARE enum v3_status v3_intc_create(struct v3_vm *vm)
{
	unsigned int i, num_lapics = v3_vm_num_vcpus(vm);
	struct v3_intc *intc = v3_device_alloc(vm, intc_size(num_lapics));
	enum v3_status status;

	if (!intc)
		return V3_ERR_NOMEM;
	intc->vm = vm;
	intc->num_lapics = num_lapics;
	v3_lock_init(&intc->pic.lock);
	v3_lock_init(&intc->ioapic.lock);
	for (i = 0; i < num_lapics; i++)
		v3_lapic_setup(&intc->lapic[i], v3_vm_vcpu(vm, i));
	intc_power_on(intc);
	/* Added first: the hooks that a later failure leaves behind point to what the VM keeps. */
	status = v3_device_add(vm, &device_ops, intc);
	if (status != V3_OK) {
		intc_destroy(intc);
		return status;
	}
	return hook_all(intc);
}
