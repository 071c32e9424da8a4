/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer arithmetic with flags: values in, values out (APM1 3.3, APM3 chapter 3). */
#include "emul_internal.h"

static uint64_t top_bit(uint32_t size)
{
	return 1ull << (size * 8 - 1);
}

static void put_flag(uint64_t *rflags, uint64_t flag, bool on)
{
	if (on)
		*rflags |= flag;
	else
		*rflags &= ~flag;
}

/* SF, ZF, PF of a result. */
static void put_szp(uint64_t *rflags, uint64_t r, uint32_t size)
{
	uint32_t p = (uint32_t)r & 0xff;

	p ^= p >> 4;
	p ^= p >> 2;
	p ^= p >> 1;
	put_flag(rflags, V3_RFLAGS_PF, !(p & 1));
	put_flag(rflags, V3_RFLAGS_ZF, (r & v3_size_mask(size)) == 0);
	put_flag(rflags, V3_RFLAGS_SF, r & top_bit(size));
}

static uint64_t add(uint64_t a, uint64_t b, bool carry, uint32_t size, uint64_t *rflags)
{
	uint64_t mask = v3_size_mask(size);
	uint64_t r = (a + b + carry) & mask;
	uint64_t carries = (a & b) | ((a | b) & ~r);	/* out of each bit */

	put_szp(rflags, r, size);
	put_flag(rflags, V3_RFLAGS_CF, carries & top_bit(size));
	put_flag(rflags, V3_RFLAGS_AF, carries & 8);
	put_flag(rflags, V3_RFLAGS_OF, (a ^ r) & (b ^ r) & top_bit(size));
	return r;
}

static uint64_t sub(uint64_t a, uint64_t b, bool borrow, uint32_t size, uint64_t *rflags)
{
	uint64_t mask = v3_size_mask(size);
	uint64_t r = (a - b - borrow) & mask;
	uint64_t borrows = (~a & b) | ((~a | b) & r);

	put_szp(rflags, r, size);
	put_flag(rflags, V3_RFLAGS_CF, borrows & top_bit(size));
	put_flag(rflags, V3_RFLAGS_AF, borrows & 8);
	put_flag(rflags, V3_RFLAGS_OF, (a ^ b) & (a ^ r) & top_bit(size));
	return r;
}

static uint64_t logic(uint64_t r, uint32_t size, uint64_t *rflags)
{
	put_szp(rflags, r, size);
	*rflags &= ~(V3_RFLAGS_CF | V3_RFLAGS_OF | V3_RFLAGS_AF);
	return r & v3_size_mask(size);
}

/* ROL, ROR, RCL, RCR one bit at a time: at most 63 rounds, and off every hot path. */
static uint64_t rotate(enum v3_alu_op op, uint32_t size, uint64_t a, uint32_t count,
		       uint64_t *rflags)
{
	uint64_t top = top_bit(size), mask = v3_size_mask(size);
	bool carry = *rflags & V3_RFLAGS_CF;
	bool left = op == V3_ALU_ROL || op == V3_ALU_RCL;
	bool through = op == V3_ALU_RCL || op == V3_ALU_RCR;

	for (uint32_t i = 0; i < count; i++) {
		bool out = left ? (a & top) != 0 : a & 1;
		bool in = through ? carry : out;

		a = left ? (a << 1 | in) & mask : a >> 1 | (in ? top : 0);
		carry = out;
	}
	put_flag(rflags, V3_RFLAGS_CF, carry);
	if (left)
		put_flag(rflags, V3_RFLAGS_OF, ((a & top) != 0) != carry);
	else
		put_flag(rflags, V3_RFLAGS_OF, (a ^ a << 1) & top);
	return a;
}

/* Shift by one bit `count` times. */
static uint64_t shift(enum v3_alu_op op, uint32_t size, uint64_t a, uint32_t count,
		      uint64_t *rflags)
{
	uint64_t top = top_bit(size), mask = v3_size_mask(size), before = a;
	bool carry = false;

	for (uint32_t i = 0; i < count; i++) {
		before = a;
		if (op == V3_ALU_SHL || op == V3_ALU_SAL) {
			carry = a & top;
			a = a << 1 & mask;
		} else {
			carry = a & 1;
			a = a >> 1 | (op == V3_ALU_SAR ? a & top : 0);
		}
	}
	put_szp(rflags, a, size);
	put_flag(rflags, V3_RFLAGS_CF, carry);
	put_flag(rflags, V3_RFLAGS_OF, (a ^ before) & top);
	return a;
}

