/* SPDX-License-Identifier: BSD-2-Clause */
/* The MMIO fast path: plain loads and stores without their address. */
#include "emul_internal.h"

#define RAX 0

static void set_reg(struct v3_emul_simple *out, const struct v3_insn *insn, uint8_t reg,
		    uint8_t size)
{
	bool high = size == 1 && reg >= 4 && reg < 8 && !(insn->flags & V3_INSN_REX);

	out->reg = high ? reg - 4 : reg;
	out->high_byte = high;
	out->reg_size = size;
}

/* MOVZX, MOVSX: memory of `from` bytes into a register of the operand size. */
static bool extending_load(const struct v3_insn *insn, struct v3_emul_simple *out, uint8_t from,
			   bool sign)
{
	out->size = from;
	out->reg = insn->reg;
	out->reg_size = insn->opsize;
	out->sign_extend = sign;
	return true;
}

bool v3_emul_simple_mmio(const struct v3_insn *insn, struct v3_emul_simple *out)
{
	if (!(insn->flags & V3_INSN_MEM) || (insn->flags & (V3_INSN_VEX | V3_INSN_EVEX)))
		return false;
	*out = (struct v3_emul_simple){ .size = insn->opsize };
	if (insn->map == V3_MAP_0F) {
		if ((insn->opcode & 0xf6) != 0xb6)
			return false;
		return extending_load(insn, out, insn->opcode & 1 ? 2 : 1, insn->opcode & 8);
	}
	if (insn->map != V3_MAP_ONE)
		return false;
	switch (insn->opcode) {
	case 0x88: case 0x89:
		out->write = true;
		set_reg(out, insn, insn->reg, insn->opsize);
		return true;
	case 0x8a: case 0x8b:
		set_reg(out, insn, insn->reg, insn->opsize);
		return true;
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
		out->write = insn->opcode & 2;
		set_reg(out, insn, RAX, insn->opsize);
		return true;
	case 0xc6: case 0xc7:	/* with memory /0 only */
		out->write = true;
		out->is_imm = true;
		out->imm = insn->imm & v3_size_mask(insn->opsize);
		return true;
	case 0x63:
		if (insn->mode != V3_INSN_MODE_64)
			return false;
		return extending_load(insn, out, insn->opsize == 2 ? 2 : 4, true);
	default:
		return false;
	}
}

uint64_t v3_emul_simple_value(const uint64_t *gpr, const struct v3_emul_simple *desc)
{
	if (desc->is_imm)
		return desc->imm;
	if (desc->high_byte)
		return gpr[desc->reg] >> 8 & 0xff;
	return gpr[desc->reg] & v3_size_mask(desc->size);
}

void v3_emul_simple_commit(uint64_t *gpr, const struct v3_emul_simple *desc, uint64_t value)
{
	value &= v3_size_mask(desc->size);
	if (desc->sign_extend)
		value = v3_sign_extend(value, desc->size);
	v3_gpr_write(gpr, desc->reg, desc->reg_size, desc->high_byte, value);
}
