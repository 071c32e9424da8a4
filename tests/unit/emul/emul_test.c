/* SPDX-License-Identifier: BSD-2-Clause */
/* Emulator: results, faults, restartability, atomics, ports, vectors, the MMIO fast path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "insn_gen.h"
#include "world.h"
#include "x86/excp.h"

static struct world w;

static void test_mov_commits_rip(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.regs.rflags |= V3_RFLAGS_RF;
	w.gpr[RDI] = 0x1000;
	world_put(&w, 0x1000, 8, 0x1122334455667788);
	w.gpr[RAX] = ~0ull;
	assert_int_equal(world_run(&w, 0x8b, 0x07), V3_EMUL_OK);
	assert_int_equal(w.gpr[RAX], 0x55667788);	/* upper half cleared */
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	assert_int_equal(w.regs.rflags & V3_RFLAGS_RF, 0);
}

static void test_rip_relative(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	world_put(&w, WORLD_RIP + 10 + 0x100, 4, 0);
	/* mov dword [rip+0x100], 5: relative to the end, past the immediate */
	assert_int_equal(world_run(&w, 0xc7, 0x05, 0, 1, 0, 0, 5, 0, 0, 0), V3_EMUL_OK);
	assert_int_equal(world_get(&w, WORLD_RIP + 10 + 0x100, 4), 5);
}

static void test_page_fault_is_passed_on(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x7fff0000;
	w.regs.cpl = 3;
	assert_fault(&w, V3_EXCP_PF, 6, 0x89, 0x07);
	assert_int_equal(w.ctx.fault.cr2, 0x7fff0000);
	assert_true(w.ctx.fault.has_error);
	assert_fault(&w, V3_EXCP_PF, 4, 0x8b, 0x07);
	/* A read that a write follows is checked as a write. */
	assert_fault(&w, V3_EXCP_PF, 6, 0x01, 0x07);
	assert_fault(&w, V3_EXCP_PF, 6, 0xf0, 0x01, 0x07);
	assert_fault(&w, V3_EXCP_PF, 6, 0x87, 0x07);
	assert_fault(&w, V3_EXCP_PF, 4, 0x39, 0x07);		/* CMP only reads */
	assert_fault(&w, V3_EXCP_PF, 4, 0x0f, 0xba, 0x27, 1);	/* so does BT */
	/* The second page of a crossing is the one that is missing. */
	w.gpr[RDI] = WORLD_MEM - 1;
	assert_fault(&w, V3_EXCP_PF, 6, 0x89, 0x07);
	assert_int_equal(w.ctx.fault.cr2, WORLD_MEM);
}

static void test_stop(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.fail_at = 2;
	w.fail_with = V3_EMUL_STOP;
	assert_int_equal(world_run(&w, 0x01, 0x07), V3_EMUL_STOP);
	assert_int_equal(w.regs.rip, WORLD_RIP);
	w.fail_at = 0;
	assert_int_equal(world_run(&w, 0x01, 0x07), V3_EMUL_OK);
}

static void test_unhandled(void **state)
{
	static const uint8_t list[][5] = {
		{ 2, 0x0f, 0xa2 },		/* CPUID */
		{ 2, 0xff, 0x1f },		/* CALL far */
		{ 2, 0x8e, 0x1f },		/* MOV DS */
		{ 3, 0x0f, 0x6f, 0x07 },	/* MOVQ MMX */
		{ 3, 0x0f, 0x10, 0xc1 },	/* MOVUPS between registers */
		{ 3, 0x0f, 0x58, 0x07 },	/* ADDPS */
		{ 3, 0xd8, 0x00, 0x00 },	/* FADD; cut to length below */
		{ 3, 0x0f, 0xc7, 0xf0 },	/* RDRAND */
		{ 4, 0x0f, 0x0f, 0x07, 0x9e },	/* 3DNow */
		{ 1, 0xc3 },			/* RET */
	};

	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct world *before = world_copy(&w);
		unsigned int len = v3_insn_len(list[i] + 1, list[i][0], V3_INSN_MODE_64);

		assert_true(len > 0);
		assert_int_equal(world_run_bytes(&w, list[i] + 1, len), V3_EMUL_UNHANDLED);
		world_assert_unchanged(before, &w);
	}
	assert_int_equal(w.ops, 0);
	/* EVEX */
	assert_int_equal(world_run(&w, 0x62, 0xf1, 0x7c, 0x48, 0x11, 0x40, 1), V3_EMUL_UNHANDLED);
}

