/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoder: hand-made instructions with every field that their users look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul/decode.h"

#define NONE V3_INSN_NO_REG

struct expected {
	const char *text;
	enum v3_insn_mode mode;
	uint8_t bytes[15];
	uint8_t length;
	enum v3_insn_map map;
	uint8_t opcode;
	uint16_t flags;		/* exactly these */
	uint8_t opsize, addrsize, seg;
	uint8_t base, index, scale;
	int64_t disp;
	uint64_t imm;
};

#define M16 V3_INSN_MODE_16
#define M32 V3_INSN_MODE_32
#define M64 V3_INSN_MODE_64
#define MEM (V3_INSN_MODRM | V3_INSN_MEM)
#define DS V3_SEG_DS
#define SS V3_SEG_SS

static const struct expected table[] = {
	{ "mov eax, [rdi]", M64, { 0x8b, 0x07 }, 2, V3_MAP_ONE, 0x8b, MEM,
	  4, 8, DS, 7, NONE, 0, 0, 0 },
	{ "mov [r8+0x10], r9d", M64, { 0x45, 0x89, 0x48, 0x10 }, 4, V3_MAP_ONE, 0x89,
	  MEM | V3_INSN_REX, 4, 8, DS, 8, NONE, 0, 0x10, 0 },
	{ "mov rax, [rsp-8]", M64, { 0x48, 0x8b, 0x44, 0x24, 0xf8 }, 5, V3_MAP_ONE, 0x8b,
	  MEM | V3_INSN_REX, 8, 8, SS, 4, NONE, 0, -8, 0 },
	{ "mov al, [r13+r12*4+0]", M64, { 0x43, 0x8a, 0x44, 0xa5, 0 }, 5, V3_MAP_ONE, 0x8a,
	  MEM | V3_INSN_REX | V3_INSN_BYTE_OP, 1, 8, DS, 13, 12, 2, 0, 0 },
	{ "mov dword [rax+0xb0], 0", M64, { 0xc7, 0x80, 0xb0, 0, 0, 0, 0, 0, 0, 0 }, 10,
	  V3_MAP_ONE, 0xc7, MEM, 4, 8, DS, 0, NONE, 0, 0xb0, 0 },
	{ "mov qword [rbp-1], -2", M64, { 0x48, 0xc7, 0x45, 0xff, 0xfe, 0xff, 0xff, 0xff }, 8,
	  V3_MAP_ONE, 0xc7, MEM | V3_INSN_REX, 8, 8, SS, 5, NONE, 0, -1, (uint64_t)-2 },
	{ "mov eax, [rip+0x1000]", M64, { 0x8b, 0x05, 0, 0x10, 0, 0 }, 6, V3_MAP_ONE, 0x8b,
	  MEM | V3_INSN_RIP_REL, 4, 8, DS, NONE, NONE, 0, 0x1000, 0 },
	{ "mov eax, [0xfee00020]", M32, { 0x8b, 0x05, 0x20, 0, 0xe0, 0xfe }, 6, V3_MAP_ONE, 0x8b,
	  MEM, 4, 4, DS, NONE, NONE, 0, (int32_t)0xfee00020, 0 },
	{ "mov eax, [abs 32]", M64, { 0x8b, 0x04, 0x25, 0x20, 0, 0xe0, 0x7e }, 7, V3_MAP_ONE,
	  0x8b, MEM, 4, 8, DS, NONE, NONE, 0, 0x7ee00020, 0 },
	{ "movabs al, [moffs64]", M64, { 0xa0, 1, 2, 3, 4, 5, 6, 7, 0x88 }, 9, V3_MAP_ONE, 0xa0,
	  V3_INSN_MEM | V3_INSN_MOFFS | V3_INSN_BYTE_OP, 1, 8, DS, NONE, NONE, 0,
	  (int64_t)0x8807060504030201, 0 },
	{ "mov [moffs32], eax", M32, { 0xa3, 0, 0, 0, 0xfe }, 5, V3_MAP_ONE, 0xa3,
	  V3_INSN_MEM | V3_INSN_MOFFS, 4, 4, DS, NONE, NONE, 0, 0xfe000000, 0 },
	{ "mov ax, [bx+si]", M16, { 0x8b, 0x00 }, 2, V3_MAP_ONE, 0x8b, MEM,
	  2, 2, DS, 3, 6, 0, 0, 0 },
	{ "mov ax, [bp+di+2]", M16, { 0x8b, 0x43, 2 }, 3, V3_MAP_ONE, 0x8b, MEM,
	  2, 2, SS, 5, 7, 0, 2, 0 },
	{ "mov ax, [0x8000]", M16, { 0x8b, 0x06, 0, 0x80 }, 4, V3_MAP_ONE, 0x8b, MEM,
	  2, 2, DS, NONE, NONE, 0, -0x8000, 0 },
	{ "mov eax, [eax+4]", M16, { 0x66, 0x67, 0x8b, 0x40, 4 }, 5, V3_MAP_ONE, 0x8b,
	  MEM | V3_INSN_OPSIZE | V3_INSN_ADDRSIZE, 4, 4, DS, 0, NONE, 0, 4, 0 },
	{ "mov gs:[eax], cl", M64, { 0x65, 0x67, 0x88, 0x08 }, 4, V3_MAP_ONE, 0x88,
	  MEM | V3_INSN_SEG_OVERRIDE | V3_INSN_ADDRSIZE | V3_INSN_BYTE_OP, 1, 4, V3_SEG_GS,
	  0, NONE, 0, 0, 0 },
	{ "mov [rbp], eax with cs", M64, { 0x2e, 0x89, 0x45, 0 }, 4, V3_MAP_ONE, 0x89, MEM,
	  4, 8, SS, 5, NONE, 0, 0, 0 },
	{ "mov cs:[ebp], eax", M32, { 0x2e, 0x89, 0x45, 0 }, 4, V3_MAP_ONE, 0x89,
	  MEM | V3_INSN_SEG_OVERRIDE, 4, 4, V3_SEG_CS, 5, NONE, 0, 0, 0 },
	{ "movzx eax, byte [rdx]", M64, { 0x0f, 0xb6, 0x02 }, 3, V3_MAP_0F, 0xb6, MEM,
	  4, 8, DS, 2, NONE, 0, 0, 0 },
	{ "lock cmpxchg16b [rsi]", M64, { 0xf0, 0x48, 0x0f, 0xc7, 0x0e }, 5, V3_MAP_0F, 0xc7,
	  MEM | V3_INSN_LOCK | V3_INSN_REX, 8, 8, DS, 6, NONE, 0, 0, 0 },
	{ "rep movsb", M64, { 0xf3, 0xa4 }, 2, V3_MAP_ONE, 0xa4, V3_INSN_REP | V3_INSN_BYTE_OP,
	  1, 8, DS, NONE, NONE, 0, 0, 0 },
	{ "rex is dropped by 66", M64, { 0x48, 0x66, 0x8b, 0x07 }, 4, V3_MAP_ONE, 0x8b,
	  MEM | V3_INSN_OPSIZE, 2, 8, DS, 7, NONE, 0, 0, 0 },
	{ "movbe [rax], rcx", M64, { 0x48, 0x0f, 0x38, 0xf1, 0x08 }, 5, V3_MAP_0F38, 0xf1,
	  MEM | V3_INSN_REX, 8, 8, DS, 0, NONE, 0, 0, 0 },
	{ "movups [rax], xmm1", M64, { 0x0f, 0x11, 0x08 }, 3, V3_MAP_0F, 0x11, MEM,
	  4, 8, DS, 0, NONE, 0, 0, 0 },
	{ "vmovdqu [r9], ymm1", M64, { 0xc4, 0xc1, 0x7e, 0x7f, 0x09 }, 5, V3_MAP_0F, 0x7f,
	  MEM | V3_INSN_VEX, 4, 8, DS, 9, NONE, 0, 0, 0 },
	{ "vzeroupper", M32, { 0xc5, 0xf8, 0x77 }, 3, V3_MAP_0F, 0x77, V3_INSN_VEX,
	  4, 4, DS, NONE, NONE, 0, 0, 0 },
	{ "vmovups [rax+0x40], zmm0", M64, { 0x62, 0xf1, 0x7c, 0x48, 0x11, 0x40, 1 }, 7,
	  V3_MAP_0F, 0x11, MEM | V3_INSN_EVEX, 4, 8, DS, 0, NONE, 0, 1, 0 },
	{ "cpuid", M64, { 0x0f, 0xa2 }, 2, V3_MAP_0F, 0xa2, 0, 4, 8, DS, NONE, NONE, 0, 0, 0 },
	{ "rep cpuid", M64, { 0xf3, 0x0f, 0xa2 }, 3, V3_MAP_0F, 0xa2, V3_INSN_REP,
	  4, 8, DS, NONE, NONE, 0, 0, 0 },
	{ "vmmcall", M64, { 0x0f, 0x01, 0xd9 }, 3, V3_MAP_0F, 0x01, V3_INSN_MODRM,
	  4, 8, DS, NONE, NONE, 0, 0, 0 },
	{ "wrmsr", M16, { 0x0f, 0x30 }, 2, V3_MAP_0F, 0x30, 0, 2, 2, DS, NONE, NONE, 0, 0, 0 },
	{ "mov cr0, eax, mod ignored", M32, { 0x0f, 0x22, 0x00 }, 3, V3_MAP_0F, 0x22,
	  V3_INSN_MODRM, 4, 4, DS, NONE, NONE, 0, 0, 0 },
	{ "mov rax, imm64", M64, { 0x48, 0xb8, 8, 7, 6, 5, 4, 3, 2, 1 }, 10, V3_MAP_ONE, 0xb8,
	  V3_INSN_REX, 8, 8, DS, NONE, NONE, 0, 0, 0x0102030405060708 },
	{ "jmp rel8", M64, { 0xeb, 0xfe }, 2, V3_MAP_ONE, 0xeb, V3_INSN_REL,
	  8, 8, DS, NONE, NONE, 0, 0, (uint64_t)-2 },
	{ "les ax, [bx]", M16, { 0xc4, 0x07 }, 2, V3_MAP_ONE, 0xc4, MEM,
	  2, 2, DS, 3, NONE, 0, 0, 0 },
	{ "pfadd mm0, [eax]", M32, { 0x0f, 0x0f, 0x00, 0x9e }, 4, V3_MAP_3DNOW, 0x9e, MEM,
	  4, 4, DS, 0, NONE, 0, 0, 0 },
};

