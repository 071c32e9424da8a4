/* SPDX-License-Identifier: BSD-2-Clause */
/* CMPXCHG, CMPXCHG8B, CMPXCHG16B. With memory always through the atomic op, LOCK or not. */
#include "emul_internal.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3

static enum v3_emul_result cmpxchg_mem(struct v3_emu *e, uint64_t acc)
{
	uint32_t size = e->insn->opsize;
	uint64_t desired = v3_emu_get(e, e->insn->reg, size), actual = acc, linear;
	enum v3_emul_result res;
	bool swapped = false;

	res = v3_emu_operand(e, size, true, &linear);
	if (res != V3_EMUL_OK)
		return res;
	res = e->ctx->ops->cmpxchg(e->ctx->opaque, linear, &actual, &desired, size, &swapped,
				   &e->ctx->fault);
	if (res != V3_EMUL_OK)
		return res;
	(void)v3_alu(V3_ALU_CMP, size, acc, actual, 0, &e->regs->rflags);
	if (!swapped)
		v3_emu_set(e, RAX, size, actual);
	return V3_EMUL_OK;
}

static enum v3_emul_result cmpxchg_reg(struct v3_emu *e, uint64_t acc)
{
	uint32_t size = e->insn->opsize;
	uint64_t dest = v3_emu_get(e, e->insn->rm, size);

	(void)v3_alu(V3_ALU_CMP, size, acc, dest, 0, &e->regs->rflags);
	if (acc == dest)
		v3_emu_set(e, e->insn->rm, size, v3_emu_get(e, e->insn->reg, size));
	else
		v3_emu_set(e, RAX, size, dest);
	return V3_EMUL_OK;
}

static enum v3_emul_result cmpxchg_pair(struct v3_emu *e)
{
	uint32_t half = e->insn->opsize == 8 ? 8 : 4;
	uint64_t expected[2] = { v3_emu_get(e, RAX, half), v3_emu_get(e, RDX, half) };
	uint64_t desired[2] = { v3_emu_get(e, RBX, half), v3_emu_get(e, RCX, half) };
	enum v3_emul_result res;
	bool swapped = false;
	uint64_t linear;

	res = v3_emu_operand(e, half * 2, true, &linear);
	if (res != V3_EMUL_OK)
		return res;
	if (half == 8 && (linear & 15))
		return v3_emu_fault(e, V3_EXCP_GP);
	if (half == 4) {
		expected[0] |= expected[1] << 32;
		desired[0] |= desired[1] << 32;
	}
	res = e->ctx->ops->cmpxchg(e->ctx->opaque, linear, expected, desired, half * 2, &swapped,
				   &e->ctx->fault);
	if (res != V3_EMUL_OK)
		return res;
	if (swapped) {
		e->regs->rflags |= V3_RFLAGS_ZF;
		return V3_EMUL_OK;
	}
	e->regs->rflags &= ~V3_RFLAGS_ZF;
	if (half == 4)
		expected[1] = expected[0] >> 32;
	v3_emu_set(e, RAX, half, expected[0]);
	v3_emu_set(e, RDX, half, expected[1]);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_cmpxchg(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	uint64_t acc;

	if (insn->opcode == 0xc7) {
		/* /1 with memory; the rest of the group is XSAVES, VMPTRLD, RDRAND and kin. */
		if (!(insn->flags & V3_INSN_MEM) || (insn->reg & 7) != 1)
			return V3_EMUL_UNHANDLED;
		return cmpxchg_pair(e);
	}
	acc = v3_emu_get(e, RAX, insn->opsize);
	return insn->flags & V3_INSN_MEM ? cmpxchg_mem(e, acc) : cmpxchg_reg(e, acc);
}
