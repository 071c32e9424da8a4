/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt controllers whose registers the hardware may have: each question and command to them
 * takes the registers back first. VMs on other hardware do not come here.
 */
#include "core/vm.h"

#include "core/intr.h"

bool v3_intc_lends(const struct v3_vm *vm)
{
	return vm->host->lends_intc;
}

void v3_intc_take_back(struct v3_vcpu *vcpu)
{
	vcpu->vm->arch->intc_take_back(vcpu);
}

static const struct v3_intc_ops *own(struct v3_vcpu *vcpu)
{
	v3_intc_take_back(vcpu);
	return vcpu->vm->intc_own;
}

static int lent_peek(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked)
{
	return own(vcpu)->peek(vcpu, ctx, tpr_blocked);
}

static int lent_ack(struct v3_vcpu *vcpu, void *ctx)
{
	return own(vcpu)->ack(vcpu, ctx);
}

static unsigned int lent_tpr_get(struct v3_vcpu *vcpu, void *ctx)
{
	return own(vcpu)->tpr_get(vcpu, ctx);
}

static void lent_tpr_set(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8)
{
	own(vcpu)->tpr_set(vcpu, ctx, cr8);
}

static void lent_init(struct v3_vcpu *vcpu, void *ctx)
{
	own(vcpu)->init(vcpu, ctx);
}

const struct v3_intc_ops *v3_intc_lent(struct v3_vm *vm, const struct v3_intc_ops *ops)
{
	vm->intc_own = ops;
	if (!v3_intc_lends(vm) || !ops->lend)
		return ops;
	vm->intc_lent = *ops;
	vm->intc_lent.peek = lent_peek;
	vm->intc_lent.ack = lent_ack;
	vm->intc_lent.tpr_get = lent_tpr_get;
	vm->intc_lent.tpr_set = lent_tpr_set;
	vm->intc_lent.init = lent_init;
	return &vm->intc_lent;
}

void v3_exit_intc(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	const struct v3_intc_lend_ops *lend = vcpu->vm->intc->lend;

	v3_intc_take_back(vcpu);
	if (exit->intc.eoi)
		lend->eoi(vcpu, vcpu->vm->intc_ctx, (uint8_t)exit->intc.value);
	else
		lend->written(vcpu, vcpu->vm->intc_ctx, exit->intc.reg, exit->intc.value);
}
