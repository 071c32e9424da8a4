/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Emulator against the real CPU: every instruction form that user mode can run (cpu_cases.c), with
 * random operands, registers, prefixes and addressing forms, in 64, 32 and 16-bit code. Compared
 * are general registers, the defined arithmetic flags, vector registers, and all memory in reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_emul.h"
#include "emul/emul_cpu.h"

/* Cases of a mode, and the least of them that must run for one template. */
#define CASES_64 620000u
#define CASES_32 320000u
#define CASES_16 160000u

struct world {
	struct cpu_emul emul;
	bool strayed;		/* an op was asked for memory or ports it must not touch */
	uint64_t simple;
};

/* -- ops over the same memory that the CPU uses -- */

static uint8_t *at(struct world *w, uint64_t linear, uint32_t size)
{
	uint64_t base = (uintptr_t)w->emul.cpu.data;

	if (linear < base || linear + size > base + MEM_SIZE) {
		w->strayed = true;
		return NULL;
	}
	return w->emul.cpu.data + (linear - base);
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
	*swapped = cpu_emul_swap(p, expected, desired, size);
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

static const struct v3_emul_ops ops = {
	.read = op_read, .write = op_write, .cmpxchg = op_cmpxchg, .probe_write = op_probe,
	.port_in = op_in, .port_out = op_out,
	.vec_get = cpu_emul_vec_get, .vec_set = cpu_emul_vec_set,
};

static bool same(const struct trial *tr, const struct machine *cpu, const struct machine *emul,
		 bool avx)
{
	uint64_t mask = case_defined_flags(tr) | V3_RFLAGS_DF;
	size_t vec = avx ? 32 : 16;

	for (int i = 0; i < 16; i++) {
		if (cpu->gpr[i] != emul->gpr[i]) {
			cpu_emul_show(tr, "general register");
			print_message("reg %d was %llx cpu %llx emulator %llx\n", i,
				      (unsigned long long)tr->in.gpr[i],
				      (unsigned long long)cpu->gpr[i],
				      (unsigned long long)emul->gpr[i]);
			return false;
		}
		if (memcmp(cpu->vec[i], emul->vec[i], vec)) {
			cpu_emul_show(tr, "vector register");
			return false;
		}
	}
	if ((cpu->rflags ^ emul->rflags) & mask) {
		cpu_emul_show(tr, "flags");
		print_message("were %llx cpu %llx emulator %llx\n",
			      (unsigned long long)tr->in.rflags, (unsigned long long)cpu->rflags,
			      (unsigned long long)emul->rflags);
		return false;
	}
	return true;
}

/* What v3_emul_step() has, v3_emul_cpu_step() has to do alike. */
static bool emulate(struct world *w, const struct trial *tr, bool whole, struct machine *m)
{
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx = {
		.regs = &regs, .ops = &ops, .opaque = w, .rep_budget = rng_below(&w->emul.rng, 8),
	};
	struct v3_emul_cpu whole_cpu = { .ctx = &ctx };
	enum v3_emul_result res;

	*m = tr->in;
	w->strayed = false;
	cpu_emul_regs(&w->emul, tr->mode, &regs, m);
	do {
		res = whole ? v3_emul_cpu_step(&whole_cpu, &tr->insn) :
			      v3_emul_step(&ctx, &tr->insn);
		if (res == V3_EMUL_AGAIN && regs.rip != w->emul.cpu.view[tr->mode].rip)
			break;
	} while (res == V3_EMUL_AGAIN);
	m->rflags = regs.rflags;
	if (res != V3_EMUL_OK || w->strayed) {
		cpu_emul_show(tr, w->strayed ? "strayed" : "not done");
		print_message("result %d vector %d\n", res, ctx.fault.vector);
		return false;
	}
	if (regs.rip != w->emul.cpu.view[tr->mode].rip + tr->insn.length) {
		cpu_emul_show(tr, "RIP");
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
	size_t off = target - (uintptr_t)w->emul.cpu.data;

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
		cpu_emul_show(tr, "fast path");
		return false;
	}
	return true;
}

static bool run_trial(struct world *w, const struct template *t, struct trial *tr)
{
	bool whole = t->whole || (tr->mode != V3_INSN_MODE_64 && rng_below(&w->emul.rng, 2));
	struct machine cpu, emul;
	uint8_t after[MEM_SIZE];

	memcpy(w->emul.cpu.data, tr->mem, MEM_SIZE);
	cpu_run(&w->emul.cpu, tr->mode, tr->bytes, tr->insn.length, &tr->in, &cpu);
	memcpy(after, w->emul.cpu.data, MEM_SIZE);

	memcpy(w->emul.cpu.data, tr->mem, MEM_SIZE);
	if (!emulate(w, tr, whole, &emul))
		return false;
	w->emul.runs++;
	if (case_undefined_result(tr))
		return true;
	if (!same(tr, &cpu, &emul, w->emul.cpu.avx))
		return false;
	if (memcmp(after, w->emul.cpu.data, MEM_SIZE)) {
		cpu_emul_show(tr, "memory");
		return false;
	}
	return check_simple(w, tr, case_address(&w->emul.cpu, tr), &cpu, after);
}

/* So many cases of each opcode; true if enough of them could be made. */
static bool run_template(struct world *w, struct trial *tr, const struct template *t,
			 uint32_t cases, uint32_t *bad)
{
	uint32_t done = 0;

	for (uint32_t n = 0; done < cases && n < 50 * cases && *bad < 20; n++) {
		if (!case_instruction(&w->emul.rng, t, tr) ||
		    !case_operands(&w->emul.rng, &w->emul.cpu, t, tr))
			continue;
		done++;
		*bad += !run_trial(w, t, tr);
	}
	return done == cases || *bad >= 20;
}

/* About `total` cases, the same number for each opcode of each template. */
static void run_mode(struct world *w, enum v3_insn_mode mode, uint32_t total)
{
	static struct trial tr;
	uint32_t opcodes = 0, bad = 0;

	w->simple = 0;
	tr.mode = mode;
	cpu_emul_open(&w->emul, mode, 0x5eed5eed);
	for (size_t i = 0; i < cpu_template_count; i++)
		if (!cpu_templates[i].whole || mode != V3_INSN_MODE_64)
			opcodes += cpu_templates[i].last - cpu_templates[i].first + 1u;
	for (size_t i = 0; i < cpu_template_count && bad < 20; i++) {
		const struct template *t = &cpu_templates[i];

		if (!cpu_emul_has(&w->emul, t, mode))
			continue;
		if (!run_template(w, &tr, t, total / opcodes * (t->last - t->first + 1u), &bad))
			fail_msg("too few cases of template %zu, opcode %02x", i, t->first);
	}
	print_message("%llu instructions, %llu of them on the MMIO fast path\n",
		      (unsigned long long)w->emul.runs, (unsigned long long)w->simple);
	assert_int_equal(bad, 0);
	cpu_close(&w->emul.cpu);
}

static void test_cpu64(void **state)
{
	static struct world w;

	run_mode(&w, V3_INSN_MODE_64, CASES_64);
}

static void test_cpu32(void **state)
{
	static struct world w;

	run_mode(&w, V3_INSN_MODE_32, CASES_32);
}

static void test_cpu16(void **state)
{
	static struct world w;

	run_mode(&w, V3_INSN_MODE_16, CASES_16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu64),
		cmocka_unit_test(test_cpu32),
		cmocka_unit_test(test_cpu16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
