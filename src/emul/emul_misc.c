/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer instructions beyond those of devices' memory: registers, bit scans, decimals. */
#include "emul_cpu_internal.h"

static enum v3_emul_result lea(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	uint64_t offset = (uint64_t)insn->disp;

	if (insn->base != V3_INSN_NO_REG)
		offset += e->regs->gpr[insn->base];
	if (insn->index != V3_INSN_NO_REG)
		offset += e->regs->gpr[insn->index] << insn->scale;
	v3_emu_set(e, insn->reg, insn->opsize, offset & v3_size_mask(insn->addrsize));
	return V3_EMUL_OK;
}

/* 40..4F, 90..97, B0..BF, C8..CF of the 0F map: the register is in the opcode. */
static enum v3_emul_result inc_dec(struct v3_emu *e)
{
	uint8_t reg = e->insn->opcode & 7;
	uint32_t size = e->insn->opsize;
	enum v3_alu_op op = e->insn->opcode & 8 ? V3_ALU_DEC : V3_ALU_INC;

	v3_emu_set(e, reg, size, v3_alu(op, size, v3_emu_get(e, reg, size), 0, 0,
					&e->regs->rflags));
	return V3_EMUL_OK;
}

static enum v3_emul_result xchg_ax(struct v3_emu *e)
{
	uint8_t reg = e->insn->opcode & 7;
	uint32_t size = e->insn->opsize;
	uint64_t value = v3_emu_get(e, reg, size);

	/* With itself it is NOP. */
	if (reg != V3_RAX) {
		v3_emu_set(e, reg, size, v3_emu_get(e, V3_RAX, size));
		v3_emu_set(e, V3_RAX, size, value);
	}
	return V3_EMUL_OK;
}

static enum v3_emul_result bswap(struct v3_emu *e)
{
	uint8_t reg = e->insn->opcode & 7;

	/* Of 16 bits it is undefined, and zero on all CPUs. */
	v3_emu_set(e, reg, e->insn->opsize,
		   e->insn->opsize == 2 ? 0 : __builtin_bswap32((uint32_t)e->regs->gpr[reg]));
	return V3_EMUL_OK;
}

/* CBW, CWDE; CWD, CDQ */
static enum v3_emul_result widen(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t value;

	if (e->insn->opcode == 0x98) {
		v3_emu_set(e, V3_RAX, size, v3_sign_extend(e->regs->gpr[V3_RAX], size / 2));
		return V3_EMUL_OK;
	}
	value = v3_sign_extend(e->regs->gpr[V3_RAX], size);
	v3_emu_set(e, V3_RDX, size, value >> 63 ? ~0ull : 0);
	return V3_EMUL_OK;
}

static enum v3_emul_result xlat(struct v3_emu *e)
{
	uint64_t offset = e->regs->gpr[V3_RBX] + (e->regs->gpr[V3_RAX] & 0xff), linear, value;

	V3_TRY(v3_emu_linear(e, e->insn->seg, offset & v3_size_mask(e->insn->addrsize), 1, false,
			     &linear));
	V3_TRY(v3_emu_load(e, linear, 1, 0, &value));
	v3_gpr_write(e->regs->gpr, V3_RAX, 1, false, value);
	return V3_EMUL_OK;
}

/* BSF, BSR: of 0 the destination stays as it is. */
static enum v3_emul_result bit_scan(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint64_t value;

	if (e->insn->pp > 1)	/* TZCNT, LZCNT */
		return V3_EMUL_UNHANDLED;
	V3_TRY(v3_emu_read_rm(e, size, &value));
	e->regs->rflags &= ~V3_RFLAGS_ZF;
	if (!value)
		e->regs->rflags |= V3_RFLAGS_ZF;
	else
		v3_emu_set(e, e->insn->reg, size, e->insn->opcode == 0xbc ?
			   (uint64_t)__builtin_ctzll(value) : 63ull - __builtin_clzll(value));
	return V3_EMUL_OK;
}

/* --- Decimal arithmetic, which only 16 and 32-bit code has --- */

static void set_al(struct v3_emu *e, uint8_t al, bool cf, bool af)
{
	uint64_t *rflags = &e->regs->rflags;

	/* ZF, SF and PF of the result; AND with itself clears the rest. */
	(void)v3_alu(V3_ALU_AND, 1, al, al, 0, rflags);
	*rflags &= ~(V3_RFLAGS_CF | V3_RFLAGS_AF);
	*rflags |= (cf ? V3_RFLAGS_CF : 0) | (af ? V3_RFLAGS_AF : 0);
	v3_gpr_write(e->regs->gpr, V3_RAX, 1, false, al);
}

