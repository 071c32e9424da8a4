/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulator as a whole CPU: what user mode cannot execute, and so no differential test has.
 * Expected results are from the SDM, vol. 2 (each instruction's operation) and vol. 3, 5 and 21.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul/emul_cpu.h"
#include "world.h"
#include "x86/excp.h"

static struct world w;
static struct v3_emul_cpu cpu;

#define GDT 0x3000u
#define LDT 0x3800u
#define IVT 0x0u

static enum v3_emul_result run_bytes(const uint8_t *bytes, size_t len)
{
	uint8_t padded[V3_INSN_MAX_LEN] = { 0 };

	memcpy(padded, bytes, len);
	assert_int_equal(v3_decode(padded, sizeof(padded), v3_emul_mode(&w.regs), &w.insn),
			 V3_DECODE_OK);
	assert_int_equal(w.insn.length, len);
	return v3_emul_cpu_step(&cpu, &w.insn);
}

#define RUN(...) \
	run_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define OK(...) assert_int_equal(RUN(__VA_ARGS__), V3_EMUL_OK)
#define UNHANDLED(...) assert_int_equal(RUN(__VA_ARGS__), V3_EMUL_UNHANDLED)
/* A fault changes nothing but what it says. */
#define FAULT(vec, err, ...) do { \
	struct v3_emul_cpu before_ = cpu; \
	struct world *copy_ = world_copy(&w); \
	assert_int_equal(RUN(__VA_ARGS__), V3_EMUL_FAULT); \
	assert_int_equal(w.ctx.fault.vector, (vec)); \
	assert_int_equal(w.ctx.fault.error_code, (err)); \
	assert_memory_equal(copy_->gpr, w.gpr, sizeof(w.gpr)); \
	assert_memory_equal(copy_->regs.seg, w.regs.seg, sizeof(w.regs.seg)); \
	assert_int_equal(copy_->regs.rip, w.regs.rip); \
	assert_int_equal(copy_->regs.rflags, w.regs.rflags); \
	assert_memory_equal(&before_.gdt, &cpu.gdt, sizeof(cpu.gdt)); \
	assert_memory_equal(&before_.idt, &cpu.idt, sizeof(cpu.idt)); \
} while (0)

static void begin_real(void)
{
	world_real_mode(&w);
	cpu = (struct v3_emul_cpu){ .ctx = &w.ctx, .idt = { IVT, 0x3ff } };
	w.gpr[RSP] = 0x8000;
	w.regs.seg[V3_SEG_SS].base = 0x10000;
	w.regs.seg[V3_SEG_SS].selector = 0x1000;
}

static void put_desc(uint32_t at, uint32_t base, uint32_t raw_limit, uint16_t attrib)
{
	world_put(&w, at, 8, v3_desc_make(base, raw_limit, attrib));
}

/* Descriptors by name, of privilege level 0 where nothing else is said. */
enum {
	NONE = 0x00, CODE32 = 0x08, CODE16 = 0x10, DATA32 = 0x18, READ_ONLY = 0x20, ABSENT = 0x28,
	ABSENT_CODE = 0x30, CONFORMING = 0x38, CODE_DPL3 = 0x40, DATA_DPL3 = 0x48, TSS = 0x50,
	CALL_GATE = 0x58, EXECUTE_ONLY = 0x60, SMALL = 0x68, LDT_SEL = 0x70, ABSENT_STACK = 0x78,
	CODE64 = 0x80, CODE64_32 = 0x88, BEYOND = 0x90,
};

