/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the emulator share; nothing outside of src/emul includes this. */
#ifndef V3_EMUL_EMUL_INTERNAL_H
#define V3_EMUL_EMUL_INTERNAL_H

#include "emul.h"
#include "x86/excp.h"

/* One instruction on its way. Nothing of it is kept between calls of v3_emul_step(). */
struct v3_emu {
	struct v3_emul_ctx *ctx;
	struct v3_emul_regs *regs;
	const struct v3_insn *insn;
	uint64_t next_rip;	/* committed to regs->rip when the result is V3_EMUL_OK */
	int64_t ea_adjust;	/* added to the operand's offset: POP [RSP], BT m, r */
};

/* Operations on values. The first eight have group 1's order, the next eight group 2's. */
enum v3_alu_op {
	V3_ALU_ADD, V3_ALU_OR, V3_ALU_ADC, V3_ALU_SBB,
	V3_ALU_AND, V3_ALU_SUB, V3_ALU_XOR, V3_ALU_CMP,
	V3_ALU_ROL, V3_ALU_ROR, V3_ALU_RCL, V3_ALU_RCR,
	V3_ALU_SHL, V3_ALU_SHR, V3_ALU_SAL, V3_ALU_SAR,
	V3_ALU_BT, V3_ALU_BTS, V3_ALU_BTR, V3_ALU_BTC,	/* group 8's order from /4 */
	V3_ALU_INC, V3_ALU_DEC, V3_ALU_NOT, V3_ALU_NEG,
	V3_ALU_SHLD, V3_ALU_SHRD,
	V3_ALU_MOV,	/* b */
};

static inline uint64_t v3_size_mask(uint32_t size)
{
	return size >= 8 ? ~0ull : (1ull << size * 8) - 1;
}

/* The low `size` bytes of v, sign-extended. */
static inline uint64_t v3_sign_extend(uint64_t v, uint32_t size)
{
	uint32_t shift = 64 - size * 8;

	return (uint64_t)((int64_t)(v << shift) >> shift);
}

/*
 * Compute `a op b` (SHLD, SHRD: b shifted in, c bits) on values of `size` bytes and update the
 * arithmetic flags in *rflags. Flags that the manuals leave undefined may become anything.
 */
uint64_t v3_alu(enum v3_alu_op op, uint32_t size, uint64_t a, uint64_t b, uint64_t c,
		uint64_t *rflags);

/* Is condition `cc` (the low four bits of Jcc, SETcc, CMOVcc) true? */
bool v3_alu_condition(uint8_t cc, uint64_t rflags);

/* General registers; size 1 minds AH..BH. A write of 4 bytes clears the upper half. */
uint64_t v3_emu_get(const struct v3_emu *e, uint8_t reg, uint32_t size);
void v3_emu_set(struct v3_emu *e, uint8_t reg, uint32_t size, uint64_t value);
void v3_gpr_write(uint64_t *gpr, uint8_t reg, uint32_t size, bool high_byte, uint64_t value);

/* Record a fault. Error codes of segment faults are 0 here, and absent in real mode. */
enum v3_emul_result v3_emu_fault(struct v3_emu *e, uint8_t vector);

/* Is the code that runs in protected mode and not in virtual-8086 mode? */
static inline bool v3_emu_protected(const struct v3_emu *e)
{
	return (e->regs->cr0 & V3_CR0_PE) && !(e->regs->rflags & V3_RFLAGS_VM);
}

/* Linear address of seg:offset after all segment checks for `size` bytes. */
enum v3_emul_result v3_emu_linear(struct v3_emu *e, uint8_t seg, uint64_t offset, uint32_t size,
				  bool write, uint64_t *linear);

/* The same for the memory operand of the instruction. */
enum v3_emul_result v3_emu_operand(struct v3_emu *e, uint32_t size, bool write, uint64_t *linear);

/* Integers in memory. `access`: V3_EMUL_ACCESS_*. */
enum v3_emul_result v3_emu_load(struct v3_emu *e, uint64_t linear, uint32_t size,
				uint32_t access, uint64_t *value);
enum v3_emul_result v3_emu_store(struct v3_emu *e, uint64_t linear, uint32_t size,
				 uint32_t access, uint64_t value);

/* The ModRM operand or moffs, register or memory. */
enum v3_emul_result v3_emu_read_rm(struct v3_emu *e, uint32_t size, uint64_t *value);
enum v3_emul_result v3_emu_write_rm(struct v3_emu *e, uint32_t size, uint64_t value);

/* op on the ModRM operand: read, compute, write back (or not: CMP, BT), commit the flags; with
 * LOCK or `locked` atomically. *old, if not NULL, gets the value before. */
enum v3_emul_result v3_emu_rmw(struct v3_emu *e, enum v3_alu_op op, uint32_t size, uint64_t b,
			       uint64_t c, bool locked, uint64_t *old);

/* Families of instructions. Each returns V3_EMUL_UNHANDLED for what is not its own. */
enum v3_emul_result v3_emu_alu_one(struct v3_emu *e);
enum v3_emul_result v3_emu_alu_0f(struct v3_emu *e);
enum v3_emul_result v3_emu_cmpxchg(struct v3_emu *e);
/* F6 and F7 from /4 on; IMUL with a register operand, and perhaps an immediate one. */
enum v3_emul_result v3_emu_mul(struct v3_emu *e);
enum v3_emul_result v3_emu_imul(struct v3_emu *e, bool has_imm);
enum v3_emul_result v3_emu_stack(struct v3_emu *e);
enum v3_emul_result v3_emu_string(struct v3_emu *e);
enum v3_emul_result v3_emu_port(struct v3_emu *e);
enum v3_emul_result v3_emu_vector(struct v3_emu *e);

#endif /* V3_EMUL_EMUL_INTERNAL_H */
