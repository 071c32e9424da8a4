/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers, effective and linear addresses, segment checks, and operands in memory. */
#include "emul_internal.h"

/* Tries of a locked read-modify-write before the instruction is started anew. */
#define LOCK_TRIES 64

enum v3_emul_result v3_emu_fault(struct v3_emu *e, uint8_t vector)
{
	e->ctx->fault = (struct v3_emul_fault){
		.vector = vector,
		.has_error = (V3_EXCP_ERROR_CODE_MASK >> vector & 1) && (e->regs->cr0 & V3_CR0_PE),
	};
	return V3_EMUL_FAULT;
}

static bool is_high_byte(const struct v3_insn *insn, uint8_t reg, uint32_t size)
{
	return size == 1 && reg >= 4 && reg < 8 && !(insn->flags & V3_INSN_REX);
}

uint64_t v3_emu_get(const struct v3_emu *e, uint8_t reg, uint32_t size)
{
	if (is_high_byte(e->insn, reg, size))
		return e->regs->gpr[reg - 4] >> 8 & 0xff;
	return e->regs->gpr[reg] & v3_size_mask(size);
}

void v3_gpr_write(uint64_t *gpr, uint8_t reg, uint32_t size, bool high_byte, uint64_t value)
{
	if (high_byte)
		gpr[reg] = (gpr[reg] & ~0xff00ull) | (value & 0xff) << 8;
	else if (size >= 4)
		gpr[reg] = value & v3_size_mask(size);
	else
		gpr[reg] = (gpr[reg] & ~v3_size_mask(size)) | (value & v3_size_mask(size));
}

void v3_emu_set(struct v3_emu *e, uint8_t reg, uint32_t size, uint64_t value)
{
	bool high = is_high_byte(e->insn, reg, size);

	v3_gpr_write(e->regs->gpr, high ? reg - 4 : reg, size, high, value);
}

static uint64_t effective_offset(const struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	uint64_t offset = (uint64_t)insn->disp + (uint64_t)e->ea_adjust;

	if (insn->flags & V3_INSN_RIP_REL)
		offset += e->next_rip;
	if (insn->base != V3_INSN_NO_REG)
		offset += e->regs->gpr[insn->base];
	if (insn->index != V3_INSN_NO_REG)
		offset += e->regs->gpr[insn->index] << insn->scale;
	return offset & v3_size_mask(insn->addrsize);
}

/* APM2 1.1.3: the upper bits equal bit 47, or bit 56 with five-level paging. */
static bool canonical(const struct v3_emu *e, uint64_t addr)
{
	uint32_t shift = e->regs->cr4 & V3_CR4_LA57 ? 7 : 16;

	return (uint64_t)((int64_t)(addr << shift) >> shift) == addr;
}

static enum v3_emul_result linear64(struct v3_emu *e, uint8_t seg, uint64_t offset, uint32_t size,
				    uint64_t *linear)
{
	uint64_t first = offset, last;

	if (seg == V3_SEG_FS || seg == V3_SEG_GS)
		first += e->regs->seg[seg].base;
	last = first + size - 1;
	if (last < first || !canonical(e, first) || !canonical(e, last))
		return v3_emu_fault(e, seg == V3_SEG_SS ? V3_EXCP_SS : V3_EXCP_GP);
	*linear = first;
	return V3_EMUL_OK;
}

/* Presence and type: protected mode only (APM2 4.7.1, 4.12). */
static bool access_allowed(const struct v3_emul_seg *s, uint8_t seg, bool write)
{
	if (!(s->attrib & V3_SEG_P) || !(s->attrib & V3_SEG_S))
		return false;
	if (seg != V3_SEG_CS && seg != V3_SEG_SS && !(s->selector & ~V3_SEL_RPL_MASK))
		return false;
	if (s->attrib & V3_SEG_CODE)
		return !write && (s->attrib & V3_SEG_READABLE);
	return !write || (s->attrib & V3_SEG_WRITABLE);
}