static void begin_protected(enum v3_insn_mode mode)
{
	world_init(&w, mode);
	w.regs.efer = 0;
	w.regs.cr0 = V3_CR0_PE;
	cpu = (struct v3_emul_cpu){ .ctx = &w.ctx, .gdt = { GDT, BEYOND - 1 } };
	put_desc(GDT + CODE32, 0x100, 0xfffff, V3_SEG_ATTR_CODE32 & ~V3_SEG_ACCESSED);
	put_desc(GDT + CODE16, 0x200, 0xffff, V3_SEG_ATTR_CODE16);
	put_desc(GDT + DATA32, 0x300, 0xfffff, V3_SEG_ATTR_DATA32 & ~V3_SEG_ACCESSED);
	put_desc(GDT + READ_ONLY, 0, 0xfffff, V3_SEG_ATTR_DATA32 & ~V3_SEG_WRITABLE);
	put_desc(GDT + ABSENT, 0, 0xfffff, V3_SEG_ATTR_DATA32 & ~V3_SEG_P);
	put_desc(GDT + ABSENT_CODE, 0, 0xfffff, V3_SEG_ATTR_CODE32 & ~V3_SEG_P);
	put_desc(GDT + CONFORMING, 0, 0xfffff, V3_SEG_ATTR_CODE32 | V3_SEG_CONFORMING);
	put_desc(GDT + CODE_DPL3, 0, 0xfffff, V3_SEG_ATTR_CODE32 | V3_SEG_DPL_MASK);
	put_desc(GDT + DATA_DPL3, 0, 0xfffff, V3_SEG_ATTR_DATA32 | V3_SEG_DPL_MASK);
	put_desc(GDT + TSS, 0, 0x67, V3_SEG_P | V3_SEG_TYPE_TSS);
	put_desc(GDT + CALL_GATE, 0, 0, V3_SEG_P | V3_SEG_TYPE_CALL);
	put_desc(GDT + EXECUTE_ONLY, 0, 0xfffff, V3_SEG_ATTR_CODE32 & ~V3_SEG_READABLE);
	put_desc(GDT + SMALL, 0, 0xfff, V3_SEG_ATTR_CODE32 & ~V3_SEG_G);
	put_desc(GDT + LDT_SEL, LDT, 0xf, V3_SEG_ATTR_LDT);
	put_desc(GDT + ABSENT_STACK, 0, 0xfffff, V3_SEG_ATTR_DATA32 & ~V3_SEG_P);
	put_desc(GDT + CODE64, 0, 0xfffff, V3_SEG_ATTR_CODE64);
	put_desc(GDT + CODE64_32, 0, 0xfffff, V3_SEG_ATTR_CODE64 | V3_SEG_DB);
}

/* --- Real mode --- */

static void test_real_far(void **state)
{
	begin_real();
	OK(0xea, 0x34, 0x12, 0x00, 0x20);		/* jmp 2000:1234 */
	assert_int_equal(w.regs.rip, 0x1234);
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, 0x2000);
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x20000);
	assert_int_equal(w.regs.seg[V3_SEG_CS].limit, 0xffff);
	assert_true(cpu.changed);
	OK(0x9a, 0x00, 0x01, 0x00, 0x30);		/* call 3000:0100 */
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x30000);
	assert_int_equal(w.regs.rip, 0x100);
	assert_int_equal(w.gpr[RSP], 0x7ffc);
	assert_int_equal(world_get(&w, 0x17ffc, 2), 0x1239);
	assert_int_equal(world_get(&w, 0x17ffe, 2), 0x2000);
	OK(0xcb);					/* retf */
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, 0x2000);
	assert_int_equal(w.regs.rip, 0x1239);
	assert_int_equal(w.gpr[RSP], 0x8000);
	OK(0x66, 0x9a, 0x00, 0x01, 0x00, 0x00, 0x00, 0x30);	/* with 32-bit offset */
	assert_int_equal(w.gpr[RSP], 0x7ff8);
	assert_int_equal(world_get(&w, 0x17ff8, 4), 0x1241);
	OK(0x66, 0xca, 0x10, 0x00);			/* retf 16 */
	assert_int_equal(w.gpr[RSP], 0x8010);
	assert_int_equal(w.regs.rip, 0x1241);
	/* An offset that is not in the segment. */
	FAULT(V3_EXCP_GP, 0, 0x66, 0xea, 0x00, 0x00, 0x01, 0x00, 0x00, 0x20);
	assert_false(w.ctx.fault.has_error);
	/* Through memory. */
	world_put(&w, 0x500, 4, 0x40000042);
	OK(0xff, 0x2e, 0x00, 0x05);			/* jmp far [0x500] */
	assert_int_equal(w.regs.rip, 0x42);
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, 0x4000);
	OK(0xff, 0x1e, 0x00, 0x05);			/* call far [0x500] */
	assert_int_equal(world_get(&w, 0x1800c, 2), 0x46);
	assert_int_equal(w.gpr[RSP], 0x800c);
}

