/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu_cases.h"

#include <string.h>

#define ARITH V3_RFLAGS_ARITH
#define NOT_AF (ARITH & ~V3_RFLAGS_AF)

/* One-byte opcodes, and those of the 0F map. */
#define ONE(first, last, regs, kind)	{ V3_MAP_ONE, first, last, 0, regs, kind, false, false }
#define TWO(first, last, regs, kind)	{ V3_MAP_0F, first, last, 0, regs, kind, false, false }
/* The same for v3_emul_cpu_step() alone. */
#define ONE_CPU(first, last, kind)	{ V3_MAP_ONE, first, last, 0, 0, kind, false, true }
#define TWO_CPU(first, last, kind)	{ V3_MAP_0F, first, last, 0, 0, kind, false, true }
#define FORMS(op)			ONE((op), (op) + 5, 0, K_PLAIN)

const struct template cpu_templates[] = {
	FORMS(0x00), FORMS(0x08), FORMS(0x10), FORMS(0x18),
	FORMS(0x20), FORMS(0x28), FORMS(0x30), FORMS(0x38),
	{ V3_MAP_ONE, 0x63, 0x63, 0, 0, K_PLAIN, true, false },
	ONE(0x80, 0x81, 0, K_PLAIN), ONE(0x83, 0x83, 0, K_PLAIN),
	ONE(0x84, 0x8c, 0, K_PLAIN),
	ONE(0xa0, 0xa3, 0, K_PLAIN), ONE(0xa8, 0xa9, 0, K_PLAIN),
	ONE(0xc0, 0xc1, 0, K_PLAIN), ONE(0xd0, 0xd3, 0, K_PLAIN),
	ONE(0xc6, 0xc7, 0x01, K_PLAIN),
	ONE(0xf6, 0xf7, 0x3f, K_PLAIN),
	ONE(0xf6, 0xf7, 0xc0, K_DIVIDE),
	ONE(0x69, 0x69, 0, K_PLAIN), ONE(0x6b, 0x6b, 0, K_PLAIN),
	ONE(0xfe, 0xff, 0x03, K_PLAIN),
	ONE(0xff, 0xff, 0x54, K_STACK),
	ONE(0x50, 0x5f, 0, K_STACK), ONE(0x8f, 0x8f, 0x01, K_STACK),
	ONE(0x68, 0x68, 0, K_STACK), ONE(0x6a, 0x6a, 0, K_STACK),
	ONE(0xe8, 0xe8, 0, K_STACK),
	ONE(0xa4, 0xa7, 0, K_STRING), ONE(0xaa, 0xaf, 0, K_STRING),
	TWO(0x40, 0x4f, 0, K_PLAIN), TWO(0x90, 0x9f, 0, K_PLAIN),
	TWO(0xa3, 0xa3, 0, K_BITS), TWO(0xab, 0xab, 0, K_BITS),
	TWO(0xb3, 0xb3, 0, K_BITS), TWO(0xbb, 0xbb, 0, K_BITS),
	TWO(0xba, 0xba, 0xf0, K_PLAIN),
	TWO(0xa4, 0xa5, 0, K_PLAIN), TWO(0xac, 0xad, 0, K_PLAIN),
	TWO(0xb0, 0xb1, 0, K_PLAIN), TWO(0xc7, 0xc7, 0x02, K_PLAIN),
	TWO(0xb6, 0xb7, 0, K_PLAIN), TWO(0xbe, 0xbf, 0, K_PLAIN),
	TWO(0xaf, 0xaf, 0, K_PLAIN),
	TWO(0xc0, 0xc1, 0, K_PLAIN), TWO(0xc3, 0xc3, 0, K_PLAIN),
	{ V3_MAP_0F38, 0xf0, 0xf1, 0, 0, K_PLAIN, false, false },
#define VEC(map, first, last, pp) \
	{ map, first, last, pp, 0, K_VEC, false, false }, \
	{ map, first, last, pp, 0, K_VEX, false, false }
#define VEX(map, first, last, pp)	{ map, first, last, pp, 0, K_VEX, false, false }
	VEC(V3_MAP_0F, 0x10, 0x13, 0), VEC(V3_MAP_0F, 0x10, 0x13, 1),
	VEC(V3_MAP_0F, 0x10, 0x12, 2), VEC(V3_MAP_0F, 0x10, 0x12, 3),
	VEC(V3_MAP_0F, 0x16, 0x16, 2),
	VEC(V3_MAP_0F, 0x16, 0x17, 0), VEC(V3_MAP_0F, 0x16, 0x17, 1),
	VEC(V3_MAP_0F, 0x28, 0x29, 0), VEC(V3_MAP_0F, 0x28, 0x29, 1),
	VEC(V3_MAP_0F, 0x2b, 0x2b, 0), VEC(V3_MAP_0F, 0x2b, 0x2b, 1),
	VEC(V3_MAP_0F, 0x6e, 0x6f, 1), VEC(V3_MAP_0F, 0x6f, 0x6f, 2),
	VEC(V3_MAP_0F, 0x7e, 0x7f, 1), VEC(V3_MAP_0F, 0x7e, 0x7f, 2),
	VEC(V3_MAP_0F, 0xd6, 0xd6, 1), VEC(V3_MAP_0F, 0xe7, 0xe7, 1),
	VEC(V3_MAP_0F, 0xf0, 0xf0, 3), VEC(V3_MAP_0F38, 0x2a, 0x2a, 1),
	VEC(V3_MAP_0F, 0xc4, 0xc4, 1), VEC(V3_MAP_0F3A, 0x14, 0x17, 1),
	VEC(V3_MAP_0F3A, 0x20, 0x20, 1), VEC(V3_MAP_0F3A, 0x22, 0x22, 1),
	VEX(V3_MAP_0F3A, 0x18, 0x19, 1), VEX(V3_MAP_0F3A, 0x38, 0x39, 1),
	VEX(V3_MAP_0F38, 0x18, 0x1a, 1), VEX(V3_MAP_0F38, 0x58, 0x5a, 1),
	VEX(V3_MAP_0F38, 0x78, 0x79, 1),
	ONE_CPU(0x27, 0x27, K_PLAIN), ONE_CPU(0x2f, 0x2f, K_PLAIN), ONE_CPU(0x37, 0x37, K_PLAIN),
	ONE_CPU(0x3f, 0x3f, K_PLAIN), ONE_CPU(0x40, 0x4f, K_PLAIN), ONE_CPU(0x60, 0x61, K_STACK),
	ONE_CPU(0x70, 0x7f, K_STACK), ONE_CPU(0x8d, 0x8d, K_PLAIN), ONE_CPU(0x90, 0x99, K_PLAIN),
	ONE_CPU(0x9c, 0x9c, K_STACK), ONE_CPU(0x9e, 0x9f, K_PLAIN), ONE_CPU(0xb0, 0xbf, K_PLAIN),
	ONE_CPU(0xd4, 0xd6, K_PLAIN), ONE_CPU(0xe0, 0xe3, K_STACK), ONE_CPU(0xe9, 0xe9, K_STACK),
	ONE_CPU(0xeb, 0xeb, K_STACK), ONE_CPU(0xf5, 0xf5, K_PLAIN), ONE_CPU(0xf8, 0xf9, K_PLAIN),
	ONE_CPU(0xfc, 0xfd, K_PLAIN),
	TWO_CPU(0x18, 0x18, K_PLAIN), TWO_CPU(0x1f, 0x1f, K_PLAIN), TWO_CPU(0x80, 0x8f, K_STACK),
	TWO_CPU(0xbc, 0xbd, K_PLAIN), TWO_CPU(0xc8, 0xcf, K_PLAIN),
};
const size_t cpu_template_count = sizeof(cpu_templates) / sizeof(cpu_templates[0]);