static void test_fields(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct expected *e = &table[i];
		struct v3_insn insn;

		memset(&insn, 0xa5, sizeof(insn));
		if (v3_decode(e->bytes, 15, e->mode, &insn) != V3_DECODE_OK ||
		    insn.length != e->length || insn.map != e->map || insn.opcode != e->opcode ||
		    insn.flags != e->flags || insn.opsize != e->opsize ||
		    insn.addrsize != e->addrsize || insn.seg != e->seg || insn.base != e->base ||
		    insn.index != e->index || insn.scale != e->scale || insn.disp != e->disp ||
		    insn.imm != e->imm || insn.mode != e->mode)
			fail_msg("%s: length %u opcode %02x flags %04x sizes %u %u seg %u "
				 "address %u %u %u %llx imm %llx", e->text, insn.length,
				 insn.opcode, insn.flags, insn.opsize, insn.addrsize, insn.seg,
				 insn.base, insn.index, insn.scale,
				 (unsigned long long)insn.disp, (unsigned long long)insn.imm);
	}
}

static void test_far_and_enter(void **state)
{
	static const uint8_t far[] = { 0x9a, 0x78, 0x56, 0x34, 0x12, 0xcd, 0xab };
	static const uint8_t enter[] = { 0xc8, 0x34, 0x12, 0x05 };
	struct v3_insn insn;

	assert_int_equal(v3_decode(far, sizeof(far), M32, &insn), V3_DECODE_OK);
	assert_int_equal(insn.imm, 0x12345678);
	assert_int_equal(insn.imm2, 0xabcd);
	assert_int_equal(v3_decode(far, sizeof(far), M64, &insn), V3_DECODE_INVALID);
	assert_int_equal(v3_decode(enter, sizeof(enter), M64, &insn), V3_DECODE_OK);
	assert_int_equal(insn.imm, 0x1234);
	assert_int_equal(insn.imm2, 5);
}