static void test_cache_lines(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	assert_int_equal(world_run(&w, 0x0f, 0xae, 0x3f), V3_EMUL_OK);		/* clflush */
	assert_int_equal(world_run(&w, 0x66, 0x0f, 0xae, 0x3f), V3_EMUL_OK);	/* clflushopt */
	assert_int_equal(world_run(&w, 0x66, 0x0f, 0xae, 0x37), V3_EMUL_OK);	/* clwb */
	assert_int_equal(w.ops, 0);
	assert_int_equal(w.regs.rip, WORLD_RIP + 11);
	assert_int_equal(world_run(&w, 0x0f, 0xae, 0x37), V3_EMUL_UNHANDLED);	/* xsaveopt */
	assert_int_equal(world_run(&w, 0x0f, 0xae, 0xf8), V3_EMUL_UNHANDLED);	/* sfence */
	w.gpr[RDI] = 0x800000000000;
	assert_fault(&w, V3_EXCP_GP, 0, 0x0f, 0xae, 0x3f);
}

static void test_lock_retries(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	w.gpr[RAX] = 0x10;
	w.contended = 5;
	assert_int_equal(world_run(&w, 0xf0, 0x01, 0x07), V3_EMUL_OK);
	assert_int_equal(world_get(&w, 0x1000, 4), 0x15);	/* five others added one each */
	assert_int_equal(w.writes, 0);			/* the atomic op stored it */

	/* Each try starts from the flags that were there before the instruction. */
	world_put(&w, 0x1000, 4, 0);
	w.gpr[RAX] = 0x10;
	w.regs.rflags |= V3_RFLAGS_CF;
	w.contended = 1;
	assert_int_equal(world_run(&w, 0xf0, 0x11, 0x07), V3_EMUL_OK);	/* lock adc */
	assert_int_equal(world_get(&w, 0x1000, 4), 0x12);
	world_put(&w, 0x1000, 4, 0x15);

	/* XCHG is atomic without the prefix. */
	w.contended = 1;
	assert_int_equal(world_run(&w, 0x87, 0x07), V3_EMUL_OK);
	assert_int_equal(w.gpr[RAX], 0x16);
	assert_int_equal(world_get(&w, 0x1000, 4), 0x10);
}

static void test_lock_gives_up(void **state)
{
	uint64_t rflags;

	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	w.gpr[RAX] = 0x10;
	rflags = w.regs.rflags;
	w.contended = 1000000;
	assert_int_equal(world_run(&w, 0xf0, 0x0f, 0xc1, 0x07), V3_EMUL_AGAIN);
	assert_int_equal(w.regs.rip, WORLD_RIP);
	assert_int_equal(w.regs.rflags, rflags);
	assert_int_equal(w.gpr[RAX], 0x10);
	w.contended = 0;
	assert_int_equal(world_run(&w, 0xf0, 0x0f, 0xc1, 0x07), V3_EMUL_OK);
}

static void test_cmpxchg(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	w.gpr[RAX] = 0xffffffff00000007;
	w.gpr[RCX] = 9;
	world_put(&w, 0x1000, 4, 7);
	assert_int_equal(world_run(&w, 0x0f, 0xb1, 0x0f), V3_EMUL_OK);
	assert_int_equal(world_get(&w, 0x1000, 4), 9);
	assert_true(w.regs.rflags & V3_RFLAGS_ZF);
	assert_int_equal(w.gpr[RAX], 0xffffffff00000007);	/* not written */
	assert_int_equal(world_run(&w, 0x0f, 0xb1, 0x0f), V3_EMUL_OK);
	assert_false(w.regs.rflags & V3_RFLAGS_ZF);
	assert_int_equal(w.gpr[RAX], 9);
}