static size_t put_vex(struct rng *r, const struct template *t, enum v3_insn_mode mode, uint8_t op,
		      uint8_t *p)
{
	uint8_t payload = (uint8_t)(rng_next(r) & 0xfc) | t->pp;
	/*
	 * C4 and C5 are LES and LDS outside of 64-bit mode unless a register form seems to follow.
	 */
	uint8_t high = mode == V3_INSN_MODE_64 ? 0 : 0xc0;

	if (t->map == V3_MAP_0F && rng_below(r, 2)) {
		p[0] = 0xc5;
		p[1] = payload | (rng_below(r, 2) ? 0x78 : 0) | high;
		p[2] = op;
		return 3;
	}
	p[0] = 0xc4;
	p[1] = (uint8_t)(rng_next(r) & 0xe0) | t->map | high;
	p[2] = payload | (rng_below(r, 2) ? 0x78 : 0);
	p[3] = op;
	return 4;
}

static size_t put_legacy(struct rng *r, const struct template *t, enum v3_insn_mode mode,
			 uint8_t op, uint8_t *p)
{
	static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 };
	size_t n = 0;

	if (t->pp)
		p[n++] = mandatory[t->pp];
	if (t->kind != K_VEC && rng_below(r, 3) == 0)
		p[n++] = 0x66;
	if (t->kind == K_STRING && rng_below(r, 3))
		p[n++] = rng_below(r, 2) ? 0xf2 : 0xf3;
	if (t->kind == K_PLAIN && rng_below(r, 4) == 0)
		p[n++] = 0xf0;
	if (mode == V3_INSN_MODE_64 && rng_below(r, 3))
		p[n++] = 0x40 | (uint8_t)rng_below(r, 16);
	if (t->map != V3_MAP_ONE)
		p[n++] = 0x0f;
	if (t->map == V3_MAP_0F38)
		p[n++] = 0x38;
	else if (t->map == V3_MAP_0F3A)
		p[n++] = 0x3a;
	p[n++] = op;
	return n;
}