static bool within_limit(const struct v3_emul_seg *s, uint64_t offset, uint32_t size)
{
	uint64_t last = offset + size - 1;
	bool down = (s->attrib & (V3_SEG_CODE | V3_SEG_EXPAND_DOWN)) == V3_SEG_EXPAND_DOWN;

	if (down)
		return offset > s->limit && last <= (s->attrib & V3_SEG_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

enum v3_emul_result v3_emu_linear(struct v3_emu *e, uint8_t seg, uint64_t offset, uint32_t size,
				  bool write, uint64_t *linear)
{
	const struct v3_emul_seg *s = &e->regs->seg[seg];
	uint64_t addr;

	if (e->insn->mode == V3_INSN_MODE_64)
		return linear64(e, seg, offset, size, linear);
	if ((v3_emu_protected(e) && !access_allowed(s, seg, write)) ||
	    !within_limit(s, offset, size))
		return v3_emu_fault(e, seg == V3_SEG_SS ? V3_EXCP_SS : V3_EXCP_GP);
	addr = (uint32_t)(s->base + offset);
	/* An operand across the 4 GiB line: models differ, nobody does it, the ops need not. */
	if (addr + size > 1ull << 32)
		return V3_EMUL_UNHANDLED;
	*linear = addr;
	return V3_EMUL_OK;
}

enum v3_emul_result v3_emu_operand(struct v3_emu *e, uint32_t size, bool write, uint64_t *linear)
{
	return v3_emu_linear(e, e->insn->seg, effective_offset(e), size, write, linear);
}

enum v3_emul_result v3_emu_load(struct v3_emu *e, uint64_t linear, uint32_t size,
				uint32_t access, uint64_t *value)
{
	uint64_t v = 0;
	enum v3_emul_result res = e->ctx->ops->read(e->ctx->opaque, linear, &v, size, access,
						    &e->ctx->fault);

	*value = v;
	return res;
}

enum v3_emul_result v3_emu_store(struct v3_emu *e, uint64_t linear, uint32_t size,
				 uint32_t access, uint64_t value)
{
	value &= v3_size_mask(size);
	return e->ctx->ops->write(e->ctx->opaque, linear, &value, size, access, &e->ctx->fault);
}

enum v3_emul_result v3_emu_read_rm(struct v3_emu *e, uint32_t size, uint64_t *value)
{
	enum v3_emul_result res;
	uint64_t linear;

	if (!(e->insn->flags & V3_INSN_MEM)) {
		*value = v3_emu_get(e, e->insn->rm, size);
		return V3_EMUL_OK;
	}
	res = v3_emu_operand(e, size, false, &linear);
	if (res != V3_EMUL_OK)
		return res;
	return v3_emu_load(e, linear, size, 0, value);
}

enum v3_emul_result v3_emu_write_rm(struct v3_emu *e, uint32_t size, uint64_t value)
{
	enum v3_emul_result res;
	uint64_t linear;

	if (!(e->insn->flags & V3_INSN_MEM)) {
		v3_emu_set(e, e->insn->rm, size, value);
		return V3_EMUL_OK;
	}
	res = v3_emu_operand(e, size, true, &linear);
	if (res != V3_EMUL_OK)
		return res;
	return v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE, value);
}

/* Locked read-modify-write of memory: compute anew until nobody was faster. */
static enum v3_emul_result rmw_locked(struct v3_emu *e, enum v3_alu_op op, uint64_t linear,
				      uint32_t size, uint64_t b, uint64_t c, uint64_t *old,
				      uint64_t *rflags)
{
	enum v3_emul_result res;
	bool swapped = false;

	res = v3_emu_load(e, linear, size, V3_EMUL_ACCESS_WRITE, old);
	for (int i = 0; res == V3_EMUL_OK && i < LOCK_TRIES; i++) {
		uint64_t desired;

		*rflags = e->regs->rflags;
		desired = v3_alu(op, size, *old, b, c, rflags);
		res = e->ctx->ops->cmpxchg(e->ctx->opaque, linear, old, &desired, size, &swapped,
					   &e->ctx->fault);
		if (res == V3_EMUL_OK && swapped)
			return V3_EMUL_OK;
	}
	return res == V3_EMUL_OK ? V3_EMUL_AGAIN : res;
}

static bool only_reads(enum v3_alu_op op)
{
	return op == V3_ALU_CMP || op == V3_ALU_BT;
}

enum v3_emul_result v3_emu_rmw(struct v3_emu *e, enum v3_alu_op op, uint32_t size, uint64_t b,
			       uint64_t c, bool locked, uint64_t *old)
{
	bool write = !only_reads(op);
	uint64_t rflags = e->regs->rflags;
	uint64_t before = 0, after, linear;
	enum v3_emul_result res;

	if (!(e->insn->flags & V3_INSN_MEM)) {
		before = v3_emu_get(e, e->insn->rm, size);
		after = v3_alu(op, size, before, b, c, &rflags);
		if (write)
			v3_emu_set(e, e->insn->rm, size, after);
		goto commit;
	}
	res = v3_emu_operand(e, size, write, &linear);
	if (res != V3_EMUL_OK)
		return res;
	if (locked || (e->insn->flags & V3_INSN_LOCK)) {
		res = rmw_locked(e, op, linear, size, b, c, &before, &rflags);
		if (res != V3_EMUL_OK)
			return res;
		goto commit;
	}
	res = v3_emu_load(e, linear, size, write ? V3_EMUL_ACCESS_WRITE : 0, &before);
	if (res != V3_EMUL_OK)
		return res;
	after = v3_alu(op, size, before, b, c, &rflags);
	if (write) {
		res = v3_emu_store(e, linear, size, V3_EMUL_ACCESS_WRITE, after);
		if (res != V3_EMUL_OK)
			return res;
	}
commit:
	e->regs->rflags = rflags;
	if (old)
		*old = before;
	return V3_EMUL_OK;
}
