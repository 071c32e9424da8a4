/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs one instruction on this machine's CPU with chosen registers. */
#ifndef V3_TEST_CPU_RUN_H
#define V3_TEST_CPU_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emul/decode.h"

/* Registers in hardware order; cpu_run.S knows the offsets. */
struct machine {
	uint64_t gpr[16];
	uint64_t rflags;
	uint8_t vec[16][32];
};

/* Memory below 2 GiB that the instructions may touch, so that every addressing form reaches it. */
#define CPU_DATA_SIZE 1024u
#define CPU_STACK_SIZE 1024u

/* What a mode's code sees: indexed by enum v3_seg. */
struct cpu_view {
	uint64_t rip;		/* of the instruction, in its code segment */
	uint64_t base[6];
	uint16_t selector[6];
};

/* An exception of the CPU, as Linux tells it. */
struct cpu_fault {
	uint64_t rip, cr2;
	uint32_t vector, error;
};

/* The page of data and the read-only page; all pages beside them are not there. */
#define CPU_PAGE 4096u

struct cpu {
	uint8_t *code;		/* executable; the instruction goes here */
	uint8_t *data;		/* CPU_DATA_SIZE bytes, then CPU_STACK_SIZE of stack */
	uint8_t *page;		/* the page that holds data and stack */
	uint8_t *read_only;
	bool avx;
	struct cpu_view view[3];	/* by enum v3_insn_mode */
};

/* Maps the memory. False with a message if this machine does not let us. */
bool cpu_open(struct cpu *cpu);
void cpu_close(struct cpu *cpu);

/*
 * Makes code of a mode possible: 16 and 32 bits need segments of their own (modify_ldt). False with
 * a message if this kernel does not let us. All following cpu_run() must be of this mode.
 */
bool cpu_set_mode(struct cpu *cpu, enum v3_insn_mode mode);

/*
 * Put `len` bytes at cpu->code, run them with the registers of *in, fill *out. The instruction
 * must go on to the byte after it. A fault ends the program with a message that shows the bytes.
 */
void cpu_run(struct cpu *cpu, enum v3_insn_mode mode, const uint8_t *bytes, size_t len,
	     const struct machine *in, struct machine *out);

/* The same for one that may fault: true if it did, and *out is how the CPU left the registers. */
bool cpu_try(struct cpu *cpu, enum v3_insn_mode mode, const uint8_t *bytes, size_t len,
	     const struct machine *in, struct machine *out, struct cpu_fault *fault);

#endif /* V3_TEST_CPU_RUN_H */