/* Segments but CS, which is not writable, and FS, which is the C library's. */
static uint8_t segment_prefix(struct rng *r, enum v3_insn_mode mode)
{
	static const uint8_t prefixes[] = { 0x65, 0x26, 0x36, 0x3e };

	return prefixes[mode == V3_INSN_MODE_64 ? 0 : rng_below(r, sizeof(prefixes))];
}

/* Near branches whose operand size cannot lead to the next instruction. */
static bool branches_away(const struct v3_insn *insn)
{
	uint8_t reg = insn->reg & 7;

	if (!(insn->flags & V3_INSN_REL) && (insn->opcode != 0xff || reg == 6))
		return false;
	/* AMD's and Intel's CPUs differ in near branches with 66, and the emulator has none. */
	if (insn->mode == V3_INSN_MODE_64)
		return insn->flags & V3_INSN_OPSIZE;
	return insn->mode == V3_INSN_MODE_32 && insn->opsize == 2;
}

bool case_instruction(struct rng *r, const struct template *t, struct trial *tr)
{
	uint8_t op = (uint8_t)(t->first + rng_below(r, t->last - t->first + 1u));
	size_t n = 0;
	uint8_t modrm;

	for (size_t i = 0; i < sizeof(tr->bytes); i++)
		tr->bytes[i] = (uint8_t)rng_next(r);
	if (rng_below(r, 4) == 0)
		tr->bytes[n++] = 0x67;
	if (rng_below(r, tr->mode == V3_INSN_MODE_64 ? 8 : 3) == 0)
		tr->bytes[n++] = segment_prefix(r, tr->mode);
	n += t->kind == K_VEX ? put_vex(r, t, tr->mode, op, tr->bytes + n)
			      : put_legacy(r, t, tr->mode, op, tr->bytes + n);
	modrm = (uint8_t)rng_next(r);
	if (t->regs) {
		while (!(t->regs >> (modrm >> 3 & 7) & 1))
			modrm += 8;
	}
	tr->bytes[n] = modrm;
	if (v3_decode(tr->bytes, V3_INSN_MAX_LEN, tr->mode, &tr->insn) != V3_DECODE_OK)
		return false;
	if (t->kind == K_STACK && branches_away(&tr->insn))
		return false;
	/* Undefined, or a fault. */
	if (t->whole && ((op == 0xd4 && t->map == V3_MAP_ONE && !tr->insn.imm) ||
			 (t->map == V3_MAP_0F && op >= 0xc8 && tr->insn.opsize == 2)))
		return false;
	/* Vector instructions are emulated with memory only. */
	return t->kind < K_VEC || (tr->insn.flags & V3_INSN_MEM);
}

