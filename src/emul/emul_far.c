/* SPDX-License-Identifier: BSD-2-Clause */
/* Far transfers, interrupts of real mode, moves to and from segment registers. */
#include "emul_cpu_internal.h"

/* Flags that IRET and POPF set in real mode and at privilege level 0 (SDM vol. 2, IRET). */
#define FLAGS_16 (V3_RFLAGS_ARITH | V3_RFLAGS_TF | V3_RFLAGS_IF | V3_RFLAGS_DF | V3_RFLAGS_IOPL | \
		  V3_RFLAGS_NT)
#define FLAGS_32 (FLAGS_16 | V3_RFLAGS_RF | V3_RFLAGS_AC | V3_RFLAGS_ID)

static void commit_cs(struct v3_emu *e, struct v3_emul_cpu *cpu, const struct v3_emul_seg *cs,
		      uint64_t offset)
{
	e->regs->seg[V3_SEG_CS] = *cs;
	e->next_rip = offset;
	cpu->changed = true;
}

static enum v3_emul_result far_jump(struct v3_emu *e, struct v3_emul_cpu *cpu, uint16_t selector,
				    uint64_t offset)
{
	struct v3_emul_seg cs;

	V3_TRY(v3_emu_far_target(e, cpu, V3_FAR_JUMP, selector, offset, &cs));
	commit_cs(e, cpu, &cs, offset);
	return V3_EMUL_OK;
}

static enum v3_emul_result far_call(struct v3_emu *e, struct v3_emul_cpu *cpu, uint16_t selector,
				    uint64_t offset)
{
	uint32_t size = e->insn->opsize;
	uint64_t sp = v3_stack_get(e);
	struct v3_emul_seg cs;

	V3_TRY(v3_emu_far_target(e, cpu, V3_FAR_JUMP, selector, offset, &cs));
	V3_TRY(v3_stack_push(e, &sp, size, e->regs->seg[V3_SEG_CS].selector));
	V3_TRY(v3_stack_push(e, &sp, size, e->next_rip));
	v3_stack_set(e, sp);
	commit_cs(e, cpu, &cs, offset);
	return V3_EMUL_OK;
}

static enum v3_emul_result far_return(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint32_t size = e->insn->opsize;
	uint64_t sp = v3_stack_get(e), offset, selector;
	struct v3_emul_seg cs;

	V3_TRY(v3_stack_pop(e, &sp, size, &offset));
	V3_TRY(v3_stack_pop(e, &sp, size, &selector));
	V3_TRY(v3_emu_far_target(e, cpu, V3_FAR_RETURN, (uint16_t)selector, offset, &cs));
	if (e->insn->opcode == 0xca)
		sp += e->insn->imm & 0xffff;
	v3_stack_set(e, sp);
	commit_cs(e, cpu, &cs, offset);
	return V3_EMUL_OK;
}

static enum v3_emul_result iret(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint32_t size = e->insn->opsize;
	uint64_t sp = v3_stack_get(e), mask = size == 2 ? FLAGS_16 : FLAGS_32;
	uint64_t offset, selector, flags;
	struct v3_emul_seg cs;

	if (v3_emu_protected(e) && (e->regs->rflags & V3_RFLAGS_NT || e->regs->efer & V3_EFER_LMA))
		return V3_EMUL_UNHANDLED;
	V3_TRY(v3_stack_pop(e, &sp, size, &offset));
	V3_TRY(v3_stack_pop(e, &sp, size, &selector));
	V3_TRY(v3_stack_pop(e, &sp, size, &flags));
	if (v3_emu_protected(e) && size == 4 && flags & V3_RFLAGS_VM)
		return V3_EMUL_UNHANDLED;
	V3_TRY(v3_emu_far_target(e, cpu, V3_FAR_RETURN, (uint16_t)selector, offset, &cs));
	v3_stack_set(e, sp);
	commit_cs(e, cpu, &cs, offset);
	e->regs->rflags = (e->regs->rflags & ~mask) | (flags & mask);
	cpu->iret = true;
	return V3_EMUL_OK;
}

static enum v3_emul_result pushf(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e);

	V3_TRY(v3_stack_push(e, &sp, e->insn->opsize,
			     e->regs->rflags & ~(V3_RFLAGS_VM | V3_RFLAGS_RF)));
	v3_stack_set(e, sp);
	return V3_EMUL_OK;
}

static enum v3_emul_result popf(struct v3_emu *e)
{
	uint64_t sp = v3_stack_get(e), mask = e->insn->opsize == 2 ? FLAGS_16 : FLAGS_32, flags;

