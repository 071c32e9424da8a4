/* SPDX-License-Identifier: BSD-2-Clause */
/* One step of a whole CPU; descriptor tables and the machine status word. */
#include "emul_cpu_internal.h"

static enum v3_emul_result store_table(struct v3_emu *e, const struct v3_emul_table *table)
{
	uint64_t linear, base = table->base & 0xffffffff;

	V3_TRY(v3_emu_operand(e, 6, true, &linear));
	V3_TRY(e->ctx->ops->probe_write(e->ctx->opaque, linear + 2, 4, &e->ctx->fault));
	V3_TRY(v3_emu_store(e, linear, 2, V3_EMUL_ACCESS_WRITE, table->limit));
	return v3_emu_store(e, linear + 2, 4, V3_EMUL_ACCESS_WRITE, base);
}

/* With 16-bit operands the base has 24 bits (SDM vol. 2, LGDT). */
static enum v3_emul_result load_table(struct v3_emu *e, struct v3_emul_cpu *cpu,
				      struct v3_emul_table *table)
{
	uint64_t linear, limit, base;

	V3_TRY(v3_emu_operand(e, 6, false, &linear));
	V3_TRY(v3_emu_load(e, linear, 2, 0, &limit));
	V3_TRY(v3_emu_load(e, linear + 2, 4, 0, &base));
	table->limit = (uint32_t)limit;
	table->base = e->insn->opsize == 2 ? base & 0xffffff : base;
	cpu->changed = true;
	return V3_EMUL_OK;
}

/* Sets PE, but never clears it. */
static enum v3_emul_result lmsw(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint64_t value;

	V3_TRY(v3_emu_read_rm(e, 2, &value));
	e->regs->cr0 = (e->regs->cr0 & ~(V3_CR0_LMSW_MASK & ~V3_CR0_PE)) |
		       (value & V3_CR0_LMSW_MASK);
	cpu->changed = true;
	return V3_EMUL_OK;
}

static enum v3_emul_result group7(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	bool mem = e->insn->flags & V3_INSN_MEM;

	switch (e->insn->reg & 7) {
	case 0:
		return mem ? store_table(e, &cpu->gdt) : V3_EMUL_UNHANDLED;
	case 1:
		return mem ? store_table(e, &cpu->idt) : V3_EMUL_UNHANDLED;
	case 2:
		return mem ? load_table(e, cpu, &cpu->gdt) : V3_EMUL_UNHANDLED;
	case 3:
		return mem ? load_table(e, cpu, &cpu->idt) : V3_EMUL_UNHANDLED;
	case 4:
		return v3_emu_write_rm(e, mem ? 2 : e->insn->opsize, e->regs->cr0);
	case 6:
		return lmsw(e, cpu);
	default:
		return V3_EMUL_UNHANDLED;
	}
}

enum v3_emul_result v3_emu_system(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	switch (e->insn->opcode) {
	case 0x00: case 0x02: case 0x03:	/* SLDT to VERW, LAR, LSL: #UD in real mode */
		return v3_emu_protected(e) ? V3_EMUL_UNHANDLED : v3_emu_fault(e, V3_EXCP_UD);
	case 0x01:
		return group7(e, cpu);
	default:
		return V3_EMUL_UNHANDLED;
	}
}

/* Families one after the other: code that runs here is short and runs once. */
static enum v3_emul_result step(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	bool one = e->insn->map == V3_MAP_ONE;
	enum v3_emul_result res;

	if (!one && e->insn->map != V3_MAP_0F)
		return V3_EMUL_UNHANDLED;
	res = v3_emu_flow(e);
	if (res == V3_EMUL_UNHANDLED)
		res = v3_emu_misc(e);
	if (res == V3_EMUL_UNHANDLED)
		res = one ? v3_emu_flags(e, cpu) : v3_emu_system(e, cpu);
	return res == V3_EMUL_UNHANDLED ? v3_emu_far(e, cpu) : res;
}

enum v3_emul_result v3_emul_cpu_step(struct v3_emul_cpu *cpu, const struct v3_insn *insn)
{
	struct v3_emul_regs *regs = cpu->ctx->regs;
	struct v3_emu e = {
		.ctx = cpu->ctx, .regs = regs, .insn = insn,
		.next_rip = (uint32_t)(regs->rip + insn->length),
	};
	enum v3_emul_result res = V3_EMUL_UNHANDLED;

	cpu->shadow = cpu->iret = cpu->no_trap = false;
	if (insn->mode == V3_INSN_MODE_64)
		return V3_EMUL_UNHANDLED;
	if (!(insn->flags & (V3_INSN_VEX | V3_INSN_EVEX | V3_INSN_XOP)))
		res = step(&e, cpu);
	if (res == V3_EMUL_UNHANDLED)
		return v3_emul_step(cpu->ctx, insn);
	if (res != V3_EMUL_OK)
		return res;
	regs->rip = e.next_rip;
	if (!cpu->iret)
		regs->rflags &= ~V3_RFLAGS_RF;
	return V3_EMUL_OK;
}