static void patch_disp(struct trial *tr, int64_t disp)
{
	size_t pos = tr->insn.length - tr->insn.imm_size - tr->insn.disp_size;

	memcpy(tr->bytes + pos, &disp, tr->insn.disp_size);
	tr->insn.disp = disp;
}

/* Bits above the address size must not matter. */
static uint64_t garbage_above(struct rng *r, const struct trial *tr, uint64_t value)
{
	uint64_t mask = tr->insn.addrsize == 2 ? 0xffff :
			tr->insn.addrsize == 4 ? 0xffffffff : ~0ull;

	value = (value & mask) | (rng_next(r) & ~mask);
	return tr->mode == V3_INSN_MODE_64 ? value : (uint32_t)value;
}

bool case_aim(struct rng *r, const struct cpu *cpu, struct trial *tr, uint64_t target)
{
	const struct cpu_view *view = &cpu->view[tr->mode];
	struct v3_insn *insn = &tr->insn;
	uint64_t *gpr = tr->in.gpr, offset = target - view->base[insn->seg], index = 0;

	if (insn->flags & V3_INSN_MOFFS) {
		patch_disp(tr, (int64_t)offset);
		return true;
	}
	if (insn->flags & V3_INSN_RIP_REL) {
		patch_disp(tr, (int64_t)(offset - view->rip - insn->length));
		return true;
	}
	if (insn->index != V3_INSN_NO_REG) {
		if (insn->index == insn->base)
			return false;
		gpr[insn->index] = rng_next(r) % 64;
		index = gpr[insn->index] << insn->scale;
		if (insn->addrsize == 2)
			gpr[insn->index] = garbage_above(r, tr, gpr[insn->index]);
	}
	if (insn->base == V3_INSN_NO_REG) {
		patch_disp(tr, (int64_t)(offset - index));
		return true;
	}
	gpr[insn->base] = garbage_above(r, tr, offset - index - (uint64_t)insn->disp);
	return true;
}

static bool needs_alignment(const struct v3_insn *insn, enum kind kind)
{
	/* An unaligned locked access may trap (split-lock detection). */
	return kind >= K_VEC || (insn->flags & V3_INSN_LOCK) || insn->map == V3_MAP_0F ||
	       (insn->opcode & 0xfe) == 0x86;
}

static bool set_stack_operand(const struct cpu *cpu, struct trial *tr)
{
	struct v3_insn *insn = &tr->insn;
	uint64_t next = cpu->view[tr->mode].rip + insn->length;
	uint8_t reg = insn->reg & 7;

	if (insn->flags & V3_INSN_REL) {	/* CALL, JMP and kin to the next instruction */
		memset(tr->bytes + insn->length - insn->imm_size, 0, insn->imm_size);
		insn->imm = 0;
		return true;
	}
	if (insn->opcode != 0xff || reg == 6)
		return true;
	/* CALL and JMP: the operand must lead to the next instruction. */
	if (insn->flags & V3_INSN_MEM)
		return true;	/* set_memory() writes it there */
	tr->in.gpr[insn->rm] = next;
	return insn->rm != 4;
}

