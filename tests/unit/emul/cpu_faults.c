/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Emulator against the real CPU where instructions fault: operands in pages that are not there or
 * read-only, across the border of such a page, misaligned, not canonical, and quotients that do not
 * fit. Vector, error code, CR2 and RIP must be the same, and so must registers, flags and memory:
 * as before the instruction, but for what a REP has done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_emul.h"
#include "x86/excp.h"
#include "x86/pte.h"

#define CASES_64 200000u
#define CASES_OTHER 100000u

struct world {
	struct cpu_emul emul;
	uint64_t faults[V3_EXCP_COUNT];
};

/* -- the emulator's memory: the same pages, with the rights that Linux gave them -- */

static enum v3_emul_result access(struct world *w, uint64_t linear, uint32_t size, bool write,
				  struct v3_emul_fault *fault)
{
	uint64_t page = (uintptr_t)w->emul.cpu.page, read_only = (uintptr_t)w->emul.cpu.read_only;

	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = linear + i;
		bool present = at - read_only < CPU_PAGE;

		if (at - page < CPU_PAGE || (present && !write))
			continue;
		*fault = (struct v3_emul_fault){
			.vector = V3_EXCP_PF, .has_error = true, .cr2 = at,
			.error_code = (uint32_t)(V3_PFEC_U | (write ? V3_PFEC_W : 0) |
						 (present ? V3_PFEC_P : 0)),
		};
		return V3_EMUL_FAULT;
	}
	return V3_EMUL_OK;
}

static enum v3_emul_result op_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				   uint32_t how, struct v3_emul_fault *fault)
{
	enum v3_emul_result res = access(opaque, linear, size, how & V3_EMUL_ACCESS_WRITE, fault);

	if (res == V3_EMUL_OK)
		memcpy(buf, (const void *)(uintptr_t)linear, size);
	return res;
}

static enum v3_emul_result op_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				    uint32_t how, struct v3_emul_fault *fault)
{
	enum v3_emul_result res = access(opaque, linear, size, true, fault);

	if (res == V3_EMUL_OK)
		memcpy((void *)(uintptr_t)linear, buf, size);
	return res;
}

static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	enum v3_emul_result res = access(opaque, linear, size, true, fault);

	if (res == V3_EMUL_OK)
		*swapped = cpu_emul_swap((void *)(uintptr_t)linear, expected, desired, size);
	return res;
}

/* No template has ports. */
static const struct v3_emul_ops ops = {
	.read = op_read, .write = op_write, .cmpxchg = op_cmpxchg,
	.vec_get = cpu_emul_vec_get, .vec_set = cpu_emul_vec_set,
};

/* -- where to -- */

/* Split-lock detection may trap what is locked and crosses a cache line. */
static bool may_lock(const struct v3_insn *insn)
{
	return (insn->flags & V3_INSN_LOCK) ||
	       (insn->map == V3_MAP_ONE && (insn->opcode & 0xfe) == 0x86) ||
	       (insn->map == V3_MAP_0F && (insn->opcode & 0xfe) == 0xb0) ||
	       (insn->map == V3_MAP_0F && insn->opcode == 0xc7);
}

/* An address near something that faults, or in it. */
static uint64_t trouble(struct world *w)
{
	uint64_t page = (uintptr_t)w->emul.cpu.page, read_only = (uintptr_t)w->emul.cpu.read_only;
	uint32_t near = rng_below(&w->emul.rng, 48);

	switch (rng_below(&w->emul.rng, 5)) {
	case 0:
		return page + CPU_PAGE - near;
	case 1:
		return page - near;
	case 2:
		return read_only + CPU_PAGE - near;
	case 3:
		return read_only - near;
	default:
		return page + CPU_PAGE + rng_below(&w->emul.rng, 3 * CPU_PAGE);
	}
}