	V3_TRY(v3_stack_pop(e, &sp, e->insn->opsize, &flags));
	v3_stack_set(e, sp);
	e->regs->rflags = (e->regs->rflags & ~mask) | (flags & mask);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_flags(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint64_t *rflags = &e->regs->rflags;

	switch (e->insn->opcode) {
	case 0x9c:
		return pushf(e);
	case 0x9d:
		return popf(e);
	case 0x9e:	/* SAHF, LAHF */
		*rflags = (*rflags & ~0xd5ull) | (e->regs->gpr[V3_RAX] >> 8 & 0xd5);
		return V3_EMUL_OK;
	case 0x9f:
		v3_gpr_write(e->regs->gpr, V3_RAX, 1, true, (*rflags & 0xd5) | V3_RFLAGS_FIXED1);
		return V3_EMUL_OK;
	case 0xf5:
		*rflags ^= V3_RFLAGS_CF;
		return V3_EMUL_OK;
	case 0xf8:
		*rflags &= ~V3_RFLAGS_CF;
		return V3_EMUL_OK;
	case 0xf9:
		*rflags |= V3_RFLAGS_CF;
		return V3_EMUL_OK;
	case 0xfa:
		*rflags &= ~V3_RFLAGS_IF;
		return V3_EMUL_OK;
	case 0xfb:
		cpu->shadow = !(*rflags & V3_RFLAGS_IF);
		*rflags |= V3_RFLAGS_IF;
		return V3_EMUL_OK;
	case 0xfc:
		*rflags &= ~V3_RFLAGS_DF;
		return V3_EMUL_OK;
	case 0xfd:
		*rflags |= V3_RFLAGS_DF;
		return V3_EMUL_OK;
	default:
		return V3_EMUL_UNHANDLED;
	}
}

/* Frame of 16-bit words, and on at the vector's pointer. `rip`: where the handler returns to. */
static enum v3_emul_result real_int(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t vector,
				    uint64_t rip)
{
	uint64_t sp = v3_stack_get(e), pointer, linear = (uint32_t)(cpu->idt.base + vector * 4u);
	struct v3_emul_seg cs;

	if (vector * 4u + 3 > cpu->idt.limit)
		return v3_emu_fault(e, V3_EXCP_GP);
	if (linear > 0xfffffffc)
		return V3_EMUL_UNHANDLED;
	V3_TRY(v3_emu_load(e, linear, 4, V3_EMUL_ACCESS_SYSTEM, &pointer));
	V3_TRY(v3_emu_far_target(e, cpu, V3_FAR_JUMP, (uint16_t)(pointer >> 16), pointer & 0xffff,
				 &cs));
	V3_TRY(v3_stack_push(e, &sp, 2, e->regs->rflags));
	V3_TRY(v3_stack_push(e, &sp, 2, e->regs->seg[V3_SEG_CS].selector));
	V3_TRY(v3_stack_push(e, &sp, 2, rip));
	v3_stack_set(e, sp);
	commit_cs(e, cpu, &cs, pointer & 0xffff);
	e->regs->rflags &= ~(V3_RFLAGS_IF | V3_RFLAGS_TF | V3_RFLAGS_AC | V3_RFLAGS_RF);
	return V3_EMUL_OK;
}

static enum v3_emul_result software_int(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t vector)
{
	if (e->regs->cr0 & V3_CR0_PE)
		return V3_EMUL_UNHANDLED;
	cpu->no_trap = true;
	return real_int(e, cpu, vector, e->next_rip);
}

enum v3_emul_result v3_emul_real_event(struct v3_emul_cpu *cpu, uint8_t vector)
{
	const struct v3_insn none = { .mode = (uint8_t)v3_emul_mode(cpu->ctx->regs) };
	struct v3_emu e = { .ctx = cpu->ctx, .regs = cpu->ctx->regs, .insn = &none };

	V3_TRY(real_int(&e, cpu, vector, e.regs->rip));
	e.regs->rip = e.next_rip;
	return V3_EMUL_OK;
}

/* A far pointer in memory: offset, then selector. */
static enum v3_emul_result read_far(struct v3_emu *e, uint64_t *offset, uint16_t *selector)
{
	uint32_t size = e->insn->opsize;
	uint64_t linear, value;

	V3_TRY(v3_emu_operand(e, size + 2, false, &linear));
	V3_TRY(v3_emu_load(e, linear, size, 0, offset));
	V3_TRY(v3_emu_load(e, linear + size, 2, 0, &value));
	*selector = (uint16_t)value;
	return V3_EMUL_OK;
}

static enum v3_emul_result group5(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint8_t reg = e->insn->reg & 7;
	uint16_t selector;
	uint64_t offset;

	if ((reg != 3 && reg != 5) || !(e->insn->flags & V3_INSN_MEM))
		return V3_EMUL_UNHANDLED;
	V3_TRY(read_far(e, &offset, &selector));
	return reg == 3 ? far_call(e, cpu, selector, offset) : far_jump(e, cpu, selector, offset);
}

/* LDS and kin. */
static enum v3_emul_result load_far(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t seg)
{
	uint16_t selector;
	uint64_t offset;