static void set_registers(struct rng *r, const struct cpu *cpu, const struct template *t,
			  struct trial *tr)
{
	const struct cpu_view *view = &cpu->view[tr->mode];
	uint64_t data = (uintptr_t)cpu->data, *gpr = tr->in.gpr;
	const struct v3_insn *insn = &tr->insn;
	bool small = rng_below(r, 4) == 0;	/* equal operands, small numbers */

	for (size_t i = 0; i < sizeof(tr->in) / 8; i++)
		((uint64_t *)&tr->in)[i] = rng_next(r);
	tr->in.rflags = (tr->in.rflags & (ARITH | (t->kind == K_STRING ? V3_RFLAGS_DF : 0))) |
			V3_RFLAGS_FIXED1 | V3_RFLAGS_IF;
	for (int i = 0; i < 16; i++) {
		if (small)
			gpr[i] &= 3;
		if (tr->mode != V3_INSN_MODE_64 && i < 8)
			gpr[i] = (uint32_t)gpr[i];
	}
	gpr[4] = data + CPU_DATA_SIZE + CPU_STACK_SIZE / 2 - view->base[V3_SEG_SS];
	if (t->kind == K_BITS)
		gpr[insn->reg] = (uint64_t)((int64_t)rng_below(r, 2048) - 1024) &
				 (tr->mode == V3_INSN_MODE_64 ? ~0ull : 0xffffffff);
	if (t->kind != K_STRING)
		return;
	gpr[6] = data + 200 + rng_below(r, 256) - view->base[insn->seg];
	gpr[7] = data + 400 + rng_below(r, 256) - view->base[V3_SEG_ES];
	gpr[1] = rng_below(r, 20);
	/*
	 * With a count of 0 some of Intel's CPUs clear the upper halves, others leave them alone.
	 */
	if (gpr[1] || insn->addrsize != 4) {
		gpr[6] = garbage_above(r, tr, gpr[6]);
		gpr[7] = garbage_above(r, tr, gpr[7]);
		gpr[1] = garbage_above(r, tr, gpr[1]);
	}
}

/* What the instruction may look for at its operand, and where CALL and JMP go. */
static void set_memory(struct rng *r, const struct cpu *cpu, const struct template *t,
		       struct trial *tr, size_t at)
{
	const struct v3_insn *insn = &tr->insn;
	uint64_t *gpr = tr->in.gpr, next = cpu->view[tr->mode].rip + insn->length;

	/* For CMPXCHG to find what it looks for now and then. */
	if (rng_below(r, 2))
		memcpy(tr->mem + at, gpr, 8);
	if (rng_below(r, 2) && insn->opcode == 0xc7)
		memcpy(tr->mem + at + (insn->opsize == 8 ? 8 : 4), gpr + 2, 8);
	if (t->kind == K_STACK && insn->opcode == 0xff && (insn->reg & 7) != 6)
		memcpy(tr->mem + at, &next, sizeof(next));
}

/* The low bytes of a number, sign-extended if asked for. */
static __int128 part(unsigned __int128 value, uint32_t size, bool is_signed)
{
	uint32_t unused = 128 - size * 8;

	value <<= unused;
	return is_signed ? (__int128)value >> unused : (__int128)(value >> unused);
}

/* What DIV and IDIV divide by. */
static __int128 divisor(const struct trial *tr, size_t at)
{
	const struct v3_insn *insn = &tr->insn;
	uint64_t value = tr->in.gpr[insn->rm];
	bool high = insn->opsize == 1 && insn->rm >= 4 && insn->rm < 8 &&
		    !(insn->flags & V3_INSN_REX);

	if (insn->flags & V3_INSN_MEM)
		memcpy(&value, tr->mem + at, sizeof(value));
	else if (high)
		value = tr->in.gpr[insn->rm - 4] >> 8;
	return part(value, insn->opsize, insn->reg & 1);
}

