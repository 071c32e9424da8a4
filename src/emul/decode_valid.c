/* SPDX-License-Identifier: BSD-2-Clause */
/* Which legacy-encoded forms exist: groups, mandatory prefixes, LOCK, x87, control registers. */
#include "decode_internal.h"
#include "decode_tables.h"

static const struct v3_group *find_group(const struct v3_insn *insn)
{
	for (unsigned int i = 0; i < v3_group_count; i++)
		if (v3_groups[i].map == insn->map && v3_groups[i].opcode == insn->opcode)
			return &v3_groups[i];
	return NULL;
}

/* The low six bits of ModRM for a register form, without extension bits. */
static unsigned int low6(const struct v3_insn *insn)
{
	return (insn->reg & 7u) << 3 | (insn->rm & 7u);
}

/* 0F 01 with a register ModRM: one instruction for each of its values (APM3 A.2, SDM2 A.4). */
static bool valid_0f01(const struct v3_insn *insn)
{
	unsigned int low = low6(insn);
	bool long_mode = insn->mode == V3_INSN_MODE_64;

	switch (low) {
	case 0x00: case 0x01: case 0x02: case 0x03: case 0x04: case 0x05:
		return insn->pp == 0;	/* ENCLV, VMX */
	case 0x08: case 0x09: case 0x0a: case 0x0b:
		return insn->pp == 0;	/* MONITOR, MWAIT, CLAC, STAC */
	case 0x0c:
		return insn->pp == 1;	/* TDCALL */
	case 0x0d: case 0x0e:
		return insn->pp == 1 && long_mode;	/* SEAMRET, SEAMOPS */
	case 0x0f:
		return insn->pp == 0 || (insn->pp == 1 && long_mode);	/* ENCLS, SEAMCALL */
	case 0x10: case 0x11: case 0x14: case 0x15: case 0x16: case 0x17:
		return insn->pp == 0;	/* XGETBV, XSETBV, VMFUNC, XEND, XTEST, ENCLU */
	case 0x18: case 0x19: case 0x1a: case 0x1b:
	case 0x1c: case 0x1d: case 0x1e: case 0x1f:
		return true;		/* SVM */
	case 0x28:
		return insn->pp != 1;	/* SERIALIZE, SETSSBSY, XSUSLDTRK */
	case 0x29:
		return insn->pp == 3;	/* XRESLDTRK */
	case 0x2a:
		return insn->pp == 2;	/* SAVEPREVSSP */
	case 0x2c: case 0x2d:
		return insn->pp == 2 && long_mode;	/* UIRET, TESTUI */
	case 0x2e: case 0x2f:
		return insn->pp == 0 || (insn->pp == 2 && long_mode);	/* PKRU, CLUI, STUI */
	case 0x38:
		return long_mode;	/* SWAPGS */
	case 0x3a:
		return insn->pp == 0 || insn->pp == 2;	/* MONITORX, MCOMMIT */
	case 0x3b:
		return insn->pp == 0;	/* MWAITX */
	case 0x3e:		/* INVLPGB, RMPADJUST, RMPUPDATE */
		return insn->pp == 0 || (insn->pp != 1 && long_mode);
	case 0x3f:		/* TLBSYNC, PVALIDATE, PSMASH */
		return insn->pp == 0 || insn->pp == 3 || (insn->pp == 2 && long_mode);
	case 0x39: case 0x3c: case 0x3d:
		return true;		/* RDTSCP, CLZERO, RDPRU */
	default:
		return (low >> 3) == 4 || (low >> 3) == 6;	/* SMSW, LMSW */
	}
}

static bool valid_special_one(const struct v3_insn *insn)
{
	uint8_t reg = insn->reg & 7;

	switch (insn->opcode) {
	case 0x62: case 0xc4: case 0xc5:
		return insn->mode != V3_INSN_MODE_64;	/* else VEX or EVEX */
	case 0x8c:
		return reg <= V3_SEG_GS;
	case 0x8e:
		return reg <= V3_SEG_GS && reg != V3_SEG_CS;
	case 0xd8: case 0xd9: case 0xda: case 0xdb:
	case 0xdc: case 0xdd: case 0xde: case 0xdf:
		if (insn->mod != 3)
			return v3_x87_mem[insn->opcode & 7] >> reg & 1;
		return v3_x87_reg[insn->opcode & 7] >> low6(insn) & 1;
	default:
		return true;
	}
}

static bool valid_special_0f(const struct v3_insn *insn)
{
	bool reg_form = insn->mod == 3;

	switch (insn->opcode) {
	case 0x01:
		return !reg_form || valid_0f01(insn);
	case 0x20: case 0x22:	/* CR0, CR2, CR3, CR4, CR8 */
		return insn->reg == 0 || (insn->reg >= 2 && insn->reg <= 4) || insn->reg == 8;
	case 0x21: case 0x23:
		return insn->reg < 8;
	case 0x78:
		return insn->pp != 1 || (insn->reg & 7) == 0;	/* 66: EXTRQ is /0 */
	case 0xc7:	/* F3 /6: SENDUIPI */
		return !(reg_form && insn->pp == 2 && (insn->reg & 7) == 6) ||
		       insn->mode == V3_INSN_MODE_64;
	case 0xae:	/* F3 register forms 0..3: RDFSBASE and kin */
		return !(reg_form && insn->pp == 2 && (insn->reg & 7) < 4) ||
		       insn->mode == V3_INSN_MODE_64;
	default:
		return true;
	}
}

bool v3_legacy_valid(const struct v3_insn *insn, uint16_t attr, uint8_t pp_mask)
{
	bool reg_form = insn->mod == 3;
	bool lock_ok = attr & V3_AT_LOCK;

	if (attr & V3_AT_INVALID)
		return false;
	if ((attr & V3_AT_INV64) && insn->mode == V3_INSN_MODE_64)
		return false;
	if ((attr & V3_AT_MEM) && reg_form)
		return false;
	if (pp_mask != 0xff && !(pp_mask >> (insn->pp + (reg_form ? 4 : 0)) & 1))
		return false;
	/* Member 0 of every one-byte group exists, with and without memory. */
	if ((attr & V3_AT_GROUP) &&
	    (insn->map != V3_MAP_ONE || insn->reg & 7 || insn->flags & V3_INSN_LOCK)) {
		const struct v3_group *g = find_group(insn);
		uint8_t bit = (uint8_t)(1u << (insn->reg & 7));

		if (!g || !(g->valid[insn->pp + (reg_form ? 4 : 0)] & bit))
			return false;
		lock_ok = g->lock & bit;
		/* C6 /7 and C7 /7, XABORT and XBEGIN, exist with rm 0 only. */
		if (insn->map == V3_MAP_ONE && (insn->opcode & 0xfe) == 0xc6 && bit == 0x80 &&
		    (insn->rm & 7))
			return false;
	}
	if ((insn->flags & V3_INSN_LOCK) && (!lock_ok || !(insn->flags & V3_INSN_MEM)))
		return false;
	if (insn->map == V3_MAP_0F38)	/* AES*WIDE*KL are /0../3 of D8 */
		return insn->opcode != 0xd8 || (insn->reg & 7) < 4;
	if (insn->map == V3_MAP_0F3A)	/* HRESET */
		return insn->opcode != 0xf0 || low6(insn) == 0;
	if (!(attr & V3_AT_SPECIAL))
		return true;
	return insn->map == V3_MAP_ONE ? valid_special_one(insn) : valid_special_0f(insn);
}
