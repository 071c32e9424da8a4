/* SPDX-License-Identifier: BSD-2-Clause */
#include "insn_gen.h"

#include <stddef.h>
#include <string.h>

static const uint8_t legacy_prefixes[] = {
	0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
};

void gen_random(struct rng *r, uint8_t *buf)
{
	uint64_t v[2] = { rng_next(r), rng_next(r) };

	memcpy(buf, v, GEN_BYTES);
}

/* Opcode bytes of the map `kind`, with its prefix bytes if it has them. */
static size_t put_opcode(struct rng *r, uint32_t kind, uint8_t *p)
{
	uint8_t op = (uint8_t)rng_next(r);
	uint8_t bits = (uint8_t)rng_next(r);
	uint8_t more = (uint8_t)rng_next(r);

	switch (kind) {
	case 0: case 1: case 2:
		p[0] = op;
		return 1;
	case 3: case 4:
		p[0] = 0x0f;
		p[1] = op;
		return 2;
	case 5: case 6:
		p[0] = 0x0f;
		p[1] = kind == 5 ? 0x38 : 0x3a;
		p[2] = op;
		return 3;
	case 7:		/* VEX2; half of them with vvvv that names no register */
		p[0] = 0xc5;
		p[1] = bits & 1 ? more | 0x78 : more;
		p[2] = op;
		return 3;
	case 8:		/* VEX3 */
		p[0] = 0xc4;
		p[1] = (uint8_t)((bits & 0xe0) | (1 + bits % 3));
		p[2] = bits & 8 ? more | 0x78 : more;
		p[3] = op;
		return 4;
	case 9:		/* EVEX */
		p[0] = 0x62;
		p[1] = (uint8_t)((bits & 0xf0) | (bits & 7));
		p[2] = more | 4;
		p[3] = (uint8_t)rng_next(r);
		p[4] = op;
		return 5;
	case 10:	/* XOP */
		p[0] = 0x8f;
		p[1] = (uint8_t)((bits & 0xe0) | (8 + (bits & 1) + (bits >> 1 & 1)));
		p[2] = more & 0xfc;
		p[3] = op;
		return 4;
	default:	/* 3DNow */
		p[0] = 0x0f;
		p[1] = 0x0f;
		return 2;
	}
}

void gen_structured(struct rng *r, enum v3_insn_mode mode, uint8_t *buf)
{
	uint32_t prefixes = rng_below(r, 8);
	size_t n = 0;

	gen_random(r, buf);
	/* Mostly none or one, at times many, so that some instructions grow too long. */
	prefixes = prefixes < 4 ? 0 : prefixes < 6 ? 1 : prefixes < 7 ? 2 : rng_below(r, 10);
	while (prefixes--)
		buf[n++] = legacy_prefixes[rng_below(r, sizeof(legacy_prefixes))];
	if (mode == V3_INSN_MODE_64 && rng_below(r, 2))
		buf[n++] = (uint8_t)(0x40 | rng_below(r, 16));
	(void)put_opcode(r, rng_below(r, 12), buf + n);
}

static void sweep_legacy(struct rng *r, enum v3_insn_mode mode,
			 void (*visit)(void *arg, enum v3_insn_mode mode, const uint8_t *buf),
			 void *arg)
{
	static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 };
	static const uint8_t escapes[4][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a } };
	uint8_t buf[GEN_BYTES];

	for (uint32_t n = 0; n < 4u << 18; n++) {
		uint32_t map = n >> 18, pp = n >> 16 & 3;
		size_t at = 0;

		gen_random(r, buf);
		if (pp)
			buf[at++] = mandatory[pp];
		for (size_t i = 0; i < 2 && escapes[map][i]; i++)
			buf[at++] = escapes[map][i];
		buf[at++] = (uint8_t)(n >> 8);
		buf[at] = (uint8_t)n;
		visit(arg, mode, buf);
	}
}

static void sweep_vex(struct rng *r, enum v3_insn_mode mode,
		      void (*visit)(void *arg, enum v3_insn_mode mode, const uint8_t *buf),
		      void *arg)
{
	uint8_t buf[GEN_BYTES];

	for (uint32_t n = 0; n < 3u << 17; n++) {
		uint32_t modrm = n & 0xf, op = n >> 4 & 0xff, lwpp = n >> 12 & 0xf;
		uint32_t vvvv = n >> 16 & 1, map = n >> 17;

		gen_random(r, buf);
		buf[0] = 0xc4;
		buf[1] = (uint8_t)((buf[1] & 0xe0) | (map + 1));
		if (mode != V3_INSN_MODE_64)
			buf[1] |= 0xc0;
		buf[2] = (uint8_t)((lwpp & 8) << 4 | (lwpp & 7) | (vvvv ? 0x78 : buf[2] & 0x78));
		buf[3] = (uint8_t)op;
		/* Each reg field with a memory and a register form. */
		buf[4] = (uint8_t)((modrm & 7) << 3 | (modrm & 8 ? 0xc0 : buf[4] & 0x80) |
				   (buf[4] & 7));
		visit(arg, mode, buf);
	}
}

void gen_sweep(struct rng *r, void (*visit)(void *arg, enum v3_insn_mode mode, const uint8_t *buf),
	       void *arg)
{
	for (int mode = V3_INSN_MODE_16; mode <= V3_INSN_MODE_64; mode++) {
		sweep_legacy(r, (enum v3_insn_mode)mode, visit, arg);
		sweep_vex(r, (enum v3_insn_mode)mode, visit, arg);
	}
}
