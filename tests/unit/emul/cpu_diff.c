/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Emulator against the real CPU: every instruction form that user mode can run, with random
 * operands, registers, prefixes and addressing forms in 64-bit mode. Compared are general
 * registers, the defined arithmetic flags, vector registers, and all memory in reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_run.h"
#include "emul/emul.h"
#include "insn_gen.h"

#define CASES_PER_TEMPLATE 1500u
#define MEM_SIZE (CPU_DATA_SIZE + CPU_STACK_SIZE)
#define ARITH V3_RFLAGS_ARITH
#define NOT_AF (ARITH & ~V3_RFLAGS_AF)

enum kind {
	K_PLAIN,
	K_STRING,
	K_STACK,	/* moves RSP or RIP */
	K_BITS,		/* register operand is a bit offset */
	K_VEC,
	K_VEX,
};

struct template {
	uint8_t map;
	uint8_t first, last;	/* opcodes */
	uint8_t pp;		/* for vector instructions */
	uint8_t regs;		/* mask of ModRM.reg to use; 0: all */
	enum kind kind;
};

#define FORMS(op)	{ V3_MAP_ONE, (op), (op) + 5, 0, 0, K_PLAIN }

static const struct template templates[] = {
	FORMS(0x00), FORMS(0x08), FORMS(0x10), FORMS(0x18),
	FORMS(0x20), FORMS(0x28), FORMS(0x30), FORMS(0x38),
	{ V3_MAP_ONE, 0x63, 0x63, 0, 0, K_PLAIN },
	{ V3_MAP_ONE, 0x80, 0x81, 0, 0, K_PLAIN }, { V3_MAP_ONE, 0x83, 0x83, 0, 0, K_PLAIN },
	{ V3_MAP_ONE, 0x84, 0x8c, 0, 0, K_PLAIN },
	{ V3_MAP_ONE, 0xa0, 0xa3, 0, 0, K_PLAIN }, { V3_MAP_ONE, 0xa8, 0xa9, 0, 0, K_PLAIN },
	{ V3_MAP_ONE, 0xc0, 0xc1, 0, 0, K_PLAIN }, { V3_MAP_ONE, 0xd0, 0xd3, 0, 0, K_PLAIN },
	{ V3_MAP_ONE, 0xc6, 0xc7, 0, 0x01, K_PLAIN },
	{ V3_MAP_ONE, 0xf6, 0xf7, 0, 0x0f, K_PLAIN },
	{ V3_MAP_ONE, 0xfe, 0xff, 0, 0x03, K_PLAIN },
	{ V3_MAP_ONE, 0xff, 0xff, 0, 0x54, K_STACK },
	{ V3_MAP_ONE, 0x50, 0x5f, 0, 0, K_STACK }, { V3_MAP_ONE, 0x8f, 0x8f, 0, 0x01, K_STACK },
	{ V3_MAP_ONE, 0x68, 0x68, 0, 0, K_STACK }, { V3_MAP_ONE, 0x6a, 0x6a, 0, 0, K_STACK },
	{ V3_MAP_ONE, 0xe8, 0xe8, 0, 0, K_STACK },
	{ V3_MAP_ONE, 0xa4, 0xa7, 0, 0, K_STRING }, { V3_MAP_ONE, 0xaa, 0xaf, 0, 0, K_STRING },
	{ V3_MAP_0F, 0x40, 0x4f, 0, 0, K_PLAIN }, { V3_MAP_0F, 0x90, 0x9f, 0, 0, K_PLAIN },
	{ V3_MAP_0F, 0xa3, 0xa3, 0, 0, K_BITS }, { V3_MAP_0F, 0xab, 0xab, 0, 0, K_BITS },
	{ V3_MAP_0F, 0xb3, 0xb3, 0, 0, K_BITS }, { V3_MAP_0F, 0xbb, 0xbb, 0, 0, K_BITS },
	{ V3_MAP_0F, 0xba, 0xba, 0, 0xf0, K_PLAIN },
	{ V3_MAP_0F, 0xa4, 0xa5, 0, 0, K_PLAIN }, { V3_MAP_0F, 0xac, 0xad, 0, 0, K_PLAIN },
	{ V3_MAP_0F, 0xb0, 0xb1, 0, 0, K_PLAIN }, { V3_MAP_0F, 0xc7, 0xc7, 0, 0x02, K_PLAIN },
	{ V3_MAP_0F, 0xb6, 0xb7, 0, 0, K_PLAIN }, { V3_MAP_0F, 0xbe, 0xbf, 0, 0, K_PLAIN },
	{ V3_MAP_0F, 0xc0, 0xc1, 0, 0, K_PLAIN }, { V3_MAP_0F, 0xc3, 0xc3, 0, 0, K_PLAIN },
	{ V3_MAP_0F38, 0xf0, 0xf1, 0, 0, K_PLAIN },
#define VEC(map, first, last, pp) \
	{ map, first, last, pp, 0, K_VEC }, { map, first, last, pp, 0, K_VEX }
	VEC(V3_MAP_0F, 0x10, 0x13, 0), VEC(V3_MAP_0F, 0x10, 0x13, 1),
	VEC(V3_MAP_0F, 0x10, 0x11, 2), VEC(V3_MAP_0F, 0x10, 0x11, 3),
	VEC(V3_MAP_0F, 0x16, 0x17, 0), VEC(V3_MAP_0F, 0x16, 0x17, 1),
	VEC(V3_MAP_0F, 0x28, 0x29, 0), VEC(V3_MAP_0F, 0x28, 0x29, 1),
	VEC(V3_MAP_0F, 0x2b, 0x2b, 0), VEC(V3_MAP_0F, 0x2b, 0x2b, 1),
	VEC(V3_MAP_0F, 0x6e, 0x6f, 1), VEC(V3_MAP_0F, 0x6f, 0x6f, 2),
	VEC(V3_MAP_0F, 0x7e, 0x7f, 1), VEC(V3_MAP_0F, 0x7e, 0x7f, 2),
	VEC(V3_MAP_0F, 0xd6, 0xd6, 1), VEC(V3_MAP_0F, 0xe7, 0xe7, 1),
	VEC(V3_MAP_0F, 0xf0, 0xf0, 3), VEC(V3_MAP_0F38, 0x2a, 0x2a, 1),
};

