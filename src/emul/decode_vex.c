/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VEX-encoded forms exist. */
#include "decode_internal.h"
#include "decode_tables.h"

/* Tile instructions (AMX): 64-bit mode only; three tiles that must differ. */
static bool valid_amx(const struct v3_insn *insn)
{
	uint8_t low_reg = insn->reg & 7;

	if (insn->mode != V3_INSN_MODE_64)
		return false;
	if (insn->opcode == 0x49) {
		if (insn->pp == 0 && insn->mod == 3)	/* TILERELEASE */
			return low_reg == 0 && (insn->rm & 7) == 0;
		if (insn->mod == 3)	/* TILEZERO */
			return insn->reg < 8 && (insn->rm & 7) == 0;
		return low_reg == 0;	/* LDTILECFG, STTILECFG */
	}
	if (insn->opcode == 0x4b)	/* TILELOADD and kin need a SIB byte */
		return (insn->rm & 7) == 4 && insn->reg < 8;
	return insn->reg < 8 && insn->rm < 8 && insn->vvvv < 8 && insn->reg != insn->rm &&
	       insn->reg != insn->vvvv && insn->rm != insn->vvvv;
}

/* Gathers need VSIB, and destination, index and mask must be three registers (SDM2 2.4). */
static bool valid_gather(const struct v3_insn *insn, uint8_t index)
{
	return (insn->rm & 7) == 4 && insn->addrsize != 2 && insn->reg != index &&
	       insn->reg != insn->vvvv && index != insn->vvvv;
}

static bool valid_special_0f(const struct v3_insn *insn)
{
	uint8_t bit = (uint8_t)(1u << (insn->reg & 7));

	switch (insn->opcode) {
	case 0x10: case 0x11:	/* see no_vvvv() */
		return true;
	case 0x71: case 0x72:
		return bit & 0x54;
	case 0x73:
		return bit & 0xcc;
	case 0xae:		/* VLDMXCSR, VSTMXCSR */
		return bit & 0x0c;
	default:		/* mask registers: there are eight of them */
		return insn->reg < 8 && insn->vvvv < 8;
	}
}

static bool valid_special_0f38(const struct v3_insn *insn)
{
	if (insn->opcode >= 0x90 && insn->opcode <= 0x93)
		/* VSIB has no "no index": that encoding is register 4. */
		return valid_gather(insn, insn->index == V3_INSN_NO_REG ? 4 : insn->index);
	if (insn->opcode == 0xf3)	/* BLSR, BLSMSK, BLSI */
		return (insn->reg & 7) >= 1 && (insn->reg & 7) <= 3;
	return valid_amx(insn);
}

/* Must vvvv be 1111b? VMOVSS and VMOVSD have three operands with registers only. */
static bool no_vvvv(const struct v3_insn *insn, uint8_t attr)
{
	bool movs = insn->map == V3_MAP_0F && (insn->opcode & 0xfe) == 0x10 && insn->pp >= 2;

	return (attr & V3_VEX_NV) || (movs && insn->mod != 3);
}

bool v3_vex_valid(struct v3_insn *insn)
{
	uint8_t attr = v3_vex_attr[insn->map - 1][insn->opcode][insn->pp];
	bool w = insn->rex & V3_REX_W;

	if (!(attr & (insn->mod == 3 ? V3_VEX_R : V3_VEX_M)))
		return false;
	if (!(attr & (insn->vl ? V3_VEX_L1 : V3_VEX_L0)))
		return false;
	if (!(attr & (w ? V3_VEX_W1 : V3_VEX_W0)))
		return false;
	if (no_vvvv(insn, attr) && insn->vvvv)
		return false;
	/* "No operand" is told by all four bits; a register has three outside of 64-bit mode. */
	if (insn->mode != V3_INSN_MODE_64)
		insn->vvvv &= 7;
	if (!(attr & V3_VEX_SP))
		return true;
	if (insn->map == V3_MAP_0F)
		return valid_special_0f(insn);
	if (insn->map == V3_MAP_0F38)
		return valid_special_0f38(insn);
	return insn->reg < 8;	/* KSHIFTR, KSHIFTL */
}
