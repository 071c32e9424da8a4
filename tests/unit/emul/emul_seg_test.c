/* SPDX-License-Identifier: BSD-2-Clause */
/* Emulator: segmentation, canonical addresses, address sizes, in every mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"
#include "x86/excp.h"

static struct world w;

/* 89 07: mov [edi], eax; 8b 07: mov eax, [edi]; 89 45 00: mov [ebp+0], eax */
#define STORE 0x89, 0x07
#define LOAD 0x8b, 0x07
#define STORE_BP 0x89, 0x45, 0x00

static void test_canonical(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	w.gpr[RDI] = 0x800000000000;
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
	assert_true(w.ctx.fault.has_error);
	w.gpr[RDI] = 0x7ffffffffffd;	/* the last byte is outside */
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
	w.gpr[RDI] = 0x7ffffffffffc;
	assert_fault(&w, V3_EXCP_PF, 0, LOAD);
	w.gpr[RDI] = 0xffff7fffffffffff;
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
	w.gpr[RDI] = 0xfffffffffffffffd;	/* wraps to 0 */
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
	w.gpr[RBP] = 0x800000000000;	/* based on RBP: the stack's exception */
	assert_fault(&w, V3_EXCP_SS, 0, STORE_BP);
	w.gpr[RSP] = 0xffff800000000004;
	assert_fault(&w, V3_EXCP_SS, 0, 0x50);
	/* Five-level paging widens it. */
	w.regs.cr4 |= V3_CR4_LA57;
	w.gpr[RDI] = 0x800000000000;
	assert_fault(&w, V3_EXCP_PF, 0, LOAD);
	w.gpr[RDI] = 0x100000000000000;
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
}

static void test_long_mode_bases(void **state)
{
	world_init(&w, V3_INSN_MODE_64);
	for (int i = 0; i < 6; i++) {
		w.regs.seg[i].base = 0x1000;
		w.regs.seg[i].limit = 0;	/* limits do not count */
		w.regs.seg[i].attrib &= (uint16_t)~(i == V3_SEG_CS ? 0 : V3_SEG_P);
	}
	w.gpr[RDI] = 0x100;
	w.gpr[RAX] = 0x77;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
	assert_int_equal(world_get(&w, 0x100, 4), 0x77);
	assert_int_equal(world_run(&w, 0x64, STORE), V3_EMUL_OK);	/* fs: */
	assert_int_equal(world_get(&w, 0x1100, 4), 0x77);
	w.gpr[RAX] = 0x78;
	assert_int_equal(world_run(&w, 0x2e, STORE), V3_EMUL_OK);	/* cs: is ignored */
	assert_int_equal(world_get(&w, 0x100, 4), 0x78);
	/* The offset is cut to 32 bits before the base is added. */
	w.gpr[RDI] = 0xffffffff00000200;
	assert_int_equal(world_run(&w, 0x65, 0x67, STORE), V3_EMUL_OK);
	assert_int_equal(world_get(&w, 0x1200, 4), 0x78);
}

static void test_limits(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.regs.seg[V3_SEG_DS].limit = 0xfff;
	w.gpr[RDI] = 0xffc;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
	w.gpr[RDI] = 0xffd;
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	w.gpr[RDI] = 0xfffffffe;	/* offset + size must not wrap past the check */
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	w.regs.seg[V3_SEG_DS].limit = 0xffffffff;
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	w.regs.seg[V3_SEG_SS].limit = 0xfff;
	w.gpr[RBP] = 0x1000;
	assert_fault(&w, V3_EXCP_SS, 0, STORE_BP);
	w.gpr[RSP] = 0x1004;
	assert_fault(&w, V3_EXCP_SS, 0, 0x58);	/* pop eax */
}

static void test_expand_down(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.regs.seg[V3_SEG_DS].attrib |= V3_SEG_EXPAND_DOWN;
	w.regs.seg[V3_SEG_DS].limit = 0xfff;
	w.gpr[RDI] = 0x1000;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
	w.gpr[RDI] = 0xfff;
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	w.gpr[RDI] = 0;
	assert_fault(&w, V3_EXCP_GP, 0, LOAD);
	/* The upper bound is 64 KiB with a 16-bit segment. */
	w.regs.seg[V3_SEG_DS].attrib &= (uint16_t)~V3_SEG_DB;
	w.gpr[RDI] = 0xfffd;
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	w.gpr[RDI] = 0xfffc;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
}

