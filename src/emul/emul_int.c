/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer instructions: moves, arithmetic, bit tests, shifts; one-byte, 0F and 0F38 maps. */
#include "emul_internal.h"

#define RAX 0
#define RCX 1

/* 00..3D: the six forms of ADD, OR, ADC, SBB, AND, SUB, XOR, CMP. */
static enum v3_emul_result group1_forms(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	enum v3_alu_op op = (enum v3_alu_op)(insn->opcode >> 3 & 7);
	uint64_t rflags = e->regs->rflags;
	enum v3_emul_result res;
	uint64_t a, b;
	uint8_t dest;

	switch (insn->opcode & 7) {
	case 0:
	case 1:
		b = v3_emu_get(e, insn->reg, insn->opsize);
		return v3_emu_rmw(e, op, insn->opsize, b, 0, false, NULL);
	case 2:
	case 3:
		res = v3_emu_read_rm(e, insn->opsize, &b);
		if (res != V3_EMUL_OK)
			return res;
		dest = insn->reg;
		break;
	case 4:
	case 5:
		b = insn->imm;
		dest = RAX;
		break;
	default:
		return V3_EMUL_UNHANDLED;
	}
	a = v3_emu_get(e, dest, insn->opsize);
	a = v3_alu(op, insn->opsize, a, b, 0, &rflags);
	if (op != V3_ALU_CMP)
		v3_emu_set(e, dest, insn->opsize, a);
	e->regs->rflags = rflags;
	return V3_EMUL_OK;
}

/* TEST: AND that keeps the flags only. */
static enum v3_emul_result test(struct v3_emu *e, uint64_t a, uint64_t b)
{
	(void)v3_alu(V3_ALU_AND, e->insn->opsize, a, b, 0, &e->regs->rflags);
	return V3_EMUL_OK;
}

static enum v3_emul_result test_rm(struct v3_emu *e, uint64_t b)
{
	uint64_t a;
	enum v3_emul_result res = v3_emu_read_rm(e, e->insn->opsize, &a);

	return res == V3_EMUL_OK ? test(e, a, b) : res;
}

/* Load of `from` bytes into the register operand, extended to the operand size. */
static enum v3_emul_result load_extend(struct v3_emu *e, uint32_t from, bool sign)
{
	uint64_t v;
	enum v3_emul_result res = v3_emu_read_rm(e, from, &v);

	if (res == V3_EMUL_OK)
		v3_emu_set(e, e->insn->reg, e->insn->opsize, sign ? v3_sign_extend(v, from) : v);
	return res;
}

/* XCHG with memory is locked with and without a prefix. */
static enum v3_emul_result xchg(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t old;
	enum v3_emul_result res = v3_emu_rmw(e, V3_ALU_MOV, size,
					     v3_emu_get(e, e->insn->reg, size), 0, true, &old);

	if (res == V3_EMUL_OK)
		v3_emu_set(e, e->insn->reg, size, old);
	return res;
}

static enum v3_emul_result store_selector(struct v3_emu *e)
{
	uint16_t selector = e->regs->seg[e->insn->reg & 7].selector;

	/* Memory gets 16 bits whatever the operand size. */
	return v3_emu_write_rm(e, e->insn->flags & V3_INSN_MEM ? 2 : e->insn->opsize, selector);
}

static enum v3_emul_result moffs(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t v;
	enum v3_emul_result res;

	if (e->insn->opcode >= 0xa2)
		return v3_emu_write_rm(e, size, v3_emu_get(e, RAX, size));
	res = v3_emu_read_rm(e, size, &v);
	if (res == V3_EMUL_OK)
		v3_emu_set(e, RAX, size, v);
	return res;
}

static enum v3_emul_result shift_group(struct v3_emu *e)
{
	enum v3_alu_op op = (enum v3_alu_op)(V3_ALU_ROL + (e->insn->reg & 7));
	uint64_t count = 1;

	if (e->insn->opcode < 0xd0)
		count = e->insn->imm;
	else if (e->insn->opcode >= 0xd2)
		count = e->regs->gpr[RCX];
	return v3_emu_rmw(e, op, e->insn->opsize, count & 0xff, 0, false, NULL);
}

