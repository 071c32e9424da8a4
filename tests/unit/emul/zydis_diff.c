/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder against Zydis: validity, length, and the decoded fields, over a sweep of all opcodes
 * and over random instructions. Deterministic. Zydis is used by this test only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "emul/decode.h"
#include "insn_gen.h"

#define RANDOM_CASES	400000u		/* for each mode and each generator */
#define MAX_PRINTED	20u

struct diff {
	ZydisDecoder dec[3];
	uint64_t total, both_ok, excused, wrong;
};

static void print_case(const struct diff *d, const char *what, enum v3_insn_mode mode,
		       const uint8_t *buf)
{
	if (d->wrong > MAX_PRINTED)
		return;
	print_message("%s, mode %d:", what, 16 << mode);
	for (int i = 0; i < (int)V3_INSN_MAX_LEN; i++)
		print_message(" %02x", buf[i]);
	print_message("\n");
}

/*
 * Where we differ from Zydis on purpose. Each entry is as narrow as it can be.
 *
 * Zydis accepts, we do not:
 * - Knights Corner's instructions (MVEX, and its VEX-encoded mask and scalar ones), which exist
 *   on no CPU that can run a VMM. Zydis always decodes them in 64-bit mode.
 * - VIA PadLock (0F A6, 0F A7): undefined on AMD and Intel.
 */
static bool zydis_knows_more(const ZydisDecodedInstruction *z)
{
	switch (z->meta.isa_set) {
	case ZYDIS_ISA_SET_KNCE:
	case ZYDIS_ISA_SET_KNCJKBR:
	case ZYDIS_ISA_SET_KNCSTREAM:
	case ZYDIS_ISA_SET_KNCV:
	case ZYDIS_ISA_SET_KNC_MISC:
	case ZYDIS_ISA_SET_KNC_PF_HINT:
		return true;
	case ZYDIS_ISA_SET_PADLOCK_ACE:
	case ZYDIS_ISA_SET_PADLOCK_PHE:
	case ZYDIS_ISA_SET_PADLOCK_PMM:
	case ZYDIS_ISA_SET_PADLOCK_RNG:
		return true;
	default:
		return z->encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX;
	}
}

static bool is_mpx(const struct v3_insn *insn)
{
	return v3_insn_is(insn, V3_MAP_0F, 0x1a) || v3_insn_is(insn, V3_MAP_0F, 0x1b);
}

/*
 * We accept, Zydis does not:
 * - EVEX, XOP and 3DNow: only their form is checked, not whether the opcode is assigned.
 * - 0F 1A and 0F 1B: NOP with any operand on a CPU without MPX; Zydis applies MPX's rules for
 *   bound registers and addressing.
 */
static bool we_know_more(const struct v3_insn *insn)
{
	if (insn->flags & (V3_INSN_EVEX | V3_INSN_XOP))
		return true;
	return insn->map == V3_MAP_3DNOW || is_mpx(insn);
}

/* MOV to and from control and debug registers ignore ModRM.mod; Zydis shows it as it is. */
static bool mod_ignored(const struct v3_insn *insn)
{
	return insn->map == V3_MAP_0F && insn->opcode >= 0x20 && insn->opcode <= 0x23;
}

/*
 * Is the operand size one that both mean the same by? Not for vector instructions (where we keep
 * what MOVD needs), ports (Zydis cuts 64 bits to 32 here, our users do), XLAT, XABORT.
 */
static bool opsize_matters(const struct v3_insn *insn)
{
	uint8_t op = insn->opcode;

	if (insn->map == V3_MAP_ONE)
		return op != 0xc6 && op != 0xd7 && (op & 0xf5) != 0xe5;
	if (insn->map == V3_MAP_0F && !(insn->flags & V3_INSN_VEX))
		return op == 0x00 || op == 0x02 || op == 0x03 || (op & 0xf0) == 0x40 ||
		       (op >= 0x80 && op <= 0xc1 && op != 0xae) || op == 0xc3 ||
		       (op >= 0xc8 && op <= 0xcf);
	return false;
}

