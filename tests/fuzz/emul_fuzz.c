/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer of decoder and emulator. Input: byte 0 mode and options, 1 the op that fails and how,
 * 2..9 seed of registers and memory, from 10 on the instruction. The ops are strict: they abort
 * on accesses that break their contract, and what v3_emul_step() promises is checked afterwards.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emul/emul_cpu.h"

#define HEADER 10

#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort(); \
	} \
} while (0)

struct fuzz {
	uint64_t rng;
	struct v3_emul_regs regs;
	uint64_t gpr[16];
	enum v3_insn_mode mode;
	uint32_t ops, fail_at;
	enum v3_emul_result fail_with;
	uint32_t writes;	/* ops that changed something, or could have */
	bool cmpxchg_loses;
};

static uint64_t next(struct fuzz *f)
{
	f->rng ^= f->rng >> 12;
	f->rng ^= f->rng << 25;
	f->rng ^= f->rng >> 27;
	return f->rng * 0x2545f4914f6cdd1dull;
}

static void check_access(const struct fuzz *f, uint64_t linear, uint32_t size)
{
	uint64_t last = linear + size - 1;

	CHECK(size == 1 || size == 2 || size == 4 || size == 8 || size == 16 || size == 32);
	CHECK(last >= linear);
	if (f->mode != V3_INSN_MODE_64) {
		CHECK(last <= 0xffffffff);
		return;
	}
	if (!(f->regs.cr4 & V3_CR4_LA57)) {
		CHECK((uint64_t)((int64_t)(linear << 16) >> 16) == linear);
		CHECK((uint64_t)((int64_t)(last << 16) >> 16) == last);
	}
}

static enum v3_emul_result op_result(struct fuzz *f, struct v3_emul_fault *fault)
{
	if (++f->ops != f->fail_at)
		return V3_EMUL_OK;
	if (f->fail_with == V3_EMUL_FAULT)
		*fault = (struct v3_emul_fault){ .vector = 14, .has_error = true, .cr2 = 0xbad };
	return f->fail_with;
}

static enum v3_emul_result op_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				   uint32_t access, struct v3_emul_fault *fault)
{
	struct fuzz *f = opaque;
	enum v3_emul_result res;

	check_access(f, linear, size);
	CHECK(access <= 7);
	res = op_result(f, fault);
	if (res == V3_EMUL_OK)
		for (uint32_t i = 0; i < size; i++)
			((uint8_t *)buf)[i] = (uint8_t)next(f);
	return res;
}

static enum v3_emul_result op_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				    uint32_t access, struct v3_emul_fault *fault)
{
	struct fuzz *f = opaque;
	uint8_t copy[32];
	enum v3_emul_result res;

	check_access(f, linear, size);
	CHECK(access & V3_EMUL_ACCESS_WRITE);
	memcpy(copy, buf, size);	/* for the sanitizers: all of it is there */
	res = op_result(f, fault);
	if (res == V3_EMUL_OK)
		f->writes++;
	return res;
}

static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	struct fuzz *f = opaque;
	uint8_t copy[16];
	enum v3_emul_result res;

	check_access(f, linear, size);
	CHECK(size <= 16);
	memcpy(copy, desired, size);
	res = op_result(f, fault);
	if (res != V3_EMUL_OK)
		return res;
	*swapped = !f->cmpxchg_loses && (next(f) & 1);
	if (*swapped)
		f->writes++;
	else
		((uint8_t *)expected)[0]++;
	return V3_EMUL_OK;
}

static enum v3_emul_result op_probe(void *opaque, uint64_t linear, uint32_t size,
				    struct v3_emul_fault *fault)
{
	check_access(opaque, linear, size);
	return op_result(opaque, fault);
}

static enum v3_emul_result op_in(void *opaque, uint16_t port, uint32_t *value, uint32_t size,
				 struct v3_emul_fault *fault)
{
	struct fuzz *f = opaque;

	CHECK(size == 1 || size == 2 || size == 4);
	*value = (uint32_t)next(f);
	return op_result(f, fault);
}

static enum v3_emul_result op_out(void *opaque, uint16_t port, uint32_t value, uint32_t size,
				  struct v3_emul_fault *fault)
{
	CHECK(size == 4 || size == 2 || size == 1);
	CHECK(size == 4 || value >> size * 8 == 0);
	return op_result(opaque, fault);
}

