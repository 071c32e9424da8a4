/* SPDX-License-Identifier: BSD-2-Clause */
/* Deterministic generator of instruction bytes for the differential tests. */
#ifndef V3_TEST_INSN_GEN_H
#define V3_TEST_INSN_GEN_H

#include <stdint.h>

#include "emul/decode.h"

/* xorshift64*: the same sequence everywhere. */
struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* How many bytes the generator fills: one more than an instruction may have. */
#define GEN_BYTES 16

/* Random bytes without structure. */
void gen_random(struct rng *r, uint8_t *buf);

/* Prefixes, an opcode of any map, ModRM, SIB and the rest random. */
void gen_structured(struct rng *r, enum v3_insn_mode mode, uint8_t *buf);

/*
 * Number `n` of the sweep over everything that decides validity and length: calls
 * visit(arg, mode, bytes) for each mode, map, opcode, mandatory prefix and ModRM (legacy), and
 * each mode, map, opcode, pp, L, W, vvvv and a sample of ModRM (VEX). What follows is random.
 */
void gen_sweep(struct rng *r, void (*visit)(void *arg, enum v3_insn_mode mode, const uint8_t *buf),
	       void *arg);

#endif /* V3_TEST_INSN_GEN_H */