static void test_vex_fields(void **state)
{
	/* vmovlps xmm9, xmm14, [rax] */
	static const uint8_t bytes[] = { 0xc5, 0x08, 0x12, 0x08 };
	struct v3_insn insn;

	assert_int_equal(v3_decode(bytes, sizeof(bytes), M64, &insn), V3_DECODE_OK);
	assert_int_equal(insn.reg, 9);
	assert_int_equal(insn.vvvv, 14);
	assert_int_equal(insn.vl, 0);
	assert_int_equal(insn.pp, 0);
}

struct rejected {
	const char *text;
	enum v3_insn_mode mode;
	uint8_t bytes[15];
	enum v3_decode_status status;
};

static const struct rejected rejects[] = {
	{ "push es", M64, { 0x06 }, V3_DECODE_INVALID },
	{ "lock mov", M64, { 0xf0, 0x89, 0x07 }, V3_DECODE_INVALID },
	{ "lock add reg", M64, { 0xf0, 0x01, 0xc0 }, V3_DECODE_INVALID },
	{ "lock cmp", M64, { 0xf0, 0x39, 0x07 }, V3_DECODE_INVALID },
	{ "lock bt", M64, { 0xf0, 0x0f, 0xba, 0x20, 1 }, V3_DECODE_INVALID },
	{ "lea reg", M64, { 0x8d, 0xc0 }, V3_DECODE_INVALID },
	{ "mov cs", M64, { 0x8e, 0x08 }, V3_DECODE_INVALID },
	{ "mov cr1", M64, { 0x0f, 0x20, 0xc8 }, V3_DECODE_INVALID },
	{ "ff /7", M64, { 0xff, 0x38 }, V3_DECODE_INVALID },
	{ "c6 /1", M64, { 0xc6, 0x08, 0 }, V3_DECODE_INVALID },
	{ "0f 04", M64, { 0x0f, 0x04 }, V3_DECODE_INVALID },
	{ "0f 38 ff", M64, { 0x0f, 0x38, 0xff, 0 }, V3_DECODE_INVALID },
	{ "66 vex", M64, { 0x66, 0xc5, 0xf8, 0x77 }, V3_DECODE_INVALID },
	{ "rex vex", M64, { 0x40, 0xc5, 0xf8, 0x77 }, V3_DECODE_INVALID },
	{ "vex map 0", M64, { 0xc4, 0xe0, 0x78, 0x10, 0 }, V3_DECODE_INVALID },
	{ "evex map 4", M64, { 0x62, 0xf4, 0x7c, 0x48, 0x11, 0 }, V3_DECODE_INVALID },
	{ "15 prefixes", M64,
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	    0x66 }, V3_DECODE_TOO_LONG },
	{ "16 bytes", M64,
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x81,
	    0xc0 }, V3_DECODE_TOO_LONG },
};