static void test_cmpxchg16b(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	w.gpr[RAX] = 1;
	w.gpr[RDX] = 2;
	w.gpr[RBX] = 3;
	w.gpr[RCX] = 4;
	world_put(&w, 0x1000, 8, 1);
	world_put(&w, 0x1008, 8, 2);
	assert_int_equal(world_run(&w, 0xf0, 0x48, 0x0f, 0xc7, 0x0f), V3_EMUL_OK);
	assert_true(w.regs.rflags & V3_RFLAGS_ZF);
	assert_int_equal(world_get(&w, 0x1000, 8), 3);
	assert_int_equal(world_get(&w, 0x1008, 8), 4);
	assert_int_equal(world_run(&w, 0x48, 0x0f, 0xc7, 0x0f), V3_EMUL_OK);
	assert_false(w.regs.rflags & V3_RFLAGS_ZF);
	assert_int_equal(w.gpr[RAX], 3);
	assert_int_equal(w.gpr[RDX], 4);
	w.gpr[RDI] = 0x1008;
	assert_fault(&w, V3_EXCP_GP, 0, 0x48, 0x0f, 0xc7, 0x0f);
}

static void test_ports(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.port_value = 0x12345678;
	w.gpr[RAX] = ~0ull;
	w.gpr[RDX] = 0xabcd03f8;
	assert_int_equal(world_run(&w, 0xec), V3_EMUL_OK);	/* in al, dx */
	assert_int_equal(w.port, 0x3f8);
	assert_int_equal(w.port_size, 1);
	assert_int_equal(w.gpr[RAX], 0xffffffffffffff78);
	assert_int_equal(world_run(&w, 0x66, 0xe5, 0x80), V3_EMUL_OK);	/* in ax, 0x80 */
	assert_int_equal(w.port, 0x80);				/* not sign-extended */
	assert_int_equal(w.gpr[RAX], 0xffffffffffff5679);
	assert_int_equal(world_run(&w, 0x48, 0xed), V3_EMUL_OK);	/* REX.W in eax, dx */
	assert_int_equal(w.port_size, 4);
	assert_int_equal(w.gpr[RAX], 0x1234567a);
	w.gpr[RAX] = 0x55aa55aa;
	assert_int_equal(world_run(&w, 0xe6, 0xf4), V3_EMUL_OK);	/* out 0xf4, al */
	assert_int_equal(w.port, 0xf4);
	assert_int_equal(w.port_value, 0xaa);
	assert_int_equal(world_run(&w, 0xef), V3_EMUL_OK);	/* out dx, eax */
	assert_int_equal(w.port_value, 0x55aa55aa);
}

static void test_stack(void **state)
{
	uint64_t sp;

	world_init(&w, V3_INSN_MODE_64);
	sp = w.gpr[RSP];
	world_put(&w, 0x1000, 8, 0x1122334455667788);
	w.gpr[RDI] = 0x1000;
	assert_int_equal(world_run(&w, 0xff, 0x37), V3_EMUL_OK);	/* push [rdi] */
	assert_int_equal(w.gpr[RSP], sp - 8);
	assert_int_equal(world_get(&w, (uint32_t)sp - 8, 8), 0x1122334455667788);
	assert_true(w.last_access & V3_EMUL_ACCESS_STACK);
	assert_int_equal(world_run(&w, 0x8f, 0x44, 0x24, 0x10), V3_EMUL_OK); /* pop [rsp+16] */
	assert_int_equal(w.gpr[RSP], sp);
	assert_int_equal(world_get(&w, (uint32_t)sp + 16, 8), 0x1122334455667788);
	/* A fault of POP's store leaves RSP as it was. */
	w.gpr[RDI] = WORLD_MEM;
	assert_fault(&w, V3_EXCP_PF, 2, 0x8f, 0x07);
	/* call [0x1000], jmp [0x1000] */
	world_put(&w, 0x1000, 8, 0x4444);
	w.gpr[RDI] = 0x1000;
	assert_int_equal(world_run(&w, 0xff, 0x17), V3_EMUL_OK);
	assert_int_equal(w.regs.rip, 0x4444);
	assert_int_equal(world_get(&w, (uint32_t)sp - 8, 4), WORLD_RIP + 4 + 2 + 2);
	world_put(&w, 0x1000, 8, 0x5555);
	assert_int_equal(world_run(&w, 0xff, 0x27), V3_EMUL_OK);
	assert_int_equal(w.regs.rip, 0x5555);
	assert_int_equal(world_run(&w, 0x66, 0xff, 0x27), V3_EMUL_UNHANDLED);
	/* A target that is not canonical faults before the push. */
	world_put(&w, 0x1000, 8, 0x800000000000);
	assert_fault(&w, V3_EXCP_GP, 0, 0xff, 0x17);
}