/* Moves the operands of a good case to where they fault, or may. */
static bool make_trouble(struct world *w, const struct template *t, struct trial *tr)
{
	const struct cpu_view *view = &w->emul.cpu.view[tr->mode];
	const struct v3_insn *insn = &tr->insn;
	uint64_t *gpr = tr->in.gpr, where = trouble(w);
	uint64_t mask = insn->addrsize == 8 ? ~0ull : insn->addrsize == 4 ? 0xffffffff : 0xffff;

	if (t->kind == K_STRING) {
		/* A fault in the first iteration: see case_operands() about the upper halves. */
		for (int i = 0; insn->addrsize == 4 && i < 8; i++)
			gpr[i] = i == 1 || i == 6 || i == 7 ? (uint32_t)gpr[i] : gpr[i];
		if (rng_below(&w->emul.rng, 2))
			gpr[6] = (gpr[6] & ~mask) | ((where - view->base[insn->seg]) & mask);
		else
			gpr[7] = (gpr[7] & ~mask) | ((where - view->base[V3_SEG_ES]) & mask);
		return true;
	}
	if (t->kind == K_STACK && rng_below(&w->emul.rng, 2)) {
		if (insn->base == 4)
			return false;
		gpr[4] = (where & ~7ull) - view->base[V3_SEG_SS];
		if (tr->mode != V3_INSN_MODE_64)
			gpr[4] = (uint32_t)gpr[4];
		return true;
	}
	/* Most quotients of numbers at random do not fit. */
	if (t->kind == K_DIVIDE && rng_below(&w->emul.rng, 2)) {
		gpr[0] = rng_next(&w->emul.rng);
		gpr[2] = rng_next(&w->emul.rng) >> rng_below(&w->emul.rng, 64);
		for (int i = 0; tr->mode != V3_INSN_MODE_64 && i < 3; i += 2)
			gpr[i] = (uint32_t)gpr[i];
		return true;
	}
	/* CALL and JMP would go wherever what is there leads. */
	if (!(insn->flags & V3_INSN_MEM) ||
	    (t->kind == K_STACK && insn->opcode == 0xff && (insn->reg & 7) != 6))
		return false;
	if (insn->addrsize == 8 && insn->base != V3_INSN_NO_REG &&
	    rng_below(&w->emul.rng, 6) == 0) {
		gpr[insn->base] ^= 1ull << (47 + rng_below(&w->emul.rng, 17));
		return insn->base != 4 || t->kind != K_STACK;
	}
	if (may_lock(insn))
		where &= ~31ull;
	return case_aim(&w->emul.rng, &w->emul.cpu, tr, where) &&
	       (t->kind != K_STACK || insn->base != 4);
}

/* -- comparing -- */

static bool differs(const struct trial *tr, const char *what, uint64_t cpu, uint64_t emul)
{
	if (cpu == emul)
		return false;
	cpu_emul_show(tr, what);
	print_message("cpu %llx emulator %llx\n", (unsigned long long)cpu,
		      (unsigned long long)emul);
	return true;
}

static bool same_fault(const struct trial *tr, const struct cpu_fault *cpu,
		       const struct v3_emul_fault *emul, uint64_t rip)
{
	/* Linux does not tell user space what is mapped of the kernel. */
	uint32_t told = cpu->vector == V3_EXCP_PF && cpu->cr2 >> 63 ? ~(uint32_t)V3_PFEC_P : ~0u;

	if (differs(tr, "vector", cpu->vector, emul->vector) ||
	    differs(tr, "error code", cpu->error & told, emul->error_code) ||
	    differs(tr, "RIP", cpu->rip, rip))
		return false;
	return cpu->vector != V3_EXCP_PF || !differs(tr, "CR2", cpu->cr2, emul->cr2);
}

static bool same(const struct world *w, const struct trial *tr, const struct machine *cpu,
		 const struct machine *emul, uint64_t flags)
{
	for (int i = 0; i < 16; i++) {
		if (differs(tr, "general register", cpu->gpr[i], emul->gpr[i]) ||
		    differs(tr, "vector register", 0,
			    (uint64_t)memcmp(cpu->vec[i], emul->vec[i], w->emul.cpu.avx ? 32 : 16)))
			return false;
	}
	return !differs(tr, "flags", cpu->rflags & flags, emul->rflags & flags);
}

