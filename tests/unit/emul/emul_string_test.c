/* SPDX-License-Identifier: BSD-2-Clause */
/* Emulator: string instructions: REP, budget, faults in the middle, address sizes, ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"
#include "x86/excp.h"

static struct world w;

static void test_rep_movs(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	memcpy(w.mem + 0x1000, "abcdefghijklmnop", 16);
	w.gpr[RSI] = 0x1000;
	w.gpr[RDI] = 0x2000;
	w.gpr[RCX] = 4;
	assert_int_equal(world_run(&w, 0xf3, 0xa5), V3_EMUL_OK);
	assert_memory_equal(w.mem + 0x2000, "abcdefghijklmnop", 16);
	assert_int_equal(w.gpr[RCX], 0);
	assert_int_equal(w.gpr[RSI], 0x1010);
	assert_int_equal(w.gpr[RDI], 0x2010);
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	/* A count of zero touches nothing. */
	w.ops = 0;
	w.gpr[RDI] = ~0ull;
	assert_int_equal(world_run(&w, 0xf3, 0xa5), V3_EMUL_OK);
	assert_int_equal(w.ops, 0);
}

static void test_budget(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.ctx.rep_budget = 10;
	w.gpr[RDI] = 0x2000;
	w.gpr[RAX] = 0x55;
	w.gpr[RCX] = 25;
	assert_int_equal(world_run(&w, 0xf3, 0xaa), V3_EMUL_AGAIN);
	assert_int_equal(w.gpr[RCX], 15);
	assert_int_equal(w.gpr[RDI], 0x200a);
	assert_int_equal(w.regs.rip, WORLD_RIP);
	assert_int_equal(world_run(&w, 0xf3, 0xaa), V3_EMUL_AGAIN);
	assert_int_equal(world_run(&w, 0xf3, 0xaa), V3_EMUL_OK);
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	assert_int_equal(w.mem[0x2018], 0x55);
	assert_int_equal(w.mem[0x2019], 0);
	w.ctx.rep_budget = 0;	/* means one */
	w.gpr[RCX] = 2;
	assert_int_equal(world_run(&w, 0xf3, 0xaa), V3_EMUL_AGAIN);
	assert_int_equal(w.gpr[RCX], 1);
}

static void test_fault_in_the_middle(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = WORLD_MEM - 6;
	w.gpr[RAX] = 0x1234;
	w.gpr[RCX] = 10;
	assert_int_equal(world_run(&w, 0x66, 0xf3, 0xab), V3_EMUL_FAULT);
	assert_int_equal(w.ctx.fault.vector, V3_EXCP_PF);
	assert_int_equal(w.ctx.fault.cr2, WORLD_MEM);
	assert_int_equal(w.gpr[RCX], 7);
	assert_int_equal(w.gpr[RDI], WORLD_MEM);
	assert_int_equal(w.regs.rip, WORLD_RIP);
	assert_int_equal(world_get(&w, WORLD_MEM - 2, 2), 0x1234);
}

/* The flags are those before the instruction until it is done; they are no input of it. */
static void test_cmps_fault_keeps_flags(void **state)
{
	uint64_t rflags;

	world_init(&w, V3_INSN_MODE_64);
	rflags = w.regs.rflags |= V3_RFLAGS_CF | V3_RFLAGS_OF;
	w.gpr[RSI] = 0x1000;
	w.gpr[RDI] = WORLD_MEM - 1;
	w.gpr[RCX] = 5;
	assert_int_equal(world_run(&w, 0xf3, 0xa6), V3_EMUL_FAULT);
	assert_int_equal(w.regs.rflags, rflags);
	assert_int_equal(w.gpr[RCX], 4);
	assert_int_equal(w.gpr[RSI], 0x1001);
	w.ctx.rep_budget = 2;
	w.gpr[RDI] = 0x2000;
	assert_int_equal(world_run(&w, 0xf3, 0xa6), V3_EMUL_AGAIN);
	assert_int_equal(w.regs.rflags, rflags);
	assert_int_equal(world_run(&w, 0xf3, 0xa6), V3_EMUL_OK);
	assert_true(w.regs.rflags & V3_RFLAGS_ZF);
	assert_false(w.regs.rflags & (V3_RFLAGS_CF | V3_RFLAGS_OF));
	assert_int_equal(w.gpr[RCX], 0);
}

static void test_scas(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	memcpy(w.mem + 0x1000, "hello", 6);
	w.gpr[RDI] = 0x1000;
	w.gpr[RCX] = ~0ull;
	assert_int_equal(world_run(&w, 0xf2, 0xae), V3_EMUL_OK);	/* strlen */
	assert_int_equal(w.gpr[RDI], 0x1006);
	assert_int_equal(w.gpr[RCX], ~0ull - 6);
	assert_true(w.regs.rflags & V3_RFLAGS_ZF);
}