static enum v3_emul_result group3(struct v3_emu *e)
{
	switch (e->insn->reg & 7) {
	case 0:
	case 1:
		return test_rm(e, e->insn->imm);
	case 2:
		return v3_emu_rmw(e, V3_ALU_NOT, e->insn->opsize, 0, 0, false, NULL);
	case 3:
		return v3_emu_rmw(e, V3_ALU_NEG, e->insn->opsize, 0, 0, false, NULL);
	default:
		return v3_emu_mul(e);
	}
}

enum v3_emul_result v3_emu_alu_one(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	uint32_t size = insn->opsize;
	uint8_t reg = insn->reg & 7;

	if (insn->opcode < 0x40)
		return group1_forms(e);
	switch (insn->opcode) {
	case 0x63:
		if (insn->mode != V3_INSN_MODE_64)	/* ARPL */
			return V3_EMUL_UNHANDLED;
		return load_extend(e, size == 2 ? 2 : 4, true);
	case 0x69: case 0x6b:
		return v3_emu_imul(e, true);
	case 0x80: case 0x81: case 0x82: case 0x83:
		return v3_emu_rmw(e, (enum v3_alu_op)reg, size, insn->imm, 0, false, NULL);
	case 0x84: case 0x85:
		return test_rm(e, v3_emu_get(e, insn->reg, size));
	case 0x86: case 0x87:
		return xchg(e);
	case 0x88: case 0x89:
		return v3_emu_write_rm(e, size, v3_emu_get(e, insn->reg, size));
	case 0x8a: case 0x8b:
		return load_extend(e, size, false);
	case 0x8c:
		return store_selector(e);
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
		return moffs(e);
	case 0xa8: case 0xa9:
		return test(e, v3_emu_get(e, RAX, size), insn->imm);
	case 0xc0: case 0xc1: case 0xd0: case 0xd1: case 0xd2: case 0xd3:
		return shift_group(e);
	case 0xc6: case 0xc7:	/* /7 is XABORT, XBEGIN */
		return reg ? V3_EMUL_UNHANDLED : v3_emu_write_rm(e, size, insn->imm);
	case 0xf6: case 0xf7:
		return group3(e);
	case 0xfe: case 0xff:
		return v3_emu_rmw(e, reg ? V3_ALU_DEC : V3_ALU_INC, size, 0, 0, false, NULL);
	default:
		return V3_EMUL_UNHANDLED;
	}
}

/* BT and kin with a register: for memory it is a signed bit offset from the operand. */
static enum v3_emul_result bit_test_reg(struct v3_emu *e, enum v3_alu_op op)
{
	uint32_t size = e->insn->opsize;
	uint64_t b = v3_emu_get(e, e->insn->reg, size);
	int64_t bytes = (int64_t)v3_sign_extend(b, size) >> 3;

	e->ea_adjust = bytes & ~(int64_t)(size - 1);
	return v3_emu_rmw(e, op, size, b, 0, false, NULL);
}

static enum v3_emul_result xadd(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t b = v3_emu_get(e, e->insn->reg, size), rflags = e->regs->rflags, old;
	enum v3_emul_result res;

	if (!(e->insn->flags & V3_INSN_MEM)) {
		old = v3_emu_get(e, e->insn->rm, size);
		b = v3_alu(V3_ALU_ADD, size, old, b, 0, &rflags);
		/* The sum wins when both operands are the same register. */
		v3_emu_set(e, e->insn->reg, size, old);
		v3_emu_set(e, e->insn->rm, size, b);
		e->regs->rflags = rflags;
		return V3_EMUL_OK;
	}
	res = v3_emu_rmw(e, V3_ALU_ADD, size, b, 0, false, &old);
	if (res == V3_EMUL_OK)
		v3_emu_set(e, e->insn->reg, size, old);
	return res;
}

static enum v3_emul_result cmov(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t v;
	enum v3_emul_result res = v3_emu_read_rm(e, size, &v);

	if (res != V3_EMUL_OK)
		return res;
	/* A 32-bit destination loses its upper half either way. */
	if (!v3_alu_condition(e->insn->opcode, e->regs->rflags))
		v = v3_emu_get(e, e->insn->reg, size);
	v3_emu_set(e, e->insn->reg, size, v);
	return V3_EMUL_OK;
}