static bool run_trial(struct world *w, const struct trial *tr)
{
	static uint8_t before[CPU_PAGE], after[CPU_PAGE];
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx = {
		.regs = &regs, .ops = &ops, .opaque = w, .rep_budget = 1000,
	};
	struct machine cpu, emul = tr->in;
	struct cpu_fault fault = { 0 };
	enum v3_emul_result res;
	bool faulted;

	memcpy(w->emul.cpu.data, tr->mem, MEM_SIZE);
	memcpy(before, w->emul.cpu.page, CPU_PAGE);
	faulted = cpu_try(&w->emul.cpu, tr->mode, tr->bytes, tr->insn.length, &tr->in, &cpu,
			  &fault);
	memcpy(after, w->emul.cpu.page, CPU_PAGE);
	memcpy(w->emul.cpu.page, before, CPU_PAGE);
	cpu_emul_regs(&w->emul, tr->mode, &regs, &emul);
	res = v3_emul_step(&ctx, &tr->insn);
	emul.rflags = regs.rflags;
	w->emul.runs++;
	if (differs(tr, "result", faulted ? V3_EMUL_FAULT : V3_EMUL_OK, res))
		return false;
	if (faulted) {
		w->faults[fault.vector % V3_EXCP_COUNT]++;
		if (!same_fault(tr, &fault, &ctx.fault, regs.rip))
			return false;
	}
	if (!faulted && case_undefined_result(tr))
		return true;
	return same(w, tr, &cpu, &emul, faulted ? V3_RFLAGS_ARITH : case_defined_flags(tr)) &&
	       !differs(tr, "memory", 0, (uint64_t)memcmp(after, w->emul.cpu.page, CPU_PAGE));
}

static void run_mode(struct world *w, enum v3_insn_mode mode, uint32_t total)
{
	static struct trial tr;
	uint32_t bad = 0;

	memset(w->faults, 0, sizeof(w->faults));
	tr.mode = mode;
	cpu_emul_open(&w->emul, mode, 0xfa17);
	for (uint32_t n = 0; w->emul.runs < total && n < 20 * total && bad < 20; n++) {
		const struct template *t = &cpu_templates[n % cpu_template_count];

		if (t->whole || !cpu_emul_has(&w->emul, t, mode) ||
		    !case_instruction(&w->emul.rng, t, &tr) ||
		    !case_operands(&w->emul.rng, &w->emul.cpu, t, &tr) || !make_trouble(w, t, &tr))
			continue;
		bad += !run_trial(w, &tr);
	}
	print_message("%llu instructions, #DE %llu, #SS %llu, #GP %llu, #PF %llu\n",
		      (unsigned long long)w->emul.runs, (unsigned long long)w->faults[V3_EXCP_DE],
		      (unsigned long long)w->faults[V3_EXCP_SS],
		      (unsigned long long)w->faults[V3_EXCP_GP],
		      (unsigned long long)w->faults[V3_EXCP_PF]);
	assert_int_equal(bad, 0);
	assert_true(w->emul.runs >= total && w->faults[V3_EXCP_PF] > total / 3);
	assert_true(w->faults[V3_EXCP_GP] > total / 100);
	assert_true(w->faults[V3_EXCP_DE] > total / 1000);
	cpu_close(&w->emul.cpu);
}

static struct world world;

static void test_faults64(void **state)
{
	run_mode(&world, V3_INSN_MODE_64, CASES_64);
	assert_true(world.faults[V3_EXCP_SS] > CASES_64 / 1000);
}

static void test_faults32(void **state)
{
	run_mode(&world, V3_INSN_MODE_32, CASES_OTHER);
}

static void test_faults16(void **state)
{
	run_mode(&world, V3_INSN_MODE_16, CASES_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults64),
		cmocka_unit_test(test_faults32),
		cmocka_unit_test(test_faults16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
