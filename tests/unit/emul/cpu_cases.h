/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cases of cpu_diff.c: random instructions of every form, with registers and memory that suit
 * them.
 */
#ifndef V3_TEST_CPU_CASES_H
#define V3_TEST_CPU_CASES_H

#include "cpu_run.h"
#include "emul/emul.h"
#include "insn_gen.h"

#define MEM_SIZE (CPU_DATA_SIZE + CPU_STACK_SIZE)

enum kind {
	K_PLAIN,
	K_STRING,
	K_STACK,	/* moves RSP or RIP */
	K_BITS,		/* register operand is a bit offset */
	K_DIVIDE,	/* faults unless the quotient fits */
	K_VEC,
	K_VEX,
};

struct template {
	uint8_t map;
	uint8_t first, last;	/* opcodes */
	uint8_t pp;		/* for vector instructions */
	uint8_t regs;		/* mask of ModRM.reg to use; 0: all */
	enum kind kind;
	bool mode64;		/* in 64-bit code only */
	bool whole;		/* by v3_emul_cpu_step(), and so not in 64-bit code */
};

extern const struct template cpu_templates[];
extern const size_t cpu_template_count;

struct trial {
	enum v3_insn_mode mode;
	uint8_t bytes[32];
	struct v3_insn insn;
	struct machine in;
	uint8_t mem[MEM_SIZE];
};

/* A valid instruction of the template in tr->mode; false if this try made none. */
bool case_instruction(struct rng *rng, const struct template *t, struct trial *tr);
/* Registers and memory for it; false if its form cannot be aimed at memory in reach. */
bool case_operands(struct rng *rng, const struct cpu *cpu, const struct template *t,
		   struct trial *tr);
/*
 * Registers or a displacement that make the operand `target`; false if the form does not allow it.
 */
bool case_aim(struct rng *rng, const struct cpu *cpu, struct trial *tr, uint64_t target);
/* Arithmetic flags that the manuals define after this instruction. */
uint64_t case_defined_flags(const struct trial *tr);
/* SHLD and SHRD of a word by more than 16: the result is undefined. */
bool case_undefined_result(const struct trial *tr);
/* Linear address of the memory operand. */
uint64_t case_address(const struct cpu *cpu, const struct trial *tr);

#endif /* V3_TEST_CPU_CASES_H */
