/* SPDX-License-Identifier: BSD-2-Clause */
/* Near branches and loops, frames on the stack. */
#include "emul_cpu_internal.h"

/* --- The stack --- */

static uint32_t stack_size(const struct v3_emu *e)
{
	return e->regs->seg[V3_SEG_SS].attrib & V3_SEG_DB ? 4 : 2;
}

uint64_t v3_stack_get(const struct v3_emu *e)
{
	return e->regs->gpr[V3_RSP];
}

void v3_stack_set(struct v3_emu *e, uint64_t sp)
{
	v3_gpr_write(e->regs->gpr, V3_RSP, stack_size(e), false, sp);
}

enum v3_emul_result v3_stack_push(struct v3_emu *e, uint64_t *sp, uint32_t size, uint64_t value)
{
	uint64_t at = (*sp - size) & v3_size_mask(stack_size(e)), linear;

	V3_TRY(v3_emu_linear(e, V3_SEG_SS, at, size, true, &linear));
	V3_TRY(v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE | V3_EMUL_ACCESS_STACK, value));
	*sp = at;
	return V3_EMUL_OK;
}

enum v3_emul_result v3_stack_pop(struct v3_emu *e, uint64_t *sp, uint32_t size, uint64_t *value)
{
	uint64_t at = *sp & v3_size_mask(stack_size(e)), linear;

	V3_TRY(v3_emu_linear(e, V3_SEG_SS, at, size, false, &linear));
	V3_TRY(v3_emu_load(e, linear, size, V3_EMUL_ACCESS_STACK, value));
	*sp = at + size;
	return V3_EMUL_OK;
}

/* --- Branches --- */

enum v3_emul_result v3_emu_jump(struct v3_emu *e, uint64_t target)
{
	target &= v3_size_mask(e->insn->opsize == 2 ? 2 : 4);
	if (target > e->regs->seg[V3_SEG_CS].limit)
		return v3_emu_fault(e, V3_EXCP_GP);
	e->next_rip = target;
	return V3_EMUL_OK;
}

static enum v3_emul_result jump_if(struct v3_emu *e, bool taken)
{
	return taken ? v3_emu_jump(e, e->next_rip + e->insn->imm) : V3_EMUL_OK;
}

/* LOOPNE, LOOPE, LOOP, JCXZ. The counter is only written when the jump did not fault. */
static enum v3_emul_result loop(struct v3_emu *e)
{
	uint64_t count = e->regs->gpr[V3_RCX], mask = v3_size_mask(e->insn->addrsize);
	bool zf = e->regs->rflags & V3_RFLAGS_ZF, taken;

	if (e->insn->opcode == 0xe3)
		return jump_if(e, !(count & mask));
	count--;
	taken = count & mask;
	if (e->insn->opcode != 0xe2)
		taken = taken && zf == (e->insn->opcode == 0xe1);
	V3_TRY(jump_if(e, taken));
	v3_gpr_write(e->regs->gpr, V3_RCX, e->insn->addrsize, false, count);
	return V3_EMUL_OK;
}

static enum v3_emul_result near_return(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e), target;

	V3_TRY(v3_stack_pop(e, &sp, e->insn->opsize, &target));
	V3_TRY(v3_emu_jump(e, target));
	if (e->insn->opcode == 0xc2)
		sp += e->insn->imm & 0xffff;
	v3_stack_set(e, sp);
	return V3_EMUL_OK;
}

/* --- Frames --- */

static enum v3_emul_result pusha(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e);
	uint8_t reg;

	for (reg = 0; reg < 8; reg++)
		V3_TRY(v3_stack_push(e, &sp, e->insn->opsize, e->regs->gpr[reg]));
	v3_stack_set(e, sp);
	return V3_EMUL_OK;
}

static enum v3_emul_result popa(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e), value[8];
	unsigned int reg;

	for (reg = 8; reg-- > 0;)
		V3_TRY(v3_stack_pop(e, &sp, e->insn->opsize, &value[reg]));
	v3_stack_set(e, sp);
	for (reg = 0; reg < 8; reg++)
		if (reg != V3_RSP)
			v3_gpr_write(e->regs->gpr, (uint8_t)reg, e->insn->opsize, false,
				     value[reg]);
	return V3_EMUL_OK;
}

/* The outer frames' pointers, and the new frame's own. */
static enum v3_emul_result enter_copy(struct v3_emu *e, uint64_t *sp, uint64_t frame,
				      unsigned int level)
{
	uint64_t bp = e->regs->gpr[V3_RBP], linear, value;
	uint32_t size = e->insn->opsize;

	while (--level) {
		bp = (bp - size) & v3_size_mask(stack_size(e));
		V3_TRY(v3_emu_linear(e, V3_SEG_SS, bp, size, false, &linear));
		V3_TRY(v3_emu_load(e, linear, size, V3_EMUL_ACCESS_STACK, &value));
		V3_TRY(v3_stack_push(e, sp, size, value));
	}
	return v3_stack_push(e, sp, size, frame);
}

static enum v3_emul_result enter(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e), frame, last, linear;
	unsigned int level = e->insn->imm2 & 31;
	uint32_t size = e->insn->opsize;

	V3_TRY(v3_stack_push(e, &sp, size, e->regs->gpr[V3_RBP]));
	frame = sp;
	if (level)
		V3_TRY(enter_copy(e, &sp, frame, level));
	/* The new top of the stack has to be one that could be pushed to (SDM vol. 2, ENTER). */
	last = (sp - (e->insn->imm & 0xffff)) & v3_size_mask(stack_size(e));
	V3_TRY(v3_emu_linear(e, V3_SEG_SS, last, size, true, &linear));
	V3_TRY(e->ctx->ops->probe_write(e->ctx->opaque, linear, size, &e->ctx->fault));
	v3_stack_set(e, last);
	v3_gpr_write(e->regs->gpr, V3_RBP, size, false, frame);
	return V3_EMUL_OK;
}

static enum v3_emul_result leave(struct v3_emu *e)
{
	uint64_t sp = e->regs->gpr[V3_RBP], value;

	V3_TRY(v3_stack_pop(e, &sp, e->insn->opsize, &value));
	v3_stack_set(e, sp);
	v3_gpr_write(e->regs->gpr, V3_RBP, e->insn->opsize, false, value);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_flow(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;

	if (insn->map == V3_MAP_0F)
		return (insn->opcode & 0xf0) == 0x80 ?
		       jump_if(e, v3_alu_condition(insn->opcode, e->regs->rflags)) :
		       V3_EMUL_UNHANDLED;
	if ((insn->opcode & 0xf0) == 0x70)
		return jump_if(e, v3_alu_condition(insn->opcode, e->regs->rflags));
	switch (insn->opcode) {
	case 0x60:
		return pusha(e);
	case 0x61:
		return popa(e);
	case 0xc2: case 0xc3:
		return near_return(e);
	case 0xc8:
		return enter(e);
	case 0xc9:
		return leave(e);
	case 0xe0: case 0xe1: case 0xe2: case 0xe3:
		return loop(e);
	case 0xe9: case 0xeb:
		return jump_if(e, true);
	default:
		return V3_EMUL_UNHANDLED;
	}
}