static void test_stack16(void **state)
{
	world_real_mode(&w);
	w.gpr[RSP] = 0xabcd0000;	/* SP wraps within 16 bits */
	w.gpr[RAX] = 0x1234;
	assert_int_equal(world_run(&w, 0x50), V3_EMUL_OK);
	assert_int_equal(w.gpr[RSP], 0xabcdfffe);
	assert_int_equal(world_get(&w, 0xfffe, 2), 0x1234);
	assert_int_equal(world_run(&w, 0x59), V3_EMUL_OK);
	assert_int_equal(w.gpr[RCX], 0x1234);
	assert_int_equal(w.gpr[RSP], 0xabcd0000);
	/* JMP target beyond the code segment */
	world_put(&w, 0x1000, 4, 0x12345);
	assert_fault(&w, V3_EXCP_GP, 0, 0x66, 0xff, 0x26, 0x00, 0x10);
	assert_false(w.ctx.fault.has_error);
}

static void test_vector_state(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x1000;
	for (uint32_t i = 0; i < 32; i++)
		w.mem[0x1000 + i] = (uint8_t)(i + 1);
	assert_int_equal(world_run(&w, 0x0f, 0x28, 0x07), V3_EMUL_OK);	/* movaps xmm0, [rdi] */
	assert_memory_equal(w.vec[0], w.mem + 0x1000, 16);
	w.gpr[RDI] = 0x1008;
	assert_fault(&w, V3_EXCP_GP, 0, 0x0f, 0x28, 0x07);
	assert_int_equal(world_run(&w, 0x0f, 0x10, 0x0f), V3_EMUL_OK);	/* movups xmm1, [rdi] */
	assert_int_equal(world_run(&w, 0xc5, 0xfe, 0x6f, 0x17), V3_EMUL_OK); /* vmovdqu ymm2 */
	assert_memory_equal(w.vec[2], w.mem + 0x1008, 32);
	assert_fault(&w, V3_EXCP_GP, 0, 0xc5, 0xfd, 0x6f, 0x17);		/* vmovdqa */
	assert_fault(&w, V3_EXCP_GP, 0, 0xf3, 0x0f, 0x12, 0x17);		/* movsldup */
	assert_int_equal(world_run(&w, 0xc5, 0xfa, 0x12, 0x17), V3_EMUL_OK);	/* vmovsldup */
	assert_int_equal(world_run(&w, 0xf2, 0x0f, 0x12, 0x17), V3_EMUL_OK);	/* movddup */
	w.regs.cr0 |= V3_CR0_TS;
	assert_fault(&w, V3_EXCP_NM, 0, 0x0f, 0x10, 0x0f);
	assert_false(w.ctx.fault.has_error);
	assert_fault(&w, V3_EXCP_NM, 0, 0xc5, 0xfe, 0x6f, 0x17);
	w.regs.cr0 |= V3_CR0_EM;
	assert_fault(&w, V3_EXCP_UD, 0, 0x0f, 0x10, 0x0f);
	w.regs.cr0 &= ~(V3_CR0_EM | V3_CR0_TS);
	w.regs.cr4 = V3_CR4_OSXSAVE;
	assert_fault(&w, V3_EXCP_UD, 0, 0x0f, 0x10, 0x0f);
	w.regs.cr4 = V3_CR4_OSFXSR;
	assert_fault(&w, V3_EXCP_UD, 0, 0xc5, 0xfe, 0x6f, 0x17);
	/* AVX needs its bit of XCR0, SSE none. */
	w.regs.cr4 |= V3_CR4_OSXSAVE;
	w.regs.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE;
	assert_fault(&w, V3_EXCP_UD, 0, 0xc5, 0xfe, 0x6f, 0x17);
	w.regs.xcr0 = V3_XCR0_X87;
	assert_int_equal(world_run(&w, 0x0f, 0x10, 0x0f), V3_EMUL_OK);
}