static void test_real_segments(void **state)
{
	begin_real();
	w.regs.seg[V3_SEG_ES].limit = 0xffffffff;	/* "unreal": stays */
	w.gpr[RAX] = 0xffff1234;
	OK(0x8e, 0xc0);					/* mov es, ax */
	assert_int_equal(w.regs.seg[V3_SEG_ES].base, 0x12340);
	assert_int_equal(w.regs.seg[V3_SEG_ES].limit, 0xffffffff);
	assert_false(cpu.shadow);
	OK(0x8e, 0xd0);					/* mov ss, ax */
	assert_true(cpu.shadow && cpu.no_trap);
	begin_real();
	world_put(&w, 0x18000, 2, 0x2222);
	OK(0x17);					/* pop ss: the pop is from the old one */
	assert_int_equal(w.gpr[RSP], 0x8002);
	assert_int_equal(w.regs.seg[V3_SEG_SS].base, 0x22220);
	assert_true(cpu.shadow);
	begin_real();
	world_put(&w, 0x18000, 4, 0x99993333);
	OK(0x66, 0x0f, 0xa1);				/* pop fs of 32 bits */
	assert_int_equal(w.gpr[RSP], 0x8004);
	assert_int_equal(w.regs.seg[V3_SEG_FS].selector, 0x3333);
	OK(0x0f, 0xa0);					/* push fs */
	assert_int_equal(world_get(&w, 0x18002, 2), 0x3333);
	w.regs.seg[V3_SEG_DS].selector = 0x77;
	OK(0x1e);					/* push ds */
	assert_int_equal(world_get(&w, 0x18000, 2), 0x77);
	OK(0x07);					/* pop es */
	assert_int_equal(w.regs.seg[V3_SEG_ES].base, 0x770);
	/* A segment that was null in protected mode has its 64 KiB again. */
	w.regs.seg[V3_SEG_GS] = (struct v3_emul_seg){ 0 };
	OK(0x8e, 0xe8);					/* mov gs, ax */
	assert_int_equal(w.regs.seg[V3_SEG_GS].attrib, V3_SEG_ATTR_DATA16);
	assert_int_equal(w.regs.seg[V3_SEG_GS].limit, 0xffff);
}

static void test_real_load_far(void **state)
{
	static const struct {
		uint8_t bytes[6], len, seg;
	} forms[] = {
		{ { 0xc4, 0x0e, 0x00, 0x06 }, 4, V3_SEG_ES }, { { 0xc5, 0x0e, 0x00, 0x06 }, 4, V3_SEG_DS },
		{ { 0x0f, 0xb2, 0x0e, 0x00, 0x06 }, 5, V3_SEG_SS },
		{ { 0x0f, 0xb4, 0x0e, 0x00, 0x06 }, 5, V3_SEG_FS },
		{ { 0x0f, 0xb5, 0x0e, 0x00, 0x06 }, 5, V3_SEG_GS },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		begin_real();
		world_put(&w, 0x600, 4, 0x4321abcd);
		assert_int_equal(run_bytes(forms[i].bytes, forms[i].len), V3_EMUL_OK);
		assert_int_equal(w.gpr[RCX], 0xabcd);
		assert_int_equal(w.regs.seg[forms[i].seg].base, 0x43210);
	}
	/* All of the pointer has to be within the segment. */
	begin_real();
	w.regs.seg[V3_SEG_DS].limit = 0x602;
	FAULT(V3_EXCP_GP, 0, 0xc5, 0x0e, 0x00, 0x06);
}

static void test_real_int(void **state)
{
	begin_real();
	world_put(&w, IVT + 4 * 0x21, 4, 0x05000123);
	w.regs.seg[V3_SEG_CS].selector = 0xabc;
	w.regs.rflags |= V3_RFLAGS_IF | V3_RFLAGS_TF | V3_RFLAGS_CF;
	OK(0xcd, 0x21);
	assert_int_equal(w.regs.rip, 0x123);
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x5000);
	assert_int_equal(w.gpr[RSP], 0x7ffa);
	assert_int_equal(world_get(&w, 0x17ffa, 2), WORLD_RIP + 2);
	assert_int_equal(world_get(&w, 0x17ffc, 2), 0xabc);
	assert_int_equal(world_get(&w, 0x17ffe, 2), 0x303);
	assert_int_equal(w.regs.rflags, V3_RFLAGS_FIXED1 | V3_RFLAGS_CF);
	assert_true(cpu.no_trap);
	OK(0xcf);					/* iret */
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, 0xabc);
	assert_int_equal(w.regs.rflags, 0x303);
	assert_int_equal(w.gpr[RSP], 0x8000);
	assert_true(cpu.iret && !cpu.no_trap);
	/* INT3; INTO only with OF. */
	world_put(&w, IVT + 4 * 3, 4, 0x00000333);
	world_put(&w, IVT + 4 * 4, 4, 0x00000444);
	OK(0xcc);
	assert_int_equal(w.regs.rip, 0x333);
	OK(0xce);
	assert_int_equal(w.regs.rip, 0x334);
	w.regs.rflags |= V3_RFLAGS_OF;
	OK(0xce);
	assert_int_equal(w.regs.rip, 0x444);
	/* A vector that the table does not have, a stack that ends. */
	cpu.idt.limit = 4 * 0x21 + 2;
	FAULT(V3_EXCP_GP, 0, 0xcd, 0x21);
	cpu.idt.limit = 0x3ff;
	w.gpr[RSP] = 3;
	FAULT(V3_EXCP_SS, 0, 0xcd, 0x21);
}