struct trial {
	uint8_t bytes[32];
	struct v3_insn insn;
	struct machine in;
	uint8_t mem[MEM_SIZE];
};

struct world {
	struct cpu cpu;
	struct machine *regs;	/* vector registers of the emulator's side */
	struct rng rng;
	bool strayed;		/* an op was asked for memory or ports it must not touch */
	uint64_t runs, simple;
};

/* -- ops over the same memory that the CPU uses -- */

static uint8_t *at(struct world *w, uint64_t linear, uint32_t size)
{
	uint64_t base = (uintptr_t)w->cpu.data;

	if (linear < base || linear + size > base + MEM_SIZE) {
		w->strayed = true;
		return NULL;
	}
	return w->cpu.data + (linear - base);
}

static enum v3_emul_result op_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				   uint32_t access, struct v3_emul_fault *fault)
{
	const uint8_t *p = at(opaque, linear, size);

	if (!p)
		return V3_EMUL_STOP;
	memcpy(buf, p, size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				    uint32_t access, struct v3_emul_fault *fault)
{
	uint8_t *p = at(opaque, linear, size);

	if (!p)
		return V3_EMUL_STOP;
	memcpy(p, buf, size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	uint8_t *p = at(opaque, linear, size);

	if (!p)
		return V3_EMUL_STOP;
	*swapped = memcmp(p, expected, size) == 0;
	if (*swapped)
		memcpy(p, desired, size);
	else
		memcpy(expected, p, size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_probe(void *opaque, uint64_t linear, uint32_t size,
				    struct v3_emul_fault *fault)
{
	return at(opaque, linear, size) ? V3_EMUL_OK : V3_EMUL_STOP;
}

static enum v3_emul_result op_in(void *opaque, uint16_t port, uint32_t *value, uint32_t size,
				 struct v3_emul_fault *fault)
{
	((struct world *)opaque)->strayed = true;
	return V3_EMUL_STOP;
}

static enum v3_emul_result op_out(void *opaque, uint16_t port, uint32_t value, uint32_t size,
				  struct v3_emul_fault *fault)
{
	((struct world *)opaque)->strayed = true;
	return V3_EMUL_STOP;
}

static enum v3_emul_result op_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size)
{
	memcpy(buf, ((struct world *)opaque)->regs->vec[reg], size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				      bool zero_upper)
{
	uint8_t *v = ((struct world *)opaque)->regs->vec[reg];

	memcpy(v, buf, size);
	if (zero_upper)
		memset(v + size, 0, 32 - size);
	return V3_EMUL_OK;
}

static const struct v3_emul_ops ops = {
	.read = op_read, .write = op_write, .cmpxchg = op_cmpxchg, .probe_write = op_probe,
	.port_in = op_in, .port_out = op_out, .vec_get = op_vec_get, .vec_set = op_vec_set,
};

/* -- making instructions -- */

static size_t put_vex(struct rng *r, const struct template *t, uint8_t op, uint8_t *p)
{
	uint8_t payload = (uint8_t)(rng_next(r) & 0xfc) | t->pp;

	if (t->map == V3_MAP_0F && rng_below(r, 2)) {
		p[0] = 0xc5;
		p[1] = payload | (rng_below(r, 2) ? 0x78 : 0);
		p[2] = op;
		return 3;
	}
	p[0] = 0xc4;
	p[1] = (uint8_t)(rng_next(r) & 0xe0) | t->map;
	p[2] = payload | (rng_below(r, 2) ? 0x78 : 0);
	p[3] = op;
	return 4;
}

static size_t put_legacy(struct rng *r, const struct template *t, uint8_t op, uint8_t *p)
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
	if (rng_below(r, 3))
		p[n++] = 0x40 | (uint8_t)rng_below(r, 16);
	if (t->map != V3_MAP_ONE)
		p[n++] = 0x0f;
	if (t->map == V3_MAP_0F38)
		p[n++] = 0x38;
	p[n++] = op;
	return n;
}

/* A valid instruction of the template; false if this try made none. */
static bool make_insn(struct world *w, const struct template *t, struct trial *tr)
{
	struct rng *r = &w->rng;
	uint8_t op = (uint8_t)(t->first + rng_below(r, t->last - t->first + 1u));
	size_t n = 0;
	uint8_t modrm;

	for (size_t i = 0; i < sizeof(tr->bytes); i++)
		tr->bytes[i] = (uint8_t)rng_next(r);
	if (rng_below(r, 4) == 0)
		tr->bytes[n++] = 0x67;
	if (rng_below(r, 8) == 0)
		tr->bytes[n++] = 0x65;
	n += t->kind == K_VEX ? put_vex(r, t, op, tr->bytes + n)
			      : put_legacy(r, t, op, tr->bytes + n);
	modrm = (uint8_t)rng_next(r);
	if (t->regs) {
		while (!(t->regs >> (modrm >> 3 & 7) & 1))
			modrm += 8;
	}
	tr->bytes[n] = modrm;
	if (v3_decode(tr->bytes, V3_INSN_MAX_LEN, V3_INSN_MODE_64, &tr->insn) != V3_DECODE_OK)
		return false;
	/* AMD's and Intel's CPUs differ in near branches with 66, and the emulator has none. */
	if (t->kind == K_STACK && (tr->insn.flags & V3_INSN_OPSIZE) &&
	    (op == 0xe8 || (op == 0xff && (tr->insn.reg & 7) != 6)))
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

/* Give the registers or the displacement values that make the operand `target`. */
static bool aim(struct world *w, struct trial *tr, uint64_t target)
{
	struct v3_insn *insn = &tr->insn;
	uint64_t *gpr = tr->in.gpr, offset = target, index = 0;

	if (insn->seg == V3_SEG_GS)
		offset -= w->cpu.gs_base;
	if (insn->flags & V3_INSN_MOFFS) {
		patch_disp(tr, (int64_t)offset);
		return true;
	}
	if (insn->flags & V3_INSN_RIP_REL) {
		patch_disp(tr, (int64_t)(offset - (uintptr_t)w->cpu.code - insn->length));
		return true;
	}
	if (insn->index != V3_INSN_NO_REG) {
		if (insn->index == insn->base)
			return false;
		gpr[insn->index] = rng_next(&w->rng) % 64;
		index = gpr[insn->index] << insn->scale;
	}
	if (insn->base == V3_INSN_NO_REG) {
		patch_disp(tr, (int64_t)(offset - index));
		return true;
	}
	gpr[insn->base] = offset - index - (uint64_t)insn->disp;
	/* Bits above the address size must not matter. */
	if (insn->addrsize == 4)
		gpr[insn->base] = (uint32_t)gpr[insn->base] | rng_next(&w->rng) << 32;
	return true;
}

static bool needs_alignment(const struct v3_insn *insn, enum kind kind)
{
	/* An unaligned locked access may trap (split-lock detection). */
	return kind >= K_VEC || (insn->flags & V3_INSN_LOCK) || insn->map == V3_MAP_0F ||
	       (insn->opcode & 0xfe) == 0x86;
}

static bool set_stack_operand(struct world *w, struct trial *tr)
{
	struct v3_insn *insn = &tr->insn;
	uint64_t next = (uintptr_t)w->cpu.code + insn->length;
	uint8_t reg = insn->reg & 7;

	if (insn->opcode == 0xe8) {	/* CALL to the next instruction */
		memset(tr->bytes + insn->length - insn->imm_size, 0, insn->imm_size);
		insn->imm = 0;
		return true;
	}
	if (insn->opcode != 0xff || reg == 6)
		return true;
	/* CALL and JMP: the operand must lead to the next instruction. */
	if (insn->flags & V3_INSN_MEM)
		return true;	/* prepare() writes it to memory */
	tr->in.gpr[insn->rm] = next;
	return insn->rm != 4;
}

/* Registers and memory for the instruction; false if its form cannot be aimed. */
static bool prepare(struct world *w, const struct template *t, struct trial *tr)
{
	struct v3_insn *insn = &tr->insn;
	uint64_t data = (uintptr_t)w->cpu.data, *gpr = tr->in.gpr;
	uint64_t target = data + 256 + rng_below(&w->rng, CPU_DATA_SIZE - 512);

	for (size_t i = 0; i < sizeof(tr->in) / 8; i++)
		((uint64_t *)&tr->in)[i] = rng_next(&w->rng);
	for (size_t i = 0; i < MEM_SIZE; i += 8) {
		uint64_t v = rng_next(&w->rng);

		memcpy(tr->mem + i, &v, sizeof(v));
	}
	tr->in.rflags = (tr->in.rflags & (ARITH | (t->kind == K_STRING ? V3_RFLAGS_DF : 0))) |
			V3_RFLAGS_FIXED1 | V3_RFLAGS_IF;
	gpr[4] = data + CPU_DATA_SIZE + CPU_STACK_SIZE / 2;
	if (rng_below(&w->rng, 4) == 0)		/* equal operands, small numbers */
		for (int i = 0; i < 16; i++)
			gpr[i] = i == 4 ? gpr[i] : gpr[i] & 3;
	if (t->kind == K_BITS)
		gpr[insn->reg] = (uint64_t)((int64_t)rng_below(&w->rng, 2048) - 1024);
	if (needs_alignment(insn, t->kind))
		target &= ~31ull;
	if (t->kind == K_STRING) {
		gpr[6] = data + 200 + rng_below(&w->rng, 256);
		gpr[7] = data + 400 + rng_below(&w->rng, 256);
		gpr[1] = rng_below(&w->rng, 20);
		if (insn->seg == V3_SEG_GS)
			gpr[6] -= w->cpu.gs_base;
		return true;
	}
	if (t->kind == K_STACK && !set_stack_operand(w, tr))
		return false;
	if (!(insn->flags & V3_INSN_MEM))
		return t->kind != K_BITS || insn->reg != 4;
	if (!aim(w, tr, target))
		return false;
	if (t->kind == K_BITS && (insn->reg == insn->base || insn->reg == insn->index))
		return false;
	if (t->kind == K_STACK) {
		/* RSP must stay in reach. POP addresses with the new RSP. */
		if (insn->base == 4 && (gpr[4] < data + 64 || gpr[4] > data + MEM_SIZE - 64))
			return false;
	}
	/* For CMPXCHG to find what it looks for now and then. */
	if (rng_below(&w->rng, 2))
		memcpy(tr->mem + (target - data), gpr, 8);
	if (rng_below(&w->rng, 2) && insn->opcode == 0xc7)
		memcpy(tr->mem + (target - data) + (insn->opsize == 8 ? 8 : 4), gpr + 2, 8);
	if (t->kind == K_STACK && insn->opcode == 0xff && (insn->reg & 7) != 6) {
		uint64_t next = (uintptr_t)w->cpu.code + insn->length;

		memcpy(tr->mem + (target - data), &next, sizeof(next));
	}
	return true;
}

/* -- comparing -- */

/* Arithmetic flags that the manuals define after this instruction. */
static uint64_t defined_flags(const struct trial *tr)
{
	const struct v3_insn *insn = &tr->insn;
	uint8_t op = insn->opcode, reg = insn->reg & 7;
	uint32_t count, bits = insn->opsize * 8u;

	if (insn->map == V3_MAP_ONE) {
		if (op < 0x40)
			reg = op >> 3 & 7;
		if (op < 0x40 || (op >= 0x80 && op <= 0x83))
			return reg == 1 || reg == 4 || reg == 6 ? NOT_AF : ARITH;
		if (op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9 ||
		    ((op & 0xfe) == 0xf6 && reg < 2))
			return NOT_AF;
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

/* SHLD and SHRD of a word by more than 16: the result is undefined. */
static bool undefined_result(const struct trial *tr)
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

static void show(const struct trial *tr, const char *what)
{
	print_message("%s:", what);
	for (int i = 0; i < tr->insn.length; i++)
		print_message(" %02x", tr->bytes[i]);
	print_message("\n");
}

static bool same(const struct trial *tr, const struct machine *cpu, const struct machine *emul,
		 bool avx)
{
	uint64_t mask = defined_flags(tr) | V3_RFLAGS_DF;
	size_t vec = avx ? 32 : 16;

	for (int i = 0; i < 16; i++) {
		if (cpu->gpr[i] != emul->gpr[i]) {
			show(tr, "general register");
			print_message("reg %d was %llx cpu %llx emulator %llx\n", i,
				      (unsigned long long)tr->in.gpr[i],
				      (unsigned long long)cpu->gpr[i],
				      (unsigned long long)emul->gpr[i]);
			return false;
		}
		if (memcmp(cpu->vec[i], emul->vec[i], vec)) {
			show(tr, "vector register");
			return false;
		}
	}
	if ((cpu->rflags ^ emul->rflags) & mask) {
		show(tr, "flags");
		print_message("were %llx cpu %llx emulator %llx\n",
			      (unsigned long long)tr->in.rflags, (unsigned long long)cpu->rflags,
			      (unsigned long long)emul->rflags);
		return false;
	}
	return true;
}

static void set_regs(const struct world *w, struct v3_emul_regs *regs, struct machine *m)
{
	*regs = (struct v3_emul_regs){
		.gpr = m->gpr, .rip = (uintptr_t)w->cpu.code, .rflags = m->rflags,
		.cr0 = V3_CR0_PE | V3_CR0_PG, .cr4 = V3_CR4_OSFXSR | V3_CR4_OSXSAVE,
		.efer = V3_EFER_LMA | V3_EFER_LME, .cpl = 3,
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
	};
	for (int i = 0; i < 6; i++)
		regs->seg[i].attrib = V3_SEG_ATTR_DATA32;
	/* What MOV from a segment register shows here. */
	__asm__("mov %%es, %0" : "=r"(regs->seg[V3_SEG_ES].selector));
	__asm__("mov %%cs, %0" : "=r"(regs->seg[V3_SEG_CS].selector));
	__asm__("mov %%ss, %0" : "=r"(regs->seg[V3_SEG_SS].selector));
	__asm__("mov %%ds, %0" : "=r"(regs->seg[V3_SEG_DS].selector));
	__asm__("mov %%fs, %0" : "=r"(regs->seg[V3_SEG_FS].selector));
	__asm__("mov %%gs, %0" : "=r"(regs->seg[V3_SEG_GS].selector));
	regs->seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE64;
	regs->seg[V3_SEG_GS].base = w->cpu.gs_base;
}

static bool emulate(struct world *w, const struct trial *tr, struct machine *m)
{
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx = {
		.regs = &regs, .ops = &ops, .opaque = w, .rep_budget = rng_below(&w->rng, 8),
	};
	enum v3_emul_result res;

	*m = tr->in;
	w->regs = m;
	w->strayed = false;
	set_regs(w, &regs, m);
	do {
		res = v3_emul_step(&ctx, &tr->insn);
		if (res == V3_EMUL_AGAIN && regs.rip != (uintptr_t)w->cpu.code)
			break;
	} while (res == V3_EMUL_AGAIN);
	m->rflags = regs.rflags;
	if (res != V3_EMUL_OK || w->strayed) {
		show(tr, w->strayed ? "strayed" : "not done");
		print_message("result %d vector %d\n", res, ctx.fault.vector);
		return false;
	}
	if (regs.rip != (uintptr_t)w->cpu.code + tr->insn.length) {
		show(tr, "RIP");
		return false;
	}
	return true;
}

/* The MMIO fast path has to do the same to registers and memory. */
static bool check_simple(struct world *w, const struct trial *tr, uint64_t target,
			 const struct machine *cpu, const uint8_t *mem_after)
{
	struct v3_emul_simple s;
	uint64_t gpr[16], value = 0;
	uint8_t mem[MEM_SIZE];
	size_t off = target - (uintptr_t)w->cpu.data;

	if (!v3_emul_simple_mmio(&tr->insn, &s))
		return true;
	w->simple++;
	memcpy(gpr, tr->in.gpr, sizeof(gpr));
	memcpy(mem, tr->mem, sizeof(mem));
	if (s.write) {
		value = v3_emul_simple_value(gpr, &s);
		memcpy(mem + off, &value, s.size);
	} else {
		memcpy(&value, mem + off, s.size);
		v3_emul_simple_commit(gpr, &s, value | (s.size < 8 ? ~0ull << s.size * 8 : 0));
	}
	if (memcmp(gpr, cpu->gpr, sizeof(gpr)) || memcmp(mem, mem_after, MEM_SIZE)) {
		show(tr, "fast path");
		return false;
	}
	return true;
}

static uint64_t operand_address(const struct world *w, const struct trial *tr)
{
	const struct v3_insn *insn = &tr->insn;
	uint64_t a = (uint64_t)insn->disp;

	if (insn->flags & V3_INSN_RIP_REL)
		a += (uintptr_t)w->cpu.code + insn->length;
	if (insn->base != V3_INSN_NO_REG)
		a += tr->in.gpr[insn->base];
	if (insn->index != V3_INSN_NO_REG)
		a += tr->in.gpr[insn->index] << insn->scale;
	if (insn->addrsize == 4)
		a = (uint32_t)a;
	return insn->seg == V3_SEG_GS ? a + w->cpu.gs_base : a;
}

static bool run_trial(struct world *w, struct trial *tr)
{
	struct machine cpu, emul;
	uint8_t after[MEM_SIZE];

	memcpy(w->cpu.data, tr->mem, MEM_SIZE);
	cpu_run(&w->cpu, tr->bytes, tr->insn.length, &tr->in, &cpu);
	memcpy(after, w->cpu.data, MEM_SIZE);

	memcpy(w->cpu.data, tr->mem, MEM_SIZE);
	if (!emulate(w, tr, &emul))
		return false;
	w->runs++;
	if (undefined_result(tr))
		return true;
	if (!same(tr, &cpu, &emul, w->cpu.avx))
		return false;
	if (memcmp(after, w->cpu.data, MEM_SIZE)) {
		show(tr, "memory");
		return false;
	}
	return check_simple(w, tr, operand_address(w, tr), &cpu, after);
}

static void test_cpu(void **state)
{
	static struct world w;
	static struct trial tr;
	uint32_t bad = 0;

	w.rng.state = 0x5eed5eed;
	assert_true(cpu_open(&w.cpu));
	if (!w.cpu.avx)
		print_message("this CPU has no AVX2: VEX forms are not compared\n");
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		const struct template *t = &templates[i];
		uint32_t cases = CASES_PER_TEMPLATE * (1u + (t->last - t->first) / 2u);
		uint32_t done = 0;

		if (t->kind == K_VEX && !w.cpu.avx)
			continue;
		for (uint32_t n = 0; n < cases && bad < 20; n++) {
			if (!make_insn(&w, t, &tr) || !prepare(&w, t, &tr))
				continue;
			done++;
			bad += !run_trial(&w, &tr);
		}
		if (bad >= 20)
			break;
		if (done < cases / 50)
			print_message("template %zu: only %u\n", i, done);
		assert_true(done >= cases / 50);
	}
	print_message("%llu instructions, %llu of them on the MMIO fast path\n",
		      (unsigned long long)w.runs, (unsigned long long)w.simple);
	assert_int_equal(bad, 0);
	cpu_close(&w.cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