static void test_no_vector_ops(void **state)
{
	struct v3_emul_ops ops;

	world_init(&w, V3_INSN_MODE_64);
	ops = *w.ctx.ops;
	ops.vec_get = NULL;
	ops.vec_set = NULL;
	w.ctx.ops = &ops;
	assert_int_equal(world_run(&w, 0x0f, 0x10, 0x0f), V3_EMUL_UNHANDLED);
}

/*
 * Every instruction, every op of it failing in turn: registers and memory stay as they were, and
 * the same instruction without the failure ends well. String instructions with REP are apart.
 */
static void fail_each_op(const uint8_t *bytes, enum v3_insn_mode mode, const struct world *start)
{
	static struct world clean;

	for (uint32_t n = 1; n < 10; n++) {
		enum v3_emul_result res;

		memcpy(&clean, start, sizeof(clean));
		clean.ctx.regs = &clean.regs;
		clean.ctx.opaque = &clean;
		clean.regs.gpr = clean.gpr;
		clean.fail_at = n;
		clean.fail_with = n & 1 ? V3_EMUL_FAULT : V3_EMUL_STOP;
		assert_int_equal(v3_decode(bytes, 15, mode, &clean.insn), V3_DECODE_OK);
		res = v3_emul_step(&clean.ctx, &clean.insn);
		if (clean.ops < n)
			return;
		assert_int_equal(res, clean.fail_with);
		if (res == V3_EMUL_FAULT)
			assert_int_equal(clean.ctx.fault.cr2, 0xbad);
		clean.regs.gpr = start->regs.gpr;
		world_assert_unchanged(start, &clean);
	}
	fail_msg("an instruction with ten ops");
}

static void test_failures_change_nothing(void **state)
{
	static struct world start;
	struct rng r = { 77 };
	uint32_t done = 0;

	for (uint32_t i = 0; i < 15000; i++) {
		enum v3_insn_mode mode = (enum v3_insn_mode)rng_below(&r, 3);
		struct v3_insn insn;
		uint8_t bytes[GEN_BYTES];

		gen_structured(&r, mode, bytes);
		if (v3_decode(bytes, 15, mode, &insn) != V3_DECODE_OK ||
		    (insn.flags & (V3_INSN_REP | V3_INSN_REPNE | V3_INSN_EVEX | V3_INSN_XOP)))
			continue;
		/* The copies cost most: take one memory image for many instructions. */
		if (done % 64 == 0 || start.regs.seg[V3_SEG_CS].attrib == 0 ||
		    v3_emul_mode(&start.regs) != mode) {
			world_init(&start, mode);
			start.wrap = true;
			for (uint32_t k = 0; k < WORLD_MEM; k += 8)
				world_put(&start, k, 8, rng_next(&r) & 0xffff);
		}
		for (int k = 0; k < 16; k++)
			start.gpr[k] = rng_next(&r) >> rng_below(&r, 64);
		fail_each_op(bytes, mode, &start);
		done++;
	}
	assert_true(done > 2500);
}