static uint64_t double_shift(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t b,
			     uint32_t count, uint64_t *rflags)
{
	uint64_t top = top_bit(size), mask = v3_size_mask(size), before = a;
	bool carry = false;

	for (uint32_t i = 0; i < count; i++) {
		before = a;
		if (op == V3_ALU_SHLD) {
			carry = a & top;
			a = (a << 1 | ((b & top) != 0)) & mask;
			b = b << 1 & mask;
		} else {
			carry = a & 1;
			a = a >> 1 | (b & 1 ? top : 0);
			b >>= 1;
		}
	}
	put_szp(rflags, a, size);
	put_flag(rflags, V3_RFLAGS_CF, carry);
	put_flag(rflags, V3_RFLAGS_OF, (a ^ before) & top);
	return a;
}

/* Shifts and rotates: the count is taken modulo 32 or 64; 0 leaves the flags alone. */
static uint64_t group2(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t b,
		       uint64_t *rflags)
{
	uint32_t count = (uint32_t)b & (size == 8 ? 0x3f : 0x1f);

	if (!count)
		return a;
	if (op <= V3_ALU_RCR)
		return rotate(op, size, a, count, rflags);
	return shift(op, size, a, count, rflags);
}

static uint64_t bit_test(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t b,
			 uint64_t *rflags)
{
	uint64_t bit = 1ull << (b & (size * 8 - 1));

	put_flag(rflags, V3_RFLAGS_CF, a & bit);
	switch (op) {
	case V3_ALU_BTS:
		return a | bit;
	case V3_ALU_BTR:
		return a & ~bit;
	case V3_ALU_BTC:
		return a ^ bit;
	default:
		return a;
	}
}

/* INC and DEC keep CF. */
static uint64_t step_one(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t *rflags)
{
	uint64_t carry = *rflags & V3_RFLAGS_CF;

	a = op == V3_ALU_INC ? add(a, 1, false, size, rflags) : sub(a, 1, false, size, rflags);
	*rflags = (*rflags & ~V3_RFLAGS_CF) | carry;
	return a;
}

uint64_t v3_alu(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t b, uint64_t c,
		uint64_t *rflags)
{
	uint64_t mask = v3_size_mask(size);
	bool carry = *rflags & V3_RFLAGS_CF;
	uint32_t count = (uint32_t)c & (size == 8 ? 0x3f : 0x1f);

	a &= mask;
	if (op < V3_ALU_ROL)
		b &= mask;
	switch (op) {
	case V3_ALU_ADD:
		return add(a, b, false, size, rflags);
	case V3_ALU_ADC:
		return add(a, b, carry, size, rflags);
	case V3_ALU_SBB:
		return sub(a, b, carry, size, rflags);
	case V3_ALU_SUB:
	case V3_ALU_CMP:
		return sub(a, b, false, size, rflags);
	case V3_ALU_OR:
		return logic(a | b, size, rflags);
	case V3_ALU_AND:
		return logic(a & b, size, rflags);
	case V3_ALU_XOR:
		return logic(a ^ b, size, rflags);
	case V3_ALU_BT:
	case V3_ALU_BTS:
	case V3_ALU_BTR:
	case V3_ALU_BTC:
		return bit_test(op, size, a, b, rflags);
	case V3_ALU_INC:
	case V3_ALU_DEC:
		return step_one(op, size, a, rflags);
	case V3_ALU_NOT:
		return ~a & mask;
	case V3_ALU_NEG:
		return sub(0, a, false, size, rflags);
	case V3_ALU_SHLD:
	case V3_ALU_SHRD:
		return count ? double_shift(op, size, a, b & mask, count, rflags) : a;
	case V3_ALU_MOV:
		return b & mask;
	default:
		return group2(op, size, a, b, rflags);
	}
}

bool v3_alu_condition(uint8_t cc, uint64_t rflags)
{
	bool cf = rflags & V3_RFLAGS_CF, zf = rflags & V3_RFLAGS_ZF;
	bool less = !(rflags & V3_RFLAGS_SF) != !(rflags & V3_RFLAGS_OF);
	bool r;

	switch (cc >> 1 & 7) {
	case 0:
		r = rflags & V3_RFLAGS_OF;
		break;
	case 1:
		r = cf;
		break;
	case 2:
		r = zf;
		break;
	case 3:
		r = cf || zf;
		break;
	case 4:
		r = rflags & V3_RFLAGS_SF;
		break;
	case 5:
		r = rflags & V3_RFLAGS_PF;
		break;
	case 6:
		r = less;
		break;
	default:
		r = less || zf;
		break;
	}
	return r != (cc & 1);
}