static void test_real_event(void **state)
{
	begin_real();
	cpu.idt.base = 0x400;
	world_put(&w, 0x400 + 4 * 8, 4, 0x10002000);
	w.regs.rflags |= V3_RFLAGS_IF | V3_RFLAGS_AC;
	assert_int_equal(v3_emul_real_event(&cpu, 8), V3_EMUL_OK);
	assert_int_equal(w.regs.rip, 0x2000);
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x10000);
	/* Back to the instruction, not behind it. */
	assert_int_equal(world_get(&w, 0x17ffa, 2), WORLD_RIP);
	assert_int_equal(w.regs.rflags, V3_RFLAGS_FIXED1);
	cpu.idt.limit = 0;
	assert_int_equal(v3_emul_real_event(&cpu, 8), V3_EMUL_FAULT);
	assert_int_equal(w.ctx.fault.vector, V3_EXCP_GP);
	assert_false(w.ctx.fault.has_error);
}

static void test_flags(void **state)
{
	begin_real();
	world_put(&w, 0x18000, 4, 0xffffffff);
	OK(0x9d);					/* popf: no reserved bit gets in */
	assert_int_equal(w.regs.rflags, 0x7fd7);
	OK(0xfa);
	assert_false(w.regs.rflags & V3_RFLAGS_IF);
	OK(0xfb);					/* sti: a shadow if IF was 0 */
	assert_true(cpu.shadow && !cpu.no_trap);
	OK(0xfb);
	assert_false(cpu.shadow);
	OK(0x9c);
	assert_int_equal(world_get(&w, 0x18000, 2), 0x7fd7);
	world_put(&w, 0x18000, 4, 0xffffffff);
	OK(0x66, 0x9d);					/* popfd: AC and ID, but not VM, VIF, VIP, RF */
	assert_int_equal(w.regs.rflags, 0x247fd7);
	w.regs.rflags |= V3_RFLAGS_RF;
	OK(0x66, 0x9c);					/* pushfd shows no RF */
	assert_int_equal(world_get(&w, 0x18000, 4), 0x247fd7);
	/* iretd: RF can be set */
	begin_real();
	world_put(&w, 0x18000, 4, 0x1111);
	world_put(&w, 0x18004, 4, 0x2222);
	world_put(&w, 0x18008, 4, 0xffffffff);
	OK(0x66, 0xcf);
	assert_int_equal(w.regs.rflags, 0x257fd7);
	assert_int_equal(w.regs.rip, 0x1111);
}

static void test_real_tables(void **state)
{
	begin_real();
	world_put(&w, 0x700, 2, 0x0fff);
	world_put(&w, 0x702, 4, 0x12345678);
	OK(0x0f, 0x01, 0x16, 0x00, 0x07);		/* lgdt [0x700]: 24 bits of base */
	assert_int_equal(cpu.gdt.limit, 0xfff);
	assert_int_equal(cpu.gdt.base, 0x345678);
	OK(0x66, 0x0f, 0x01, 0x1e, 0x00, 0x07);		/* lidtl [0x700] */
	assert_int_equal(cpu.idt.base, 0x12345678);
	OK(0x0f, 0x01, 0x0e, 0x10, 0x07);		/* sidt [0x710] */
	assert_int_equal(world_get(&w, 0x710, 2), 0xfff);
	assert_int_equal(world_get(&w, 0x712, 4), 0x12345678);
	OK(0x0f, 0x01, 0x06, 0x20, 0x07);		/* sgdt [0x720] */
	assert_int_equal(world_get(&w, 0x722, 4), 0x345678);
	w.regs.seg[V3_SEG_DS].limit = 0x704;
	FAULT(V3_EXCP_GP, 0, 0x0f, 0x01, 0x16, 0x00, 0x07);
	/* Neither TR nor LDTR, LAR or LSL in real mode. */
	FAULT(V3_EXCP_UD, 0, 0x0f, 0x00, 0xd8);
	FAULT(V3_EXCP_UD, 0, 0x0f, 0x02, 0xc0);
	FAULT(V3_EXCP_UD, 0, 0x0f, 0x03, 0xc0);
}