static enum v3_emul_result movbe(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize, drop = 64 - size * 8;
	uint64_t v;
	enum v3_emul_result res;

	if (e->insn->pp > 1)	/* CRC32 */
		return V3_EMUL_UNHANDLED;
	if (e->insn->opcode == 0xf1) {
		v = v3_emu_get(e, e->insn->reg, size);
		return v3_emu_write_rm(e, size, __builtin_bswap64(v) >> drop);
	}
	res = v3_emu_read_rm(e, size, &v);
	if (res == V3_EMUL_OK)
		v3_emu_set(e, e->insn->reg, size, __builtin_bswap64(v) >> drop);
	return res;
}

static enum v3_emul_result double_shift(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	enum v3_alu_op op = insn->opcode < 0xa8 ? V3_ALU_SHLD : V3_ALU_SHRD;
	uint64_t count = insn->opcode & 1 ? e->regs->gpr[RCX] : insn->imm;

	return v3_emu_rmw(e, op, insn->opsize, v3_emu_get(e, insn->reg, insn->opsize),
			  count & 0xff, false, NULL);
}

/* CLFLUSH, CLFLUSHOPT, CLWB: nothing is cached of what is emulated. */
static enum v3_emul_result cache_line(struct v3_emu *e)
{
	uint8_t reg = e->insn->reg & 7;
	uint64_t linear;

	if (!(e->insn->flags & V3_INSN_MEM) || e->insn->pp > 1 ||
	    !(reg == 7 || (reg == 6 && e->insn->pp == 1)))
		return V3_EMUL_UNHANDLED;
	return v3_emu_operand(e, 1, false, &linear);
}

enum v3_emul_result v3_emu_alu_0f(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;

	if (insn->map == V3_MAP_0F38)
		return (insn->opcode & 0xfe) == 0xf0 ? movbe(e) : V3_EMUL_UNHANDLED;
	switch (insn->opcode) {
	case 0x40: case 0x41: case 0x42: case 0x43: case 0x44: case 0x45: case 0x46: case 0x47:
	case 0x48: case 0x49: case 0x4a: case 0x4b: case 0x4c: case 0x4d: case 0x4e: case 0x4f:
		return cmov(e);
	case 0x90: case 0x91: case 0x92: case 0x93: case 0x94: case 0x95: case 0x96: case 0x97:
	case 0x98: case 0x99: case 0x9a: case 0x9b: case 0x9c: case 0x9d: case 0x9e: case 0x9f:
		return v3_emu_write_rm(e, 1, v3_alu_condition(insn->opcode, e->regs->rflags));
	case 0xa3:
		return bit_test_reg(e, V3_ALU_BT);
	case 0xab:
		return bit_test_reg(e, V3_ALU_BTS);
	case 0xb3:
		return bit_test_reg(e, V3_ALU_BTR);
	case 0xbb:
		return bit_test_reg(e, V3_ALU_BTC);
	case 0xba:
		return v3_emu_rmw(e, (enum v3_alu_op)(V3_ALU_BT + (insn->reg & 3)), insn->opsize,
				  insn->imm, 0, false, NULL);
	case 0xa4: case 0xa5: case 0xac: case 0xad:
		return double_shift(e);
	case 0xae:
		return cache_line(e);
	case 0xaf:
		return v3_emu_imul(e, false);
	case 0xb0: case 0xb1: case 0xc7:
		return v3_emu_cmpxchg(e);
	case 0xb6: case 0xbe:
		return load_extend(e, 1, insn->opcode == 0xbe);
	case 0xb7: case 0xbf:
		return load_extend(e, 2, insn->opcode == 0xbf);
	case 0xc0: case 0xc1:
		return xadd(e);
	case 0xc3: {	/* MOVNTI: never of 16 bits */
		uint32_t size = insn->opsize == 8 ? 8 : 4;

		return v3_emu_write_rm(e, size, v3_emu_get(e, insn->reg, size));
	}
	default:
		return v3_emu_vector(e);
	}
}
