/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3_emul_quick_mmio() against the decoder: what it recognizes has the same length and means the
 * same, and it recognizes every plain form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "emul/decode.h"
#include "emul/emul.h"
#include "insn_gen.h"

#define RANDOM_CASES 3000000u

static const uint8_t plain_opcodes[] = { 0x89, 0x8b, 0xc7 };

static void show(const char *what, const uint8_t *bytes)
{
	char hex[3 * GEN_BYTES + 1];

	for (int i = 0; i < GEN_BYTES; i++)
		snprintf(hex + 3 * i, 4, " %02x", bytes[i]);
	fail_msg("%s:%s", what, hex);
}

/* Field by field: what one of both leaves alone does not count. */
static const char *difference(const struct v3_emul_simple *quick,
			      const struct v3_emul_simple *full)
{
	if (quick->size != full->size)
		return "size of the access";
	if (quick->write != full->write)
		return "direction";
	if (quick->is_imm != full->is_imm)
		return "immediate or register";
	if (quick->high_byte || full->high_byte || quick->sign_extend || full->sign_extend)
		return "a byte register or a sign extension";
	if (full->is_imm)
		return quick->imm != full->imm ? "immediate" : NULL;
	if (quick->reg != full->reg)
		return "register";
	return !full->write && quick->reg_size != full->reg_size ? "size of the register" : NULL;
}

/* Compares one case; returns what the fast look made of it. */
static unsigned int compare(const uint8_t bytes[GEN_BYTES])
{
	struct v3_emul_simple quick, full;
	struct v3_insn insn;
	const char *what;
	unsigned int length;

	memset(&quick, 0xa5, sizeof(quick));
	length = v3_emul_quick_mmio(bytes, &quick);
	if (!length)
		return 0;
	if (v3_decode(bytes, V3_INSN_MAX_LEN, V3_INSN_MODE_64, &insn) != V3_DECODE_OK)
		show("no instruction for the decoder", bytes);
	if (insn.length != length)
		show("length", bytes);
	if (!v3_emul_simple_mmio(&insn, &full))
		show("no plain access for the decoder", bytes);
	what = difference(&quick, &full);
	if (what)
		show(what, bytes);
	return length;
}

static void random_bytes(void **state)
{
	struct rng r = { 0x6c69627633717569ull };
	uint8_t bytes[GEN_BYTES];
	uint64_t known = 0;

	(void)state;
	for (uint32_t i = 0; i < RANDOM_CASES; i++) {
		if (i & 1)
			gen_random(&r, bytes);
		else
			gen_structured(&r, V3_INSN_MODE_64, bytes);
		known += compare(bytes) != 0;
	}
	/* Three opcodes of 256, with memory operands in three of four cases. */
	assert_true(known > RANDOM_CASES / 500);
}

/* Every REX or none, every ModRM with a memory operand, every SIB: none may be missed. */
static void all_plain_forms(void **state)
{
	struct rng r = { 0x706c61696e666f72ull };
	uint8_t bytes[GEN_BYTES], *p;

	(void)state;
	for (size_t op = 0; op < sizeof(plain_opcodes); op++) {
		for (unsigned int i = 0; i < 17u * 0xc0 * 256; i++) {
			unsigned int rex = i % 17, modrm = i / 17 % 0xc0, sib = i / 17 / 0xc0;

			if (plain_opcodes[op] == 0xc7 && modrm & 0x38)
				continue;	/* only /0 is MOV */
			gen_random(&r, bytes);
			p = bytes;
			if (rex)
				*p++ = (uint8_t)(0x40 + rex - 1);
			*p++ = plain_opcodes[op];
			*p++ = (uint8_t)modrm;
			*p = (uint8_t)sib;
			if (!compare(bytes))
				show("not recognized", bytes);
		}
	}
}

/* What looks like it but is something else has to go to the decoder. */
static void other_forms(void **state)
{
	static const uint8_t others[][4] = {
		{ 0x66, 0x89, 0x00 },		/* 16-bit store */
		{ 0x67, 0x89, 0x00 },		/* 32-bit address */
		{ 0x64, 0x8b, 0x00 },		/* FS: */
		{ 0xf0, 0x89, 0x00 },		/* LOCK: invalid */
		{ 0x88, 0x00 },			/* bytes */
		{ 0x8a, 0x00 },
		{ 0xc6, 0x00 },
		{ 0x89, 0xc0 },			/* registers */
		{ 0x48, 0x8b, 0xc0 },
		{ 0xc7, 0xc0 },
		{ 0xc7, 0x08 },			/* C7 /1: invalid */
		{ 0x48, 0xc7, 0x38 },
		{ 0x48, 0x48, 0x89, 0x00 },	/* only the last REX counts */
		{ 0x0f, 0x89, 0x00 },		/* JNS */
	};
	struct v3_emul_simple op;
	uint8_t bytes[GEN_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, others[i], sizeof(others[i]));
		if (v3_emul_quick_mmio(bytes, &op))
			show("recognized", bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(all_plain_forms),
		cmocka_unit_test(other_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