	V3_TRY(read_far(e, &offset, &selector));
	V3_TRY(v3_emu_load_seg(e, cpu, seg, selector));
	v3_emu_set(e, e->insn->reg, e->insn->opsize, offset);
	return V3_EMUL_OK;
}

static void after_ss(struct v3_emul_cpu *cpu, uint8_t seg)
{
	if (seg == V3_SEG_SS)
		cpu->shadow = cpu->no_trap = true;
}

static enum v3_emul_result mov_seg(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	uint8_t seg = e->insn->reg & 7;
	uint64_t selector;

	V3_TRY(v3_emu_read_rm(e, 2, &selector));
	V3_TRY(v3_emu_load_seg(e, cpu, seg, (uint16_t)selector));
	after_ss(cpu, seg);
	return V3_EMUL_OK;
}

static enum v3_emul_result push_seg(struct v3_emu *e, uint8_t seg)
{
	uint64_t sp = v3_stack_get(e);

	V3_TRY(v3_stack_push(e, &sp, e->insn->opsize, e->regs->seg[seg].selector));
	v3_stack_set(e, sp);
	return V3_EMUL_OK;
}

static enum v3_emul_result pop_seg(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t seg)
{
	/* The new stack segment does not count for the pop that loads it. */
	uint64_t sp = v3_stack_get(e), after, selector;
	struct v3_emul_seg old = e->regs->seg[V3_SEG_SS], loaded;

	V3_TRY(v3_stack_pop(e, &sp, e->insn->opsize, &selector));
	V3_TRY(v3_emu_load_seg(e, cpu, seg, (uint16_t)selector));
	after = sp;
	loaded = e->regs->seg[V3_SEG_SS];
	e->regs->seg[V3_SEG_SS] = old;
	v3_stack_set(e, after);
	e->regs->seg[V3_SEG_SS] = loaded;
	after_ss(cpu, seg);
	return V3_EMUL_OK;
}

/* 0F map: FS and GS, LSS, LFS, LGS. */
static enum v3_emul_result far_0f(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	switch (e->insn->opcode) {
	case 0xa0: case 0xa8:
		return push_seg(e, e->insn->opcode == 0xa0 ? V3_SEG_FS : V3_SEG_GS);
	case 0xa1: case 0xa9:
		return pop_seg(e, cpu, e->insn->opcode == 0xa1 ? V3_SEG_FS : V3_SEG_GS);
	case 0xb2:
		return load_far(e, cpu, V3_SEG_SS);
	case 0xb4: case 0xb5:
		return load_far(e, cpu, e->insn->opcode == 0xb4 ? V3_SEG_FS : V3_SEG_GS);
	default:
		return V3_EMUL_UNHANDLED;
	}
}

enum v3_emul_result v3_emu_far(struct v3_emu *e, struct v3_emul_cpu *cpu)
{
	const struct v3_insn *insn = e->insn;

	if (insn->map == V3_MAP_0F)
		return far_0f(e, cpu);
	switch (insn->opcode) {
	case 0x06: case 0x0e: case 0x16: case 0x1e:
		return push_seg(e, insn->opcode >> 3);
	case 0x07: case 0x17: case 0x1f:
		return pop_seg(e, cpu, insn->opcode >> 3);
	case 0x8e:
		return mov_seg(e, cpu);
	case 0xc4: case 0xc5:
		return load_far(e, cpu, insn->opcode == 0xc4 ? V3_SEG_ES : V3_SEG_DS);
	case 0x9a:
		return far_call(e, cpu, insn->imm2, insn->imm & v3_size_mask(insn->opsize));
	case 0xea:
		return far_jump(e, cpu, insn->imm2, insn->imm & v3_size_mask(insn->opsize));
	case 0xca: case 0xcb:
		return far_return(e, cpu);
	case 0xcc:
		return software_int(e, cpu, V3_EXCP_BP);
	case 0xcd:
		return software_int(e, cpu, (uint8_t)insn->imm);
	case 0xce:
		return e->regs->rflags & V3_RFLAGS_OF ? software_int(e, cpu, V3_EXCP_OF)
						      : V3_EMUL_OK;
	case 0xcf:
		return iret(e, cpu);
	case 0xff:
		return group5(e, cpu);
	default:
		return V3_EMUL_UNHANDLED;
	}
}