static void test_backwards(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.regs.rflags |= V3_RFLAGS_DF;
	w.gpr[RDI] = 0x1008;
	w.gpr[RAX] = 0x0807060504030201;
	w.gpr[RCX] = 2;
	assert_int_equal(world_run(&w, 0xf3, 0x48, 0xab), V3_EMUL_OK);
	assert_int_equal(w.gpr[RDI], 0x1008 - 16);
	assert_int_equal(world_get(&w, 0x1000, 8), 0x0807060504030201);
	assert_int_equal(world_get(&w, 0x1008, 8), 0x0807060504030201);
}

static void test_address_sizes(void **state)
{
	/* 16 bit: SI and DI wrap, CX counts, upper halves stay. */
	world_real_mode(&w);
	w.gpr[RSI] = 0xaaaaffff;
	w.gpr[RDI] = 0xbbbb2000;
	w.gpr[RCX] = 0xcccc0002;
	w.mem[0xffff] = 1;
	w.mem[0] = 2;
	assert_int_equal(world_run(&w, 0xf3, 0xa4), V3_EMUL_OK);
	assert_int_equal(w.gpr[RSI], 0xaaaa0001);
	assert_int_equal(w.gpr[RDI], 0xbbbb2002);
	assert_int_equal(w.gpr[RCX], 0xcccc0000);
	assert_int_equal(world_get(&w, 0x2000, 2), 0x0201);
	/* 32 bit in 64-bit mode: results are zero-extended. */
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RSI] = 0xaaaaaaaa00001000;
	w.gpr[RDI] = 0xbbbbbbbb00002000;
	w.gpr[RCX] = 0xcccccccc00000001;
	assert_int_equal(world_run(&w, 0x67, 0xf3, 0xa4), V3_EMUL_OK);
	assert_int_equal(w.gpr[RSI], 0x1001);
	assert_int_equal(w.gpr[RDI], 0x2001);
	assert_int_equal(w.gpr[RCX], 0);
}

static void test_segments(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.regs.seg[V3_SEG_FS].base = 0x3000;
	w.regs.seg[V3_SEG_ES].base = 0x5000;
	w.mem[0x3010] = 0x42;
	w.gpr[RSI] = 0x10;
	w.gpr[RDI] = 0x20;
	assert_int_equal(world_run(&w, 0x64, 0xa4), V3_EMUL_OK);	/* movsb es:, fs: */
	assert_int_equal(w.mem[0x5020], 0x42);
	w.regs.seg[V3_SEG_ES].attrib &= (uint16_t)~V3_SEG_WRITABLE;
	assert_fault(&w, V3_EXCP_GP, 0, 0x64, 0xa4);
	assert_int_equal(world_run(&w, 0xa6), V3_EMUL_OK);	/* CMPS only reads ES */
}

static void test_ins(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDX] = 0x1f0;
	w.gpr[RDI] = WORLD_MEM - 4;
	w.gpr[RCX] = 10;
	w.port_value = 0x1111;
	/* The port is not read for data that has nowhere to go. */
	assert_int_equal(world_run(&w, 0xf3, 0x66, 0x6d), V3_EMUL_FAULT);
	assert_int_equal(w.ctx.fault.vector, V3_EXCP_PF);
	assert_int_equal(w.ctx.fault.error_code, 2);
	assert_int_equal(w.port_reads, 2);
	assert_int_equal(w.gpr[RCX], 8);
	assert_int_equal(world_get(&w, WORLD_MEM - 2, 2), 0x1112);
	/* REX.W does not make it 64 bits. */
	w.gpr[RDI] = 0x1000;
	assert_int_equal(world_run(&w, 0x48, 0x6d), V3_EMUL_OK);
	assert_int_equal(w.port_size, 4);
	assert_int_equal(w.gpr[RDI], 0x1004);
}

static void test_outs(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	memcpy(w.mem + 0x1000, "xyz", 3);
	w.gpr[RDX] = 0xffff03f8;
	w.gpr[RSI] = 0x1000;
	w.gpr[RCX] = 3;
	assert_int_equal(world_run(&w, 0xf3, 0x6e), V3_EMUL_OK);
	assert_int_equal(w.port, 0x3f8);
	assert_int_equal(w.port_writes, 3);
	assert_int_equal(w.port_value, 'z');
	assert_int_equal(w.gpr[RSI], 0x1003);
	w.fail_at = w.ops + 2;	/* the port op refuses: #GP of the I/O bitmap, say */
	w.fail_with = V3_EMUL_FAULT;
	w.gpr[RCX] = 1;
	assert_int_equal(world_run(&w, 0xf3, 0x6e), V3_EMUL_FAULT);
	assert_int_equal(w.gpr[RSI], 0x1003);
	assert_int_equal(w.gpr[RCX], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rep_movs),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_fault_in_the_middle),
		cmocka_unit_test(test_cmps_fault_keeps_flags),
		cmocka_unit_test(test_scas),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_address_sizes),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_ins),
		cmocka_unit_test(test_outs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