static void test_status_word(void **state)
{
	begin_real();
	w.regs.cr0 = V3_CR0_ET | V3_CR0_TS | V3_CR0_CD;
	OK(0x0f, 0x01, 0xe0);				/* smsw ax */
	assert_int_equal(w.gpr[RAX], 0x18);
	OK(0x66, 0x0f, 0x01, 0xe0);			/* smsw eax */
	assert_int_equal(w.gpr[RAX], 0x40000018);
	OK(0x0f, 0x01, 0x26, 0x00, 0x05);		/* smsw [0x500]: a word */
	assert_int_equal(world_get(&w, 0x500, 4), 0x18);
	w.gpr[RAX] = 0xfff1;
	assert_false(cpu.changed);
	OK(0x0f, 0x01, 0xf0);				/* lmsw ax: PE, without TS */
	assert_int_equal(w.regs.cr0, V3_CR0_ET | V3_CR0_CD | V3_CR0_PE);
	assert_true(cpu.changed);
	w.gpr[RAX] = V3_CR0_EM;
	OK(0x0f, 0x01, 0xf0);				/* PE stays */
	assert_int_equal(w.regs.cr0, V3_CR0_ET | V3_CR0_CD | V3_CR0_EM | V3_CR0_PE);
	/* The prefetched code of real mode goes on in protected mode. */
	assert_int_equal(v3_emul_mode(&w.regs), V3_INSN_MODE_16);
}

static void test_branches(void **state)
{
	begin_real();
	OK(0xeb, 0x10);
	assert_int_equal(w.regs.rip, WORLD_RIP + 0x12);
	OK(0xe9, 0x00, 0xf0);				/* wraps around 64 KiB */
	assert_int_equal(w.regs.rip, (WORLD_RIP + 0x15 + 0xf000) & 0xffff);
	w.regs.rip = WORLD_RIP;
	OK(0x74, 0x10);					/* jz: not taken, taken */
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	w.regs.rflags |= V3_RFLAGS_ZF;
	OK(0x0f, 0x84, 0x00, 0x10);
	assert_int_equal(w.regs.rip, WORLD_RIP + 0x1006);
	/* Behind the limit: nothing of LOOP is done either. */
	w.regs.rip = WORLD_RIP;
	w.regs.seg[V3_SEG_CS].limit = WORLD_RIP + 0x20;
	w.gpr[RCX] = 5;
	FAULT(V3_EXCP_GP, 0, 0xeb, 0x7f);
	FAULT(V3_EXCP_GP, 0, 0xe2, 0x7f);
	OK(0xe2, 0x10);
	assert_int_equal(w.gpr[RCX], 4);
	w.regs.rip = WORLD_RIP;
	w.gpr[RCX] = 0xffff0001;			/* loop by CX: 0 afterwards */
	OK(0xe2, 0x10);
	assert_int_equal(w.regs.rip, WORLD_RIP + 2);
	assert_int_equal(w.gpr[RCX], 0xffff0000);
	OK(0xe3, 0x02);					/* jcxz */
	assert_int_equal(w.regs.rip, WORLD_RIP + 6);
	OK(0x67, 0xe3, 0x02);				/* jecxz: it is not */
	assert_int_equal(w.regs.rip, WORLD_RIP + 9);
	w.gpr[RCX] = 3;
	OK(0xe0, 0x02);					/* loopne: ZF is set */
	assert_int_equal(w.regs.rip, WORLD_RIP + 11);
	assert_int_equal(w.gpr[RCX], 2);
	OK(0xe1, 0x02);					/* loope */
	assert_int_equal(w.regs.rip, WORLD_RIP + 15);
	/* call, ret 4 */
	OK(0xe8, 0x00, 0x00);
	world_put(&w, 0x17ffe, 2, WORLD_RIP);
	OK(0xc2, 0x04, 0x00);
	assert_int_equal(w.regs.rip, WORLD_RIP);
	assert_int_equal(w.gpr[RSP], 0x8004);
}

static void test_frames(void **state)
{
	begin_real();
	for (int i = 0; i < 8; i++)
		w.gpr[i] = i == RSP ? 0x8000 : 0x1111u * (unsigned int)i;
	OK(0x60);					/* pusha */
	assert_int_equal(w.gpr[RSP], 0x7ff0);
	assert_int_equal(world_get(&w, 0x17ff6, 2), 0x8000);	/* SP as it was */
	assert_int_equal(world_get(&w, 0x17ff0, 2), 0x7777);
	world_put(&w, 0x17ffe, 2, 0xaaaa);
	OK(0x61);					/* popa: but for SP */
	assert_int_equal(w.gpr[RSP], 0x8000);
	assert_int_equal(w.gpr[RAX], 0xaaaa);
	/* enter 0x10, 0; leave */
	w.gpr[RBP] = 0x1234;
	OK(0xc8, 0x10, 0x00, 0x00);
	assert_int_equal(w.gpr[RBP], 0x7ffe);
	assert_int_equal(w.gpr[RSP], 0x7fee);
	assert_int_equal(world_get(&w, 0x17ffe, 2), 0x1234);
	OK(0xc9);
	assert_int_equal(w.gpr[RBP], 0x1234);
	assert_int_equal(w.gpr[RSP], 0x8000);
	/* enter 4, 2: the outer frame's pointer and its own are copied. */
	w.gpr[RBP] = 0x6000;
	world_put(&w, 0x15ffe, 2, 0xbeef);
	OK(0xc8, 0x04, 0x00, 0x02);
	assert_int_equal(world_get(&w, 0x17ffe, 2), 0x6000);
	assert_int_equal(world_get(&w, 0x17ffc, 2), 0xbeef);
	assert_int_equal(world_get(&w, 0x17ffa, 2), 0x7ffe);
	assert_int_equal(w.gpr[RBP], 0x7ffe);
	assert_int_equal(w.gpr[RSP], 0x7ff6);
	/* No room below. */
	w.gpr[RSP] = 1;
	FAULT(V3_EXCP_SS, 0, 0x60);
	FAULT(V3_EXCP_SS, 0, 0xc8, 0x00, 0x00, 0x00);
}

