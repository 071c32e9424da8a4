/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs one instruction on this machine's CPU with chosen registers. */
#ifndef V3_TEST_CPU_RUN_H
#define V3_TEST_CPU_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers in hardware order; cpu_run.S knows the offsets. */
struct machine {
	uint64_t gpr[16];
	uint64_t rflags;
	uint8_t vec[16][32];
};

/* Memory below 2 GiB that the instructions may touch, so that every addressing form reaches it. */
#define CPU_DATA_SIZE 1024u
#define CPU_STACK_SIZE 1024u

struct cpu {
	uint8_t *code;		/* executable; the instruction goes here */
	uint8_t *data;		/* CPU_DATA_SIZE bytes, then CPU_STACK_SIZE of stack */
	uint64_t gs_base;
	bool avx;
};

/* Maps the memory. False with a message if this machine does not let us. */
bool cpu_open(struct cpu *cpu);
void cpu_close(struct cpu *cpu);

/*
 * Put `len` bytes at cpu->code, run them with the registers of *in, fill *out. The instruction
 * must go on to the byte after it. A fault ends the program with a message that shows the bytes.
 */
void cpu_run(struct cpu *cpu, const uint8_t *bytes, size_t len, const struct machine *in,
	     struct machine *out);

#endif /* V3_TEST_CPU_RUN_H */