/* The dividend: RDX and RAX, or AX. */
static void put_dividend(struct trial *tr, unsigned __int128 value)
{
	uint64_t *gpr = tr->in.gpr;
	uint32_t bits = tr->insn.opsize * 8;
	uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;

	if (bits == 8) {
		gpr[0] = (gpr[0] & ~0xffffull) | (uint16_t)value;
		return;
	}
	gpr[0] = (gpr[0] & ~mask) | ((uint64_t)value & mask);
	gpr[2] = (gpr[2] & ~mask) | ((uint64_t)(value >> bits) & mask);
}

/*
 * A dividend whose quotient fits, just so at times. False if this changes where the operand is, or
 * what, and if the divisor is 0.
 */
static bool set_dividend(struct rng *r, struct trial *tr, size_t at)
{
	const struct v3_insn *insn = &tr->insn;
	bool is_signed = insn->reg & 1, is_mem = insn->flags & V3_INSN_MEM;
	__int128 by = divisor(tr, at), quotient, rest;
	uint64_t most = is_signed ? 1ull << (insn->opsize * 8 - 1) : ~0ull;

	if (!by || (is_mem && (insn->base == 0 || insn->base == 2 || insn->index == 0 ||
			       insn->index == 2)))
		return false;
	quotient = part(rng_below(r, 8) ? rng_next(r) : most, insn->opsize, is_signed);
	rest = (__int128)(rng_next(r) >> 1) % by;
	/* It has the dividend's sign. */
	if ((quotient < 0) != (by < 0))
		rest = -rest;
	put_dividend(tr, (unsigned __int128)quotient * (unsigned __int128)by +
			 (unsigned __int128)rest);
	return by == divisor(tr, at);
}

bool case_operands(struct rng *r, const struct cpu *cpu, const struct template *t, struct trial *tr)
{
	const struct cpu_view *view = &cpu->view[tr->mode];
	struct v3_insn *insn = &tr->insn;
	uint64_t data = (uintptr_t)cpu->data, *gpr = tr->in.gpr, sp;
	uint64_t target = data + 256 + rng_below(r, CPU_DATA_SIZE - 512);

	set_registers(r, cpu, t, tr);
	/* Noise is dear: some of it is new each time, all of it after a while. */
	for (size_t i = rng_below(r, 16) * 8; i < MEM_SIZE; i += 16 * 8) {
		uint64_t v = rng_next(r);

		memcpy(tr->mem + i, &v, sizeof(v));
	}
	if (needs_alignment(insn, t->kind))
		target &= ~31ull;
	if (t->kind == K_STRING)
		return true;
	if (t->kind == K_STACK && !set_stack_operand(cpu, tr))
		return false;
	if (!(insn->flags & V3_INSN_MEM) && t->kind == K_DIVIDE)
		return set_dividend(r, tr, 0);
	if (!(insn->flags & V3_INSN_MEM))
		return t->kind != K_BITS || insn->reg != 4;
	if (!case_aim(r, cpu, tr, target))
		return false;
	if (t->kind == K_BITS && (insn->reg == insn->base || insn->reg == insn->index))
		return false;
	/* RSP must stay in reach. POP addresses with the new RSP. */
	sp = gpr[4] + view->base[V3_SEG_SS];
	if (t->kind == K_STACK && insn->base == 4 && (sp < data + 64 || sp > data + MEM_SIZE - 64))
		return false;
	set_memory(r, cpu, t, tr, target - data);
	return t->kind != K_DIVIDE || set_dividend(r, tr, target - data);
}