static void test_xlat(void **state)
{
	begin_real();
	world_put(&w, 0x710, 1, 0x5a);
	w.gpr[RBX] = 0x700;
	w.gpr[RAX] = 0xff10;
	OK(0xd7);
	assert_int_equal(w.gpr[RAX], 0xff5a);
	FAULT(V3_EXCP_DE, 0, 0xd4, 0x00);		/* aam 0 */
	FAULT(V3_EXCP_UD, 0, 0x0f, 0x0b);
}

/* --- Protected mode --- */

static void test_protected_jump(void **state)
{
	begin_protected(V3_INSN_MODE_16);
	OK(0x66, 0xea, 0x00, 0x40, 0x00, 0x00, CODE32, 0x00);
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, CODE32);
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x100);
	assert_int_equal(w.regs.seg[V3_SEG_CS].limit, 0xffffffff);
	assert_int_equal(w.regs.seg[V3_SEG_CS].attrib, V3_SEG_ATTR_CODE32);
	assert_int_equal(w.regs.rip, 0x4000);
	assert_int_equal(v3_emul_mode(&w.regs), V3_INSN_MODE_32);
	/* It is marked as accessed. */
	assert_int_equal(world_get(&w, GDT + CODE32 + 5, 1), V3_SEG_ATTR_CODE32 & 0xff);
	/* The RPL does not count, but for the check; CS has the CPL. */
	OK(0xea, 0x00, 0x40, 0x00, 0x00, CODE16, 0x00);
	assert_int_equal(v3_emul_mode(&w.regs), V3_INSN_MODE_16);
	begin_protected(V3_INSN_MODE_32);
	OK(0xea, 0x00, 0x40, 0x00, 0x00, CONFORMING | 3, 0x00);
	assert_int_equal(w.regs.seg[V3_SEG_CS].selector, CONFORMING);
}

#define JUMP(sel) 0xea, 0x00, 0x40, 0x00, 0x00, (sel), 0x00

static void test_protected_jump_faults(void **state)
{
	begin_protected(V3_INSN_MODE_32);
	FAULT(V3_EXCP_GP, 0, JUMP(NONE));
	FAULT(V3_EXCP_GP, 0, JUMP(NONE | 3));
	FAULT(V3_EXCP_GP, BEYOND, JUMP(BEYOND));
	assert_true(w.ctx.fault.has_error);
	FAULT(V3_EXCP_GP, DATA32, JUMP(DATA32));
	FAULT(V3_EXCP_GP, CODE32, JUMP(CODE32 | 1));
	FAULT(V3_EXCP_GP, CODE_DPL3, JUMP(CODE_DPL3));
	FAULT(V3_EXCP_NP, ABSENT_CODE, JUMP(ABSENT_CODE));
	FAULT(V3_EXCP_GP, LDT_SEL, JUMP(LDT_SEL));
	FAULT(V3_EXCP_GP, 0, JUMP(SMALL));	/* 0x4000 is behind its end */
	FAULT(V3_EXCP_GP, CODE32 | 4, JUMP(CODE32 | 4));	/* there is no LDT */
	/* Not for us, but no fault either. */
	UNHANDLED(JUMP(TSS));
	UNHANDLED(JUMP(CALL_GATE));
	/* A table that is not there. */
	cpu.gdt.base = WORLD_MEM;
	FAULT(V3_EXCP_PF, 0, JUMP(CODE32));
}

static void test_ldt(void **state)
{
	begin_protected(V3_INSN_MODE_32);
	cpu.ldt = (struct v3_emul_seg){ LDT_SEL, V3_SEG_ATTR_LDT, 0xf, LDT };
	put_desc(LDT + 8, 0x500, 0xfffff, V3_SEG_ATTR_CODE32);
	OK(JUMP(8 | 4));
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x500);
	FAULT(V3_EXCP_GP, 0x14, JUMP(0x10 | 4));
}