static const char *compare_fields(const struct v3_insn *insn, const ZydisDecodedInstruction *z)
{
	if (insn->length != z->length)
		return "length";
	if (insn->opcode != z->opcode)
		return "opcode";
	if (!(insn->flags & V3_INSN_MODRM) != !(z->attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return "has ModRM";
	if (insn->flags & V3_INSN_MODRM) {
		if ((insn->mod != z->raw.modrm.mod && !mod_ignored(insn)) ||
		    (insn->reg & 7) != z->raw.modrm.reg || (insn->rm & 7) != z->raw.modrm.rm)
			return "ModRM";
	}
	if (insn->disp_size * 8 != z->raw.disp.size)
		return "displacement size";
	if (insn->disp_size && !(insn->flags & V3_INSN_MOFFS) && insn->disp != z->raw.disp.value)
		return "displacement";
	if (insn->imm_size * 8 != z->raw.imm[0].size)
		return "immediate size";
	if (insn->imm_size && insn->imm_size < 8) {
		uint64_t mask = (1ull << insn->imm_size * 8) - 1;

		if (((insn->imm ^ z->raw.imm[0].value.u) & mask) ||
		    insn->imm != (uint64_t)((int64_t)(insn->imm << (64 - insn->imm_size * 8)) >>
					    (64 - insn->imm_size * 8)))
			return "immediate";
	} else if (insn->imm_size && insn->imm != z->raw.imm[0].value.u) {
		return "immediate";
	}
	if ((insn->flags & V3_INSN_MEM) && !is_mpx(insn) && insn->addrsize * 8 != z->address_width)
		return "address size";
	if (opsize_matters(insn) && !(insn->flags & (V3_INSN_EVEX | V3_INSN_XOP)) &&
	    insn->opsize * 8 != z->operand_width)
		return "operand size";
	if (!(insn->flags & V3_INSN_LOCK) != !(z->attributes & ZYDIS_ATTRIB_HAS_LOCK))
		return "LOCK";
	return NULL;
}

/* Every shorter piece of an instruction is truncated, and the bytes after it do not matter. */
static const char *compare_pieces(const struct v3_insn *insn, const uint8_t *buf)
{
	struct v3_insn cut;

	for (size_t n = 0; n < insn->length; n++)
		if (v3_decode(buf, n, (enum v3_insn_mode)insn->mode, &cut) != V3_DECODE_TRUNCATED)
			return "piece not truncated";
	if (v3_insn_len(buf, insn->length, (enum v3_insn_mode)insn->mode) != insn->length)
		return "exact length";
	return NULL;
}

static void visit(void *arg, enum v3_insn_mode mode, const uint8_t *buf)
{
	struct diff *d = arg;
	struct v3_insn insn;
	ZydisDecodedInstruction z;
	const char *what = NULL;
	enum v3_decode_status st = v3_decode(buf, V3_INSN_MAX_LEN, mode, &insn);
	bool zydis_ok = ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(&d->dec[mode], NULL, buf, V3_INSN_MAX_LEN, &z));

	d->total++;
	if (st == V3_DECODE_TRUNCATED) {
		what = "truncated with 15 bytes";
	} else if (zydis_ok && st == V3_DECODE_OK) {
		d->both_ok++;
		what = compare_fields(&insn, &z);
		if (!what && d->total % 16 == 0)
			what = compare_pieces(&insn, buf);
	} else if (zydis_ok) {
		if (zydis_knows_more(&z))
			d->excused++;
		else
			what = "rejected, but Zydis accepts it";
	} else if (st == V3_DECODE_OK) {
		if (we_know_more(&insn))
			d->excused++;
		else
			what = "accepted, but Zydis rejects it";
	}
	if (what) {
		d->wrong++;
		print_case(d, what, mode, buf);
	}
}

static void init(struct diff *d)
{
	*d = (struct diff){ .total = 0 };
	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&d->dec[0], ZYDIS_MACHINE_MODE_LEGACY_16,
						  ZYDIS_STACK_WIDTH_16)));
	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&d->dec[1], ZYDIS_MACHINE_MODE_LEGACY_32,
						  ZYDIS_STACK_WIDTH_32)));
	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&d->dec[2], ZYDIS_MACHINE_MODE_LONG_64,
						  ZYDIS_STACK_WIDTH_64)));
}

static void finish(const struct diff *d)
{
	print_message("%llu instructions, %llu valid for both, %llu deliberate differences\n",
		      (unsigned long long)d->total, (unsigned long long)d->both_ok,
		      (unsigned long long)d->excused);
	assert_int_equal(d->wrong, 0);
	/* A generator that makes nothing valid would prove nothing. */
	assert_true(d->both_ok > d->total / 5);
}

static void test_sweep(void **state)
{
	struct diff d;
	struct rng r = { 0x1234567 };

	init(&d);
	gen_sweep(&r, visit, &d);
	finish(&d);
}

static void test_random(void **state)
{
	struct diff d;
	struct rng r = { 0x89abcdef };
	uint8_t buf[GEN_BYTES];

	init(&d);
	for (uint32_t i = 0; i < RANDOM_CASES; i++) {
		for (int mode = V3_INSN_MODE_16; mode <= V3_INSN_MODE_64; mode++) {
			gen_random(&r, buf);
			visit(&d, (enum v3_insn_mode)mode, buf);
			gen_structured(&r, (enum v3_insn_mode)mode, buf);
			visit(&d, (enum v3_insn_mode)mode, buf);
		}
	}
	finish(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
