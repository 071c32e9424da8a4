/* SPDX-License-Identifier: BSD-2-Clause */
/* PUSH, POP, near CALL and JMP through an operand. */
#include "emul_internal.h"

#define RSP 4

/* The register that opcodes 50..5F have in their low bits. */
static uint8_t opcode_reg(const struct v3_insn *insn)
{
	return (uint8_t)((insn->opcode & 7) | (insn->rex & 1) << 3);
}

/* Bytes of the stack pointer that count (APM2 4.7.3). */
static uint32_t stack_size(const struct v3_emu *e)
{
	if (e->insn->mode == V3_INSN_MODE_64)
		return 8;
	return e->regs->seg[V3_SEG_SS].attrib & V3_SEG_DB ? 4 : 2;
}

static void set_sp(struct v3_emu *e, uint64_t sp)
{
	v3_gpr_write(e->regs->gpr, RSP, stack_size(e), false, sp);
}

static enum v3_emul_result push(struct v3_emu *e, uint64_t value, uint32_t size)
{
	uint64_t sp = (e->regs->gpr[RSP] - size) & v3_size_mask(stack_size(e)), linear;
	enum v3_emul_result res = v3_emu_linear(e, V3_SEG_SS, sp, size, true, &linear);

	if (res != V3_EMUL_OK)
		return res;
	res = v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE | V3_EMUL_ACCESS_STACK, value);
	if (res == V3_EMUL_OK)
		set_sp(e, sp);
	return res;
}

static enum v3_emul_result pop(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t old = e->regs->gpr[RSP], sp = old & v3_size_mask(stack_size(e)), linear, value;
	enum v3_emul_result res = v3_emu_linear(e, V3_SEG_SS, sp, size, false, &linear);

	if (res == V3_EMUL_OK)
		res = v3_emu_load(e, linear, size, V3_EMUL_ACCESS_STACK, &value);
	if (res != V3_EMUL_OK)
		return res;
	set_sp(e, sp + size);
	if (e->insn->opcode < 0x60) {	/* POP RSP keeps what was popped */
		v3_emu_set(e, opcode_reg(e->insn), size, value);
		return V3_EMUL_OK;
	}
	/* An operand based on RSP is addressed after the increment (SDM2, POP). */
	res = v3_emu_write_rm(e, size, value);
	if (res != V3_EMUL_OK)
		e->regs->gpr[RSP] = old;
	return res;
}

/* May the CPU go on at `target`? */
static enum v3_emul_result check_target(struct v3_emu *e, uint64_t target)
{
	if (e->insn->mode == V3_INSN_MODE_64) {
		uint32_t shift = e->regs->cr4 & V3_CR4_LA57 ? 7 : 16;

		if ((uint64_t)((int64_t)(target << shift) >> shift) != target)
			return v3_emu_fault(e, V3_EXCP_GP);
	} else if (target > e->regs->seg[V3_SEG_CS].limit) {
		return v3_emu_fault(e, V3_EXCP_GP);
	}
	return V3_EMUL_OK;
}

static enum v3_emul_result branch(struct v3_emu *e, uint64_t target, bool call)
{
	uint32_t size = e->insn->opsize;
	enum v3_emul_result res;

	/* A 66 prefix cuts RIP to 16 bits on AMD's CPUs and is ignored by Intel's. */
	if (e->insn->mode == V3_INSN_MODE_64 && (e->insn->flags & V3_INSN_OPSIZE))
		return V3_EMUL_UNHANDLED;
	target &= v3_size_mask(size);
	res = check_target(e, target);
	if (res == V3_EMUL_OK && call)
		res = push(e, e->next_rip, size);
	if (res == V3_EMUL_OK)
		e->next_rip = target;
	return res;
}

/* FF /2 CALL, /4 JMP, /6 PUSH; the far forms load CS and are not for us. */
static enum v3_emul_result group5(struct v3_emu *e)
{
	uint8_t reg = e->insn->reg & 7;
	enum v3_emul_result res;
	uint64_t value;

	if (reg == 3 || reg == 5)
		return V3_EMUL_UNHANDLED;
	res = v3_emu_read_rm(e, e->insn->opsize, &value);
	if (res != V3_EMUL_OK)
		return res;
	if (reg == 6)
		return push(e, value, e->insn->opsize);
	return branch(e, value, reg == 2);
}

enum v3_emul_result v3_emu_stack(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;

	switch (insn->opcode) {
	case 0x50: case 0x51: case 0x52: case 0x53: case 0x54: case 0x55: case 0x56: case 0x57:
		return push(e, e->regs->gpr[opcode_reg(insn)], insn->opsize);
	case 0x58: case 0x59: case 0x5a: case 0x5b: case 0x5c: case 0x5d: case 0x5e: case 0x5f:
	case 0x8f:
		return pop(e);
	case 0x68: case 0x6a:
		return push(e, insn->imm, insn->opsize);
	case 0xe8:
		return branch(e, e->next_rip + insn->imm, true);
	default:
		return group5(e);
	}
}
