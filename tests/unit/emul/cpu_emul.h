/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cpu_diff.c and cpu_faults.c share: the emulator's side of a case, with the registers and the
 * memory that the CPU has.
 */
#ifndef V3_TEST_CPU_EMUL_H
#define V3_TEST_CPU_EMUL_H

#include "cpu_cases.h"

/* First member of what the ops of a test get. */
struct cpu_emul {
	struct cpu cpu;
	struct rng rng;
	struct machine *regs;	/* whose vector registers the emulator uses */
	uint64_t runs;		/* instructions so far */
};

/*
 * Opens the CPU's side for code of a mode, and fills in all of *emul. Skips the test, with a
 * message, where this machine has no such code. cpu_close() in the end.
 */
void cpu_emul_open(struct cpu_emul *emul, enum v3_insn_mode mode, uint64_t seed);

/* Whether this CPU, and code of this mode, has the instructions of a template. */
bool cpu_emul_has(const struct cpu_emul *emul, const struct template *t, enum v3_insn_mode mode);

/*
 * The register file of the emulator, on the registers of *m, which are its vector registers, too.
 */
void cpu_emul_regs(struct cpu_emul *emul, enum v3_insn_mode mode, struct v3_emul_regs *regs,
		   struct machine *m);

/* The ops for vector registers; CMPXCHG on memory at p. */
enum v3_emul_result cpu_emul_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size);
enum v3_emul_result cpu_emul_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				     bool zero_upper);
bool cpu_emul_swap(void *p, void *expected, const void *desired, uint32_t size);

/* Says what differs, and in which instruction. */
void cpu_emul_show(const struct trial *tr, const char *what);

#endif /* V3_TEST_CPU_EMUL_H */