static void test_simple(void **state)
{
	static const struct {
		uint8_t bytes[8];
		uint8_t len;
		bool simple, write, is_imm, sign;
		uint8_t size, reg_size, reg;
		uint64_t imm;
	} list[] = {
		{ { 0x89, 0x07 }, 2, true, true, false, false, 4, 4, RAX, 0 },
		{ { 0x45, 0x8b, 0x47, 0x20 }, 4, true, false, false, false, 4, 4, R8, 0 },
		{ { 0x88, 0x27 }, 2, true, true, false, false, 1, 1, RAX, 0 },
		{ { 0xc6, 0x07, 0xff }, 3, true, true, true, false, 1, 0, 0, 0xff },
		{ { 0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff }, 7, true, true, true, false, 8, 0, 0,
		  (uint64_t)-2 },
		{ { 0x66, 0xc7, 0x07, 0xfe, 0xff }, 5, true, true, true, false, 2, 0, 0, 0xfffe },
		{ { 0x0f, 0xb6, 0x0f }, 3, true, false, false, false, 1, 4, RCX, 0 },
		{ { 0x48, 0x0f, 0xbf, 0x0f }, 4, true, false, false, true, 2, 8, RCX, 0 },
		{ { 0x48, 0x63, 0x0f }, 3, true, false, false, true, 4, 8, RCX, 0 },
		{ { 0x01, 0x07 }, 2, false, false, false, false, 0, 0, 0, 0 },
		{ { 0x89, 0xc7 }, 2, false, false, false, false, 0, 0, 0, 0 },
		{ { 0x0f, 0xb6, 0xc1 }, 3, false, false, false, false, 0, 0, 0, 0 },
		{ { 0xc5, 0xf8, 0x11, 0x07 }, 4, false, false, false, false, 0, 0, 0, 0 },
		{ { 0x0f, 0xc3, 0x07 }, 3, false, false, false, false, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct v3_insn insn;
		struct v3_emul_simple s;

		assert_int_equal(v3_decode(list[i].bytes, list[i].len, V3_INSN_MODE_64, &insn),
				 V3_DECODE_OK);
		assert_int_equal(v3_emul_simple_mmio(&insn, &s), list[i].simple);
		if (!list[i].simple)
			continue;
		assert_int_equal(s.write, list[i].write);
		assert_int_equal(s.is_imm, list[i].is_imm);
		assert_int_equal(s.sign_extend, list[i].sign);
		assert_int_equal(s.size, list[i].size);
		assert_int_equal(s.imm, list[i].imm);
		if (!s.is_imm) {
			assert_int_equal(s.reg, list[i].reg);
			assert_int_equal(s.reg_size, list[i].reg_size);
		}
	}
}

static void test_simple_values(void **state)
{
	uint64_t gpr[16] = { [RAX] = 0x1122334455667788 };
	struct v3_emul_simple s = { .size = 1, .reg_size = 1, .reg = RAX, .high_byte = true };

	assert_int_equal(v3_emul_simple_value(gpr, &s), 0x77);
	v3_emul_simple_commit(gpr, &s, 0xffffffffffffffab);
	assert_int_equal(gpr[RAX], 0x112233445566ab88);
	s = (struct v3_emul_simple){ .size = 2, .reg_size = 8, .reg = RAX, .sign_extend = true };
	v3_emul_simple_commit(gpr, &s, 0x12348000);
	assert_int_equal(gpr[RAX], 0xffffffffffff8000);
	s = (struct v3_emul_simple){ .size = 4, .reg_size = 4, .reg = RAX };
	assert_int_equal(v3_emul_simple_value(gpr, &s), 0xffff8000);
	v3_emul_simple_commit(gpr, &s, 0xffffffff00000001);
	assert_int_equal(gpr[RAX], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mov_commits_rip),
		cmocka_unit_test(test_rip_relative),
		cmocka_unit_test(test_page_fault_is_passed_on),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_unhandled),
		cmocka_unit_test(test_cache_lines),
		cmocka_unit_test(test_lock_retries),
		cmocka_unit_test(test_lock_gives_up),
		cmocka_unit_test(test_cmpxchg),
		cmocka_unit_test(test_cmpxchg16b),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_stack16),
		cmocka_unit_test(test_vector_state),
		cmocka_unit_test(test_no_vector_ops),
		cmocka_unit_test(test_failures_change_nothing),
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_simple_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