/* DAA, DAS */
static enum v3_emul_result decimal_adjust(struct v3_emu *e)
{
	uint8_t al = (uint8_t)e->regs->gpr[V3_RAX], old = al;
	bool cf = e->regs->rflags & V3_RFLAGS_CF, af = e->regs->rflags & V3_RFLAGS_AF;
	bool minus = e->insn->opcode == 0x2f, low = (al & 15) > 9 || af, high = al > 0x99 || cf;

	if (low)
		al = (uint8_t)(minus ? al - 6 : al + 6);
	if (high)
		al = (uint8_t)(minus ? al - 0x60 : al + 0x60);
	/* The borrow of the lower digit counts for subtraction only (SDM vol. 2, DAS). */
	set_al(e, al, high || (minus && low && old < 6), low);
	return V3_EMUL_OK;
}

/* AAA, AAS */
static enum v3_emul_result ascii_adjust(struct v3_emu *e)
{
	uint64_t ax = e->regs->gpr[V3_RAX] & 0xffff;
	bool adjust = (ax & 15) > 9 || e->regs->rflags & V3_RFLAGS_AF;

	if (adjust)
		ax = e->insn->opcode == 0x3f ? ax - 0x106 : ax + 0x106;
	e->regs->rflags &= ~(V3_RFLAGS_CF | V3_RFLAGS_AF);
	if (adjust)
		e->regs->rflags |= V3_RFLAGS_CF | V3_RFLAGS_AF;
	v3_gpr_write(e->regs->gpr, V3_RAX, 2, false, ax & 0xff0f);
	return V3_EMUL_OK;
}

/* AAM, AAD */
static enum v3_emul_result ascii_scale(struct v3_emu *e)
{
	uint8_t al = (uint8_t)e->regs->gpr[V3_RAX], ah = (uint8_t)(e->regs->gpr[V3_RAX] >> 8);
	uint8_t radix = (uint8_t)e->insn->imm;

	if (e->insn->opcode == 0xd4) {
		if (!radix)
			return v3_emu_fault(e, V3_EXCP_DE);
		ah = al / radix;
		al %= radix;
	} else {
		al = (uint8_t)(al + ah * radix);
		ah = 0;
	}
	set_al(e, al, false, false);
	v3_gpr_write(e->regs->gpr, V3_RAX, 1, true, ah);
	return V3_EMUL_OK;
}

static enum v3_emul_result misc_0f(struct v3_emu *e)
{
	switch (e->insn->opcode) {
	case 0x0d: case 0x18 ... 0x1f:	/* prefetches, hints, NOP */
		return V3_EMUL_OK;
	case 0x0b: case 0xb9: case 0xff:	/* UD2, UD1, UD0 */
		return v3_emu_fault(e, V3_EXCP_UD);
	case 0xae:	/* LFENCE, MFENCE, SFENCE */
		return !(e->insn->flags & V3_INSN_MEM) && (e->insn->reg & 7) > 4 && !e->insn->pp ?
		       V3_EMUL_OK : V3_EMUL_UNHANDLED;
	case 0xbc: case 0xbd:
		return bit_scan(e);
	case 0xc8 ... 0xcf:
		return bswap(e);
	default:
		return V3_EMUL_UNHANDLED;
	}
}

enum v3_emul_result v3_emu_misc(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;

	if (insn->map == V3_MAP_0F)
		return misc_0f(e);
	switch (insn->opcode) {
	case 0x27: case 0x2f:
		return decimal_adjust(e);
	case 0x37: case 0x3f:
		return ascii_adjust(e);
	case 0x40 ... 0x4f:
		return inc_dec(e);
	case 0x8d:
		return lea(e);
	case 0x90 ... 0x97:
		return xchg_ax(e);
	case 0x98: case 0x99:
		return widen(e);
	case 0xb0 ... 0xbf:
		v3_emu_set(e, insn->opcode & 7, insn->opsize, insn->imm);
		return V3_EMUL_OK;
	case 0xd4: case 0xd5:
		return ascii_scale(e);
	case 0xd6:	/* SALC */
		v3_gpr_write(e->regs->gpr, V3_RAX, 1, false,
			     e->regs->rflags & V3_RFLAGS_CF ? 0xff : 0);
		return V3_EMUL_OK;
	case 0xd7:
		return xlat(e);
	default:
		return V3_EMUL_UNHANDLED;
	}
}