static enum v3_emul_result op_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size)
{
	CHECK(reg < 16 && size <= 32);
	memset(buf, 0x5a, size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				      bool zero_upper)
{
	uint8_t copy[32];

	CHECK(reg < 16 && (size == 16 || size == 32));
	memcpy(copy, buf, size);
	((struct fuzz *)opaque)->writes++;
	return V3_EMUL_OK;
}

static const struct v3_emul_ops ops = {
	.read = op_read, .write = op_write, .cmpxchg = op_cmpxchg, .probe_write = op_probe,
	.port_in = op_in, .port_out = op_out, .vec_get = op_vec_get, .vec_set = op_vec_set,
};

static void set_up(struct fuzz *f, const uint8_t *data)
{
	uint8_t options = data[0];

	memset(f, 0, sizeof(*f));
	memcpy(&f->rng, data + 2, sizeof(f->rng));
	f->rng |= 1;
	f->mode = (enum v3_insn_mode)((options & 3) % 3);
	f->fail_at = data[1] & 0x7f;
	f->fail_with = data[1] & 0x80 ? V3_EMUL_STOP : V3_EMUL_FAULT;
	f->cmpxchg_loses = options & 4;
	for (int i = 0; i < 16; i++)
		f->gpr[i] = next(f) >> (next(f) & 63);
	f->regs = (struct v3_emul_regs){
		.gpr = f->gpr, .rip = next(f), .rflags = next(f) & 0x3f7fd5,
		.cr0 = next(f), .cr4 = next(f), .efer = V3_EFER_LMA,
		.xcr0 = next(f), .cpl = next(f) & 3,
	};
	if (options & 8) {	/* make success likely */
		f->regs.cr0 = V3_CR0_PE | V3_CR0_PG;
		f->regs.cr4 = V3_CR4_OSFXSR | V3_CR4_OSXSAVE;
		f->regs.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX;
	}
	for (int i = 0; i < 6; i++) {
		struct v3_emul_seg *s = &f->regs.seg[i];

		*s = (struct v3_emul_seg){
			.selector = (uint16_t)next(f), .base = next(f), .limit = (uint32_t)next(f),
			.attrib = (uint16_t)next(f) & V3_SEG_ATTR_MASK,
		};
		if (options & 8) {
			s->attrib = V3_SEG_ATTR_DATA32;
			s->limit = 0xffffffff;
			s->base = 0;
		}
	}
	f->regs.seg[V3_SEG_CS].attrib = f->mode == V3_INSN_MODE_64 ? V3_SEG_ATTR_CODE64 :
		f->mode == V3_INSN_MODE_32 ? V3_SEG_ATTR_CODE32 : V3_SEG_ATTR_CODE16;
}

/* What does not hold for a decoded instruction would be a bug of the decoder. */
static void check_insn(const struct v3_insn *insn, size_t avail)
{
	struct v3_emul_simple simple;

	CHECK(insn->length >= 1 && insn->length <= V3_INSN_MAX_LEN && insn->length <= avail);
	CHECK(insn->base == V3_INSN_NO_REG || insn->base < 16);
	CHECK(insn->index == V3_INSN_NO_REG || insn->index < 16);
	CHECK(insn->reg < 16 && insn->rm < 16 && insn->scale < 4 && insn->vvvv < 16);
	CHECK(insn->seg <= V3_SEG_GS && insn->mod < 4);
	CHECK(insn->opsize == 1 || insn->opsize == 2 || insn->opsize == 4 || insn->opsize == 8);
	CHECK(insn->addrsize == 2 || insn->addrsize == 4 || insn->addrsize == 8);
	CHECK(insn->disp_size + insn->imm_size < insn->length);
	if (v3_emul_simple_mmio(insn, &simple)) {
		uint64_t gpr[16] = { 0 };

		CHECK(simple.size <= 8 && simple.size && simple.reg < 16);
		if (simple.write)
			(void)v3_emul_simple_value(gpr, &simple);
		else
			v3_emul_simple_commit(gpr, &simple, ~0ull);
	}
}

/* The short look must agree with the decoder about all that it takes. */
static void check_quick(const struct v3_insn *insn, const uint8_t *bytes)
{
	struct v3_emul_simple quick = { 0 }, simple;

	if (insn->mode != V3_INSN_MODE_64 || !v3_emul_quick_mmio(bytes, &quick))
		return;
	CHECK(v3_emul_quick_mmio(bytes, &quick) == insn->length);
	CHECK(v3_emul_simple_mmio(insn, &simple));
	CHECK(quick.size == simple.size && quick.write == simple.write &&
	      quick.is_imm == simple.is_imm);
	CHECK(quick.is_imm ? quick.imm == simple.imm : quick.reg == simple.reg);
}

static void check_unchanged(const struct fuzz *before, const struct fuzz *f)
{
	CHECK(f->writes == 0);
	CHECK(memcmp(before->gpr, f->gpr, sizeof(f->gpr)) == 0);
	CHECK(before->regs.rflags == f->regs.rflags);
}

/* The same instruction as a whole CPU executes it. */
static void run_cpu(struct fuzz *f, const uint8_t *data, const struct v3_insn *insn)
{
	struct v3_emul_ctx ctx = { .regs = &f->regs, .ops = &ops, .opaque = f,
				   .rep_budget = data[0] >> 4 };
	struct v3_emul_cpu cpu = { .ctx = &ctx }, before_cpu;
	static struct fuzz before;
	enum v3_emul_result res;

	set_up(f, data);
	f->regs.efer = next(f) & (V3_EFER_LME | V3_EFER_LMA);
	if (f->mode == V3_INSN_MODE_64)
		f->regs.efer |= V3_EFER_LMA;
	cpu.gdt = (struct v3_emul_table){ next(f) >> (next(f) & 63), (uint16_t)next(f) };
	cpu.idt = (struct v3_emul_table){ next(f) >> (next(f) & 63), (uint16_t)next(f) };
	cpu.ldt = (struct v3_emul_seg){ .attrib = (uint16_t)next(f) & V3_SEG_ATTR_MASK,
					.limit = (uint32_t)next(f), .base = next(f) };
	before = *f;
	before_cpu = cpu;
	res = v3_emul_cpu_step(&cpu, insn);
	CHECK(res <= V3_EMUL_STOP);
	CHECK(memcmp(&before_cpu.ldt, &cpu.ldt, sizeof(cpu.ldt)) == 0);
	CHECK(f->regs.cr4 == before.regs.cr4 && f->regs.efer == before.regs.efer);
	CHECK(f->regs.gpr == before.regs.gpr && f->regs.cpl == before.regs.cpl);
	if (!cpu.changed) {
		CHECK(memcmp(f->regs.seg, before.regs.seg, sizeof(f->regs.seg)) == 0);
		CHECK(f->regs.cr0 == before.regs.cr0);
		CHECK(memcmp(&before_cpu.gdt, &cpu.gdt, sizeof(cpu.gdt)) == 0);
		CHECK(memcmp(&before_cpu.idt, &cpu.idt, sizeof(cpu.idt)) == 0);
	}
	if (res == V3_EMUL_FAULT)
		CHECK(ctx.fault.vector < 32);
	if (res == V3_EMUL_OK)
		return;
	CHECK(!cpu.changed);
	CHECK(f->regs.rip == before.regs.rip && f->regs.rflags == before.regs.rflags);
	if (!(insn->flags & (V3_INSN_REP | V3_INSN_REPNE)))
		CHECK(memcmp(before.gpr, f->gpr, sizeof(f->gpr)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f, before;
	struct v3_insn insn;
	struct v3_emul_ctx ctx = { .regs = &f.regs, .ops = &ops, .opaque = &f };
	enum v3_emul_result res;
	uint8_t *bytes;

	if (size < HEADER)
		return 0;
	set_up(&f, data);
	/* A copy of its own, so that reading past the end is seen. */
	bytes = malloc(size - HEADER ? size - HEADER : 1);
	CHECK(bytes);
	memcpy(bytes, data + HEADER, size - HEADER);
	if (v3_decode(bytes, size - HEADER, f.mode, &insn) != V3_DECODE_OK) {
		free(bytes);
		return 0;
	}
	check_insn(&insn, size - HEADER);
	CHECK(v3_insn_len(bytes, insn.length, f.mode) == insn.length);
	if (size - HEADER >= V3_INSN_MAX_LEN)
		check_quick(&insn, bytes);
	free(bytes);

	ctx.rep_budget = data[0] >> 4;
	before = f;
	res = v3_emul_step(&ctx, &insn);
	CHECK(res <= V3_EMUL_STOP);
	if (res != V3_EMUL_OK) {
		CHECK(f.regs.rip == before.regs.rip && f.regs.rflags == before.regs.rflags);
		if (!(insn.flags & (V3_INSN_REP | V3_INSN_REPNE)))
			check_unchanged(&before, &f);
	}
	if (res == V3_EMUL_FAULT)
		CHECK(ctx.fault.vector < 32);
	/* Segments, control registers and CPL are never the emulator's to change. */
	CHECK(memcmp(f.regs.seg, before.regs.seg, sizeof(f.regs.seg)) == 0);
	CHECK(f.regs.cr0 == before.regs.cr0 && f.regs.cr4 == before.regs.cr4);
	CHECK(f.regs.gpr == before.regs.gpr && f.regs.cpl == before.regs.cpl);
	run_cpu(&f, data, &insn);
	return 0;
}