static void load_seg(uint8_t reg, uint16_t selector)
{
	w.gpr[RAX] = selector;
	OK(0x8e, (uint8_t)(0xc0 | reg << 3));
}

#define LOAD_FAULT(reg, sel, vec, err) do { \
	w.gpr[RAX] = (sel); \
	FAULT((vec), (err), 0x8e, (uint8_t)(0xc0 | (reg) << 3)); \
} while (0)

static void test_protected_load(void **state)
{
	static const uint8_t data[] = { V3_SEG_ES, V3_SEG_DS, V3_SEG_FS, V3_SEG_GS };

	for (size_t i = 0; i < sizeof(data); i++) {
		uint8_t reg = data[i];

		begin_protected(V3_INSN_MODE_32);
		load_seg(reg, DATA32);
		assert_int_equal(w.regs.seg[reg].base, 0x300);
		assert_int_equal(w.regs.seg[reg].attrib, V3_SEG_ATTR_DATA32);
		assert_int_equal(world_get(&w, GDT + DATA32 + 5, 1), V3_SEG_ATTR_DATA32 & 0xff);
		load_seg(reg, DATA_DPL3 | 3);
		load_seg(reg, READ_ONLY);
		load_seg(reg, CODE32);
		load_seg(reg, CONFORMING | 3);
		load_seg(reg, NONE | 3);
		assert_int_equal(w.regs.seg[reg].attrib, 0);
		assert_int_equal(w.regs.seg[reg].selector, 3);
		LOAD_FAULT(reg, DATA32 | 1, V3_EXCP_GP, DATA32);
		LOAD_FAULT(reg, EXECUTE_ONLY, V3_EXCP_GP, EXECUTE_ONLY);
		LOAD_FAULT(reg, TSS, V3_EXCP_GP, TSS);
		LOAD_FAULT(reg, ABSENT, V3_EXCP_NP, ABSENT);
		LOAD_FAULT(reg, BEYOND, V3_EXCP_GP, BEYOND);
	}
	begin_protected(V3_INSN_MODE_32);
	load_seg(V3_SEG_SS, DATA32);
	assert_true(cpu.shadow);
	LOAD_FAULT(V3_SEG_SS, NONE, V3_EXCP_GP, 0);
	LOAD_FAULT(V3_SEG_SS, DATA32 | 1, V3_EXCP_GP, DATA32);
	LOAD_FAULT(V3_SEG_SS, DATA_DPL3, V3_EXCP_GP, DATA_DPL3);
	LOAD_FAULT(V3_SEG_SS, READ_ONLY, V3_EXCP_GP, READ_ONLY);
	LOAD_FAULT(V3_SEG_SS, CODE32, V3_EXCP_GP, CODE32);
	LOAD_FAULT(V3_SEG_SS, ABSENT_STACK, V3_EXCP_SS, ABSENT_STACK);
}

static void test_protected_return(void **state)
{
	begin_protected(V3_INSN_MODE_32);
	w.gpr[RSP] = 0x8000;
	world_put(&w, 0x8000, 4, 0x4444);
	world_put(&w, 0x8004, 4, CODE32);
	world_put(&w, 0x8008, 4, 0xffff & ~(uint32_t)V3_RFLAGS_NT);
	OK(0xcf);
	assert_int_equal(w.regs.rip, 0x4444);
	assert_int_equal(w.regs.seg[V3_SEG_CS].base, 0x100);
	assert_int_equal(w.regs.rflags, 0x3fd7);
	assert_int_equal(w.gpr[RSP], 0x800c);
	/* To an outer level, to virtual-8086 mode, to another task. */
	w.gpr[RSP] = 0x8000;
	world_put(&w, 0x8004, 4, CODE_DPL3 | 3);
	UNHANDLED(0xcf);
	UNHANDLED(0xcb);
	world_put(&w, 0x8004, 4, CODE32);
	world_put(&w, 0x8008, 4, V3_RFLAGS_VM);
	UNHANDLED(0xcf);
	w.regs.rflags |= V3_RFLAGS_NT;
	UNHANDLED(0xcf);
	w.regs.rflags &= ~V3_RFLAGS_NT;
	assert_int_equal(w.gpr[RSP], 0x8000);
	/* Faults */
	world_put(&w, 0x8004, 4, NONE);
	FAULT(V3_EXCP_GP, 0, 0xcb);
	world_put(&w, 0x8004, 4, DATA32);
	FAULT(V3_EXCP_GP, DATA32, 0xcb);
	world_put(&w, 0x8004, 4, CALL_GATE);
	FAULT(V3_EXCP_GP, CALL_GATE, 0xcb);
	world_put(&w, 0x8004, 4, CODE_DPL3);
	FAULT(V3_EXCP_GP, CODE_DPL3, 0xcb);
	world_put(&w, 0x8004, 4, ABSENT_CODE);
	FAULT(V3_EXCP_NP, ABSENT_CODE, 0xcb);
	world_put(&w, 0x8004, 4, CONFORMING);
	OK(0xcb);
	/* A far call and its return. */
	w.gpr[RSP] = 0x8000;
	OK(0x9a, 0x00, 0x50, 0x00, 0x00, CODE32, 0x00);
	assert_int_equal(w.gpr[RSP], 0x7ff8);
	assert_int_equal(world_get(&w, 0x7ffc, 4), CONFORMING);
	/* No INT n there. */
	UNHANDLED(0xcd, 0x80);
	assert_int_equal(v3_emul_real_event(&cpu, 0), V3_EMUL_FAULT);
}

