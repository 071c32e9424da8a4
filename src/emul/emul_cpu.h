/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulator as a whole CPU, for code that the hardware cannot run: real mode, and protected mode
 * at privilege level 0 on its way to a state that it can. What v3_emul_step() has, and branches,
 * far transfers, loads of segment and descriptor-table registers, flags and interrupts.
 */
#ifndef V3_EMUL_EMUL_CPU_H
#define V3_EMUL_EMUL_CPU_H

#include "emul.h"

/** GDTR or IDTR. */
struct v3_emul_table {
	uint64_t base;
	uint32_t limit;
};

/** A CPU: the caller fills it in before the first step and looks at what has changed after each. */
struct v3_emul_cpu {
	/** ctx->regs: segment registers, CR0 (by LMSW) and the CPL change, too. */
	struct v3_emul_ctx *ctx;
	struct v3_emul_table gdt, idt;
	struct v3_emul_seg ldt;
	bool changed;	/**< set: a segment register, GDTR, IDTR or CR0 has */
	bool shadow;	/**< out: MOV SS, POP SS, STI: no interrupt before the next instruction */
	bool iret;	/**< out: it was IRET, which ends the blocking of NMIs */
	bool no_trap;	/**< out: no single-step trap after this one (INT n; MOV SS, POP SS) */
};

/**
 * Executes one instruction as v3_emul_step() does, with its results. Left to the caller, who asks
 * before: HLT, CPUID, RDTSC, RDMSR and WRMSR, MOV to and from CR and DR, CLTS, XSETBV, cache and
 * TLB control. V3_EMUL_UNHANDLED beside what v3_emul_step() lacks: x87, task switches, call gates,
 * transfers to other privilege levels and to virtual-8086 mode, and INT n in protected mode.
 *
 * For CPL 0 and EFLAGS.VM clear: rights that depend on them are not checked.
 */
enum v3_emul_result v3_emul_cpu_step(struct v3_emul_cpu *cpu, const struct v3_insn *insn);

/**
 * Delivers an interrupt or exception through the table of real mode (SDM vol. 3 21.1.4): RIP and
 * flags are those that the handler returns to. V3_EMUL_FAULT: the delivery faulted.
 */
enum v3_emul_result v3_emul_real_event(struct v3_emul_cpu *cpu, uint8_t vector);

#endif /* V3_EMUL_EMUL_CPU_H */