static void test_rejects(void **state)
{
	for (size_t i = 0; i < sizeof(rejects) / sizeof(rejects[0]); i++) {
		struct v3_insn insn;
		enum v3_decode_status st = v3_decode(rejects[i].bytes, 15, rejects[i].mode, &insn);

		if (st != rejects[i].status)
			fail_msg("%s: status %d", rejects[i].text, st);
		assert_int_equal(v3_insn_len(rejects[i].bytes, 15, rejects[i].mode), 0);
	}
}

static void test_truncated(void **state)
{
	static const uint8_t longest[15] = {	/* four prefixes, 81 /0 with SIB, disp32, imm32 */
		0x2e, 0x65, 0x67, 0x48, 0x81, 0x84, 0x88, 1, 2, 3, 4, 5, 6, 7, 8,
	};
	struct v3_insn insn;

	for (size_t n = 0; n < 15; n++)
		assert_int_equal(v3_decode(longest, n, M64, &insn), V3_DECODE_TRUNCATED);
	assert_int_equal(v3_decode(longest, 15, M64, &insn), V3_DECODE_OK);
	assert_int_equal(insn.length, 15);
	assert_int_equal(v3_insn_len(longest, 1000, M64), 15);
}

static void test_size(void **state)
{
	/* On the stack of every MMIO exit. */
	assert_true(sizeof(struct v3_insn) <= 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_far_and_enter),
		cmocka_unit_test(test_vex_fields),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
