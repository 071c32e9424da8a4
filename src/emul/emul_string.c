/* SPDX-License-Identifier: BSD-2-Clause */
/* String instructions with REP, REPE and REPNE, and IN and OUT. */
#include "emul_internal.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RSI 6
#define RDI 7

static uint64_t address_reg(const struct v3_emu *e, uint8_t reg)
{
	return e->regs->gpr[reg] & v3_size_mask(e->insn->addrsize);
}

static void advance(struct v3_emu *e, uint8_t reg, uint32_t size)
{
	uint64_t step = e->regs->rflags & V3_RFLAGS_DF ? -(uint64_t)size : size;

	v3_gpr_write(e->regs->gpr, reg, e->insn->addrsize, false, e->regs->gpr[reg] + step);
}

/* RSI's operand; a prefix can change its segment. RDI's is always in ES. */
static enum v3_emul_result source(struct v3_emu *e, uint32_t size, uint64_t *value)
{
	uint64_t linear;
	enum v3_emul_result res = v3_emu_linear(e, e->insn->seg, address_reg(e, RSI), size, false,
						&linear);

	return res == V3_EMUL_OK ? v3_emu_load(e, linear, size, 0, value) : res;
}

static enum v3_emul_result dest(struct v3_emu *e, uint32_t size, bool write, uint64_t *linear)
{
	return v3_emu_linear(e, V3_SEG_ES, address_reg(e, RDI), size, write, linear);
}

static enum v3_emul_result port_in(struct v3_emu *e, uint16_t port, uint32_t size, uint32_t *value)
{
	*value = 0;
	return e->ctx->ops->port_in(e->ctx->opaque, port, value, size, &e->ctx->fault);
}

static enum v3_emul_result port_out(struct v3_emu *e, uint16_t port, uint32_t size, uint64_t value)
{
	return e->ctx->ops->port_out(e->ctx->opaque, port, (uint32_t)(value & v3_size_mask(size)),
				     size, &e->ctx->fault);
}

static enum v3_emul_result store_dest(struct v3_emu *e, uint32_t size, uint64_t value)
{
	uint64_t linear;
	enum v3_emul_result res = dest(e, size, true, &linear);

	return res == V3_EMUL_OK ? v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE, value) : res;
}

static enum v3_emul_result ins(struct v3_emu *e, uint32_t size)
{
	enum v3_emul_result res;
	uint64_t linear;
	uint32_t value;

	/* A fault of the store must come before the port gives its data away. */
	res = dest(e, size, true, &linear);
	if (res == V3_EMUL_OK)
		res = e->ctx->ops->probe_write(e->ctx->opaque, linear, size, &e->ctx->fault);
	if (res == V3_EMUL_OK)
		res = port_in(e, (uint16_t)e->regs->gpr[RDX], size, &value);
	if (res == V3_EMUL_OK)
		res = v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE, value);
	return res;
}

static enum v3_emul_result compare(struct v3_emu *e, uint32_t size, uint64_t a)
{
	uint64_t linear, b;
	enum v3_emul_result res = dest(e, size, false, &linear);

	if (res == V3_EMUL_OK)
		res = v3_emu_load(e, linear, size, 0, &b);
	if (res == V3_EMUL_OK)
		(void)v3_alu(V3_ALU_CMP, size, a, b, 0, &e->regs->rflags);
	return res;
}

/* One iteration. *uses tells which registers move: bit 0 RSI, bit 1 RDI. */
static enum v3_emul_result iterate(struct v3_emu *e, uint32_t size, uint32_t *uses)
{
	enum v3_emul_result res;
	uint64_t value;

	switch (e->insn->opcode & 0xfe) {
	case 0x6c:
		*uses = 2;
		return ins(e, size);
	case 0x6e:
		*uses = 1;
		res = source(e, size, &value);
		return res == V3_EMUL_OK ?
			port_out(e, (uint16_t)e->regs->gpr[RDX], size, value) : res;
	case 0xa4:
		*uses = 3;
		res = source(e, size, &value);
		return res == V3_EMUL_OK ? store_dest(e, size, value) : res;
	case 0xa6:
		*uses = 3;
		res = source(e, size, &value);
		return res == V3_EMUL_OK ? compare(e, size, value) : res;
	case 0xaa:
		*uses = 2;
		return store_dest(e, size, e->regs->gpr[RAX]);
	case 0xac:
		*uses = 1;
		res = source(e, size, &value);
		if (res == V3_EMUL_OK)
			v3_gpr_write(e->regs->gpr, RAX, size, false, value);
		return res;
	default:	/* AE, AF: SCAS */
		*uses = 2;
		return compare(e, size, e->regs->gpr[RAX] & v3_size_mask(size));
	}
}

/* CMPS and SCAS end when ZF is not what the prefix repeats for. */
static bool compare_ends(const struct v3_emu *e)
{
	uint8_t op = e->insn->opcode & 0xfe;
	bool zf = e->regs->rflags & V3_RFLAGS_ZF;

	if (op != 0xa6 && op != 0xae)
		return false;
	return e->insn->flags & V3_INSN_REPNE ? zf : !zf;
}

enum v3_emul_result v3_emu_string(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	bool rep = insn->flags & (V3_INSN_REP | V3_INSN_REPNE);
	uint32_t budget = e->ctx->rep_budget ? e->ctx->rep_budget : 1;
	uint32_t size = insn->opsize, uses;
	uint64_t rflags = e->regs->rflags;
	enum v3_emul_result res;

	if (insn->opcode < 0x70 && size == 8)	/* ports have no 64-bit accesses */
		size = 4;
	if (rep && !address_reg(e, RCX))
		return V3_EMUL_OK;
	for (;;) {
		res = iterate(e, size, &uses);
		if (res != V3_EMUL_OK)
			break;
		if (uses & 1)
			advance(e, RSI, size);
		if (uses & 2)
			advance(e, RDI, size);
		if (!rep)
			return V3_EMUL_OK;
		v3_gpr_write(e->regs->gpr, RCX, insn->addrsize, false, e->regs->gpr[RCX] - 1);
		if (!address_reg(e, RCX) || compare_ends(e))
			return V3_EMUL_OK;
		if (!--budget) {
			res = V3_EMUL_AGAIN;
			break;
		}
	}
	/*
	 * Flags belong to the end of CMPS and SCAS: a fault in between shows the old ones (SDM2,
	 * REP).
	 */
	e->regs->rflags = rflags;
	return res;
}

/* E4..E7, EC..EF. */
enum v3_emul_result v3_emu_port(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	uint32_t size = insn->opsize == 8 ? 4 : insn->opsize, value;
	uint16_t port = insn->opcode < 0xe8 ? (uint8_t)insn->imm : (uint16_t)e->regs->gpr[RDX];
	enum v3_emul_result res;

	if (insn->opcode & 2)
		return port_out(e, port, size, e->regs->gpr[RAX]);
	res = port_in(e, port, size, &value);
	if (res == V3_EMUL_OK)
		v3_gpr_write(e->regs->gpr, RAX, size, false, value);
	return res;
}