/* From compatibility mode to 64-bit code, which has no limit and no default size. */
static void test_to_64(void **state)
{
	begin_protected(V3_INSN_MODE_32);
	w.regs.efer = V3_EFER_LME | V3_EFER_LMA;
	FAULT(V3_EXCP_GP, CODE64_32, JUMP(CODE64_32));
	OK(JUMP(CODE64));
	assert_int_equal(v3_emul_mode(&w.regs), V3_INSN_MODE_64);
	/* None of its instructions is ours. */
	UNHANDLED(0xeb, 0x00);
	begin_protected(V3_INSN_MODE_32);
	OK(JUMP(CODE64_32));				/* L means nothing without long mode */
}

/* RSP of the outer code's size counts: B of SS. */
static void test_stack_size(void **state)
{
	begin_protected(V3_INSN_MODE_32);
	w.regs.seg[V3_SEG_SS].attrib = V3_SEG_ATTR_DATA16;
	w.gpr[RSP] = 0x12340002;
	world_put(&w, 0x0002, 4, 0x5555);
	OK(0xc3);
	assert_int_equal(w.regs.rip, 0x5555);
	assert_int_equal(w.gpr[RSP], 0x12340006);
	w.gpr[RSP] = 0x12340000;
	OK(0x60);
	assert_int_equal(w.gpr[RSP], 0x1234ffe0);
}

/* What fails in an op leaves no trace. */
static void test_failing_ops(void **state)
{
	static const struct {
		uint8_t bytes[6], len;
	} insns[] = {
		{ { 0x9a, 0, 1, 0, 0x30 }, 5 }, { { 0xcb }, 1 }, { { 0xcf }, 1 }, { { 0xcd, 3 }, 2 },
		{ { 0x60 }, 1 }, { { 0x61 }, 1 }, { { 0xc8, 1, 0, 2 }, 4 }, { { 0xc9 }, 1 },
		{ { 0x9c }, 1 }, { { 0x9d }, 1 }, { { 0x17 }, 1 }, { { 0x16 }, 1 }, { { 0xc3 }, 1 },
		{ { 0xc5, 0x0e, 0, 6 }, 4 }, { { 0x0f, 1, 0x16, 0, 7 }, 5 }, { { 0x0f, 1, 6, 0, 7 }, 5 },
		{ { 0xff, 0x2e, 0, 6 }, 4 }, { { 0x0f, 1, 0x36, 0, 7 }, 5 }, { { 0xd7 }, 1 },
		{ { 0x8e, 0x1e, 0, 6 }, 4 },
	};

	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		uint32_t at = 1;
		enum v3_emul_result res;

		do {
			struct v3_emul_regs before;
			uint64_t gpr[16];

			begin_real();
			w.fail_at = at;
			w.fail_with = V3_EMUL_STOP;
			before = w.regs;
			memcpy(gpr, w.gpr, sizeof(gpr));
			res = run_bytes(insns[i].bytes, insns[i].len);
			if (res == V3_EMUL_OK)
				break;
			assert_int_equal(res, V3_EMUL_STOP);
			assert_memory_equal(&before, &w.regs, sizeof(before));
			assert_memory_equal(gpr, w.gpr, sizeof(gpr));
			assert_false(cpu.changed);
			at++;
		} while (at < 32);
		assert_in_range(at, 2, 31);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_far),
		cmocka_unit_test(test_real_segments),
		cmocka_unit_test(test_real_load_far),
		cmocka_unit_test(test_real_int),
		cmocka_unit_test(test_real_event),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_real_tables),
		cmocka_unit_test(test_status_word),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_xlat),
		cmocka_unit_test(test_protected_jump),
		cmocka_unit_test(test_protected_jump_faults),
		cmocka_unit_test(test_ldt),
		cmocka_unit_test(test_protected_load),
		cmocka_unit_test(test_protected_return),
		cmocka_unit_test(test_to_64),
		cmocka_unit_test(test_stack_size),
		cmocka_unit_test(test_failing_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