static void test_types(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.gpr[RDI] = 0x1000;
	w.regs.seg[V3_SEG_DS].attrib &= (uint16_t)~V3_SEG_WRITABLE;
	assert_fault(&w, V3_EXCP_GP, 0, STORE);
	assert_fault(&w, V3_EXCP_GP, 0, 0x01, 0x07);
	assert_int_equal(world_run(&w, LOAD), V3_EMUL_OK);
	/* Code: never writable, readable by its type. */
	assert_fault(&w, V3_EXCP_GP, 0, 0x2e, STORE);
	assert_int_equal(world_run(&w, 0x2e, LOAD), V3_EMUL_OK);
	w.regs.seg[V3_SEG_CS].attrib &= (uint16_t)~V3_SEG_READABLE;
	assert_fault(&w, V3_EXCP_GP, 0, 0x2e, LOAD);
	/* Not present, null, system. */
	w.regs.seg[V3_SEG_ES].attrib &= (uint16_t)~V3_SEG_P;
	assert_fault(&w, V3_EXCP_GP, 0, 0x26, LOAD);
	w.regs.seg[V3_SEG_FS].selector = 3;
	assert_fault(&w, V3_EXCP_GP, 0, 0x64, LOAD);
	w.regs.seg[V3_SEG_GS].attrib &= (uint16_t)~V3_SEG_S;
	assert_fault(&w, V3_EXCP_GP, 0, 0x65, LOAD);
	/* None of that counts in virtual-8086 mode. */
	w.regs.rflags |= V3_RFLAGS_VM;
	assert_int_equal(world_run(&w, 0x64, LOAD), V3_EMUL_OK);
}

static void test_real_mode(void **state)
{
	world_real_mode(&w);
	w.regs.seg[V3_SEG_DS].base = 0x10000;
	w.regs.seg[V3_SEG_DS].selector = 0;	/* null is nothing special here */
	w.gpr[RBX] = 0xffff8000;
	w.gpr[RSI] = 0x8010;			/* BX + SI wraps to 0x10 */
	w.gpr[RAX] = 0x4711;
	assert_int_equal(world_run(&w, 0x89, 0x00), V3_EMUL_OK);	/* mov [bx+si], ax */
	assert_int_equal(world_get(&w, 0x10010, 2), 0x4711);
	w.gpr[RSI] = 0x7fff;
	assert_fault(&w, V3_EXCP_GP, 0, 0x89, 0x00);	/* two bytes at FFFF */
	assert_false(w.ctx.fault.has_error);
	w.gpr[RDI] = 0x10000;			/* beyond the limit with 67 */
	assert_fault(&w, V3_EXCP_GP, 0, 0x67, 0x89, 0x07);
	assert_fault(&w, V3_EXCP_UD, 0, 0x67, 0xc5, 0xfe, 0x6f, 0x07);
}

static void test_linear_wraps(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.regs.seg[V3_SEG_DS].base = 0xfffff000;
	w.gpr[RDI] = 0x2000;
	w.gpr[RAX] = 0x99;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
	assert_int_equal(world_get(&w, 0x1000, 4), 0x99);
	w.gpr[RDI] = 0xffe;	/* across 4 GiB: left to the CPU */
	assert_int_equal(world_run(&w, STORE), V3_EMUL_UNHANDLED);
}

static void test_compatibility_rip(void **state)
{
	world_init(&w, V3_INSN_MODE_32);
	w.regs.rip = 0xffffffff;
	w.gpr[RDI] = 0x1000;
	assert_int_equal(world_run(&w, STORE), V3_EMUL_OK);
	assert_int_equal(w.regs.rip, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_long_mode_bases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_expand_down),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_linear_wraps),
		cmocka_unit_test(test_compatibility_rip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
