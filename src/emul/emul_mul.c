/* SPDX-License-Identifier: BSD-2-Clause */
/* MUL, IMUL, DIV and IDIV (APM3 chapter 3). Flags that they leave undefined are left alone. */
#include "emul_internal.h"

#define RAX 0
#define RDX 2

/* CF and OF: the product does not fit in the operand size. */
static void put_overflow(struct v3_emu *e, bool on)
{
	e->regs->rflags &= ~(V3_RFLAGS_CF | V3_RFLAGS_OF);
	if (on)
		e->regs->rflags |= V3_RFLAGS_CF | V3_RFLAGS_OF;
}

static __int128 multiply(uint64_t a, uint64_t b, uint32_t size, bool is_signed)
{
	if (is_signed)
		return (__int128)(int64_t)v3_sign_extend(a, size) *
		       (int64_t)v3_sign_extend(b, size);
	return (__int128)((unsigned __int128)a * b);
}

/* The register pair of twice the operand size: AX, or a part of RDX and of RAX. */
static unsigned __int128 get_pair(const struct v3_emu *e, uint32_t size)
{
	const uint64_t *gpr = e->regs->gpr;

	if (size == 1)
		return gpr[RAX] & 0xffff;
	return (unsigned __int128)(gpr[RDX] & v3_size_mask(size)) << (size * 8) |
	       (gpr[RAX] & v3_size_mask(size));
}

static void set_pair(struct v3_emu *e, uint32_t size, uint64_t high, uint64_t low)
{
	if (size == 1) {
		v3_gpr_write(e->regs->gpr, RAX, 2, false, high << 8 | (low & 0xff));
		return;
	}
	v3_gpr_write(e->regs->gpr, RAX, size, false, low);
	v3_gpr_write(e->regs->gpr, RDX, size, false, high);
}

static void mul(struct v3_emu *e, uint64_t value, uint32_t size, bool is_signed)
{
	uint64_t a = e->regs->gpr[RAX] & v3_size_mask(size);
	__int128 product = multiply(a, value, size, is_signed);
	uint64_t low = (uint64_t)product, high = (uint64_t)(product >> (size * 8));
	uint64_t fits = is_signed ? v3_sign_extend(low, size) >> 63 : 0;

	put_overflow(e, (high & v3_size_mask(size)) != (fits ? v3_size_mask(size) : 0));
	set_pair(e, size, high, low);
}

/* False for a quotient of more than 64 bits, and for a division by 0. */
static bool divide(unsigned __int128 a, uint64_t by, uint64_t *quotient, uint64_t *rest)
{
	uint64_t high = (uint64_t)(a >> 64), low = (uint64_t)a;

	if (high >= by)
		return false;
	__asm__("divq %4" : "=a"(*quotient), "=d"(*rest) : "a"(low), "d"(high), "r"(by) : "cc");
	return true;
}

static enum v3_emul_result div(struct v3_emu *e, uint64_t value, uint32_t size, bool is_signed)
{
	uint64_t most = v3_size_mask(size), quotient, rest;
	unsigned __int128 a = get_pair(e, size);
	bool negative = false, other = false;

	if (is_signed) {
		uint32_t unused = 128 - size * 16;
		__int128 extended = (__int128)(a << unused) >> unused;

		negative = extended < 0;
		a = negative ? -(unsigned __int128)extended : (unsigned __int128)extended;
		value = v3_sign_extend(value, size);
		other = value >> 63;
		value = other ? -value : value;
		/* One more below zero than above. */
		most = (most >> 1) + (negative != other);
	}
	if (!divide(a, value, &quotient, &rest) || quotient > most)
		return v3_emu_fault(e, V3_EXCP_DE);
	set_pair(e, size, negative ? -rest : rest, negative != other ? -quotient : quotient);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_mul(struct v3_emu *e)
{
	uint32_t size = e->insn->opsize;
	uint8_t reg = e->insn->reg & 7;
	uint64_t value;
	enum v3_emul_result res = v3_emu_read_rm(e, size, &value);

	if (res != V3_EMUL_OK)
		return res;
	if (reg >= 6)
		return div(e, value, size, reg == 7);
	mul(e, value, size, reg == 5);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_imul(struct v3_emu *e, bool has_imm)
{
	uint32_t size = e->insn->opsize;
	uint64_t value, by = has_imm ? e->insn->imm : v3_emu_get(e, e->insn->reg, size);
	enum v3_emul_result res = v3_emu_read_rm(e, size, &value);
	__int128 product;

	if (res != V3_EMUL_OK)
		return res;
	product = multiply(value, by, size, true);
	put_overflow(e, product != (int64_t)v3_sign_extend((uint64_t)product, size));
	v3_emu_set(e, e->insn->reg, size, (uint64_t)product);
	return V3_EMUL_OK;
}