uint64_t case_defined_flags(const struct trial *tr)
{
	const struct v3_insn *insn = &tr->insn;
	uint8_t op = insn->opcode, reg = insn->reg & 7;
	uint32_t count, bits = insn->opsize * 8u;

	if (insn->map == V3_MAP_ONE) {
		if (op == 0x27 || op == 0x2f)	/* DAA, DAS */
			return ARITH & ~V3_RFLAGS_OF;
		if (op == 0x37 || op == 0x3f)	/* AAA, AAS */
			return V3_RFLAGS_CF | V3_RFLAGS_AF;
		if (op == 0xd4 || op == 0xd5)	/* AAM, AAD */
			return V3_RFLAGS_SF | V3_RFLAGS_ZF | V3_RFLAGS_PF;
		if (op < 0x40)
			reg = op >> 3 & 7;
		if (op < 0x40 || (op >= 0x80 && op <= 0x83))
			return reg == 1 || reg == 4 || reg == 6 ? NOT_AF : ARITH;
		if (op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9 ||
		    ((op & 0xfe) == 0xf6 && reg < 2))
			return NOT_AF;
		if ((op & 0xfe) == 0xf6 && reg >= 6)
			return 0;
		if (((op & 0xfe) == 0xf6 && reg >= 4) || op == 0x69 || op == 0x6b)
			return V3_RFLAGS_CF | V3_RFLAGS_OF;
		if ((op & 0xfe) != 0xc0 && (op & 0xfc) != 0xd0)
			return ARITH;
		count = op >= 0xd2 ? (uint32_t)tr->in.gpr[1] : op >= 0xd0 ? 1 : (uint32_t)insn->imm;
		count &= bits == 64 ? 63 : 31;
		if (!count)
			return ARITH;
		if (reg < 4)	/* rotates do not touch AF */
			return count == 1 ? ARITH : ARITH & ~V3_RFLAGS_OF;
		if (count == 1)
			return NOT_AF;
		return NOT_AF & ~(V3_RFLAGS_OF | (count > bits ? V3_RFLAGS_CF : 0));
	}
	if (insn->map != V3_MAP_0F)
		return ARITH;
	switch (op) {
	case 0xbc: case 0xbd:
		return V3_RFLAGS_ZF;
	case 0xaf:
		return V3_RFLAGS_CF | V3_RFLAGS_OF;
	case 0xa3: case 0xab: case 0xb3: case 0xbb: case 0xba:
		return V3_RFLAGS_CF | V3_RFLAGS_ZF;
	case 0xa4: case 0xa5: case 0xac: case 0xad:
		count = (op & 1 ? (uint32_t)tr->in.gpr[1] : (uint32_t)insn->imm);
		count &= bits == 64 ? 63 : 31;
		if (!count)
			return ARITH;
		return count == 1 ? NOT_AF : NOT_AF & ~V3_RFLAGS_OF;
	default:
		return ARITH;
	}
}

bool case_undefined_result(const struct trial *tr)
{
	const struct v3_insn *insn = &tr->insn;
	uint32_t count;

	if (insn->map != V3_MAP_0F || insn->opsize != 2)
		return false;
	if ((insn->opcode & 0xf6) != 0xa4)
		return false;
	count = insn->opcode & 1 ? (uint32_t)tr->in.gpr[1] : (uint32_t)insn->imm;
	return (count & 31) > 16;
}

uint64_t case_address(const struct cpu *cpu, const struct trial *tr)
{
	const struct v3_insn *insn = &tr->insn;
	const struct cpu_view *view = &cpu->view[tr->mode];
	uint64_t a = (uint64_t)insn->disp;

	if (insn->flags & V3_INSN_RIP_REL)
		a += view->rip + insn->length;
	if (insn->base != V3_INSN_NO_REG)
		a += tr->in.gpr[insn->base];
	if (insn->index != V3_INSN_NO_REG)
		a += tr->in.gpr[insn->index] << insn->scale;
	if (insn->addrsize < 8)
		a &= insn->addrsize == 4 ? 0xffffffff : 0xffff;
	return view->base[insn->seg] + a;
}
