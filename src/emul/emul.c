/* SPDX-License-Identifier: BSD-2-Clause */
/* One step: find the family of the instruction, run it, commit RIP. */
#include "emul_internal.h"

static enum v3_emul_result step_one(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;

	switch (insn->opcode) {
	case 0x6c: case 0x6d: case 0x6e: case 0x6f:
	case 0xa4: case 0xa5: case 0xa6: case 0xa7:
	case 0xaa: case 0xab: case 0xac: case 0xad: case 0xae: case 0xaf:
		return v3_emu_string(e);
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		return v3_emu_port(e);
	case 0x50: case 0x51: case 0x52: case 0x53: case 0x54: case 0x55: case 0x56: case 0x57:
	case 0x58: case 0x59: case 0x5a: case 0x5b: case 0x5c: case 0x5d: case 0x5e: case 0x5f:
	case 0x68: case 0x6a: case 0x8f: case 0xe8:
		return v3_emu_stack(e);
	case 0xff:
		return (insn->reg & 7) < 2 ? v3_emu_alu_one(e) : v3_emu_stack(e);
	default:
		return v3_emu_alu_one(e);
	}
}

enum v3_emul_result v3_emul_step(struct v3_emul_ctx *ctx, const struct v3_insn *insn)
{
	struct v3_emu e = {
		.ctx = ctx,
		.regs = ctx->regs,
		.insn = insn,
		.next_rip = ctx->regs->rip + insn->length,
	};
	enum v3_emul_result res;

	if (insn->mode != V3_INSN_MODE_64)
		e.next_rip = (uint32_t)e.next_rip;
	if (insn->flags & (V3_INSN_EVEX | V3_INSN_XOP))
		return V3_EMUL_UNHANDLED;
	if (insn->flags & V3_INSN_VEX)
		res = v3_emu_vector(&e);
	else if (insn->map == V3_MAP_ONE)
		res = step_one(&e);
	else if (insn->map == V3_MAP_0F)
		res = v3_emu_alu_0f(&e);
	else if (insn->map == V3_MAP_0F38)
		res = insn->opcode == 0x2a ? v3_emu_vector(&e) : v3_emu_alu_0f(&e);
	else if (insn->map == V3_MAP_0F3A)
		res = v3_emu_vector(&e);
	else
		res = V3_EMUL_UNHANDLED;
	if (res == V3_EMUL_OK) {
		e.regs->rip = e.next_rip;
		e.regs->rflags &= ~V3_RFLAGS_RF;
	}
	return res;
}
