/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads of segment registers: in real mode a base, else a descriptor with checks (SDM vol. 3 5). */
#include "emul_cpu_internal.h"

#define SEL_MASK 0xfffcu	/* what an error code has of a selector */
#define DESC_ACCESSED_BYTE 5

static bool is_null(uint16_t selector)
{
	return !(selector & SEL_MASK);
}

static enum v3_emul_result seg_fault(struct v3_emu *e, uint8_t vector, uint16_t selector)
{
	(void)v3_emu_fault(e, vector);
	e->ctx->fault.error_code = selector & SEL_MASK;
	return V3_EMUL_FAULT;
}

/* Limit and rights stay what they were ("unreal mode"), but for a segment that was unusable. */
static struct v3_emul_seg real_seg(const struct v3_emul_seg *old, uint16_t selector)
{
	struct v3_emul_seg seg = *old;

	if (!(seg.attrib & V3_SEG_P)) {
		seg.attrib = V3_SEG_ATTR_DATA16;
		seg.limit = 0xffff;
	}
	seg.selector = selector;
	seg.base = (uint64_t)selector << 4;
	return seg;
}

/* The descriptor of a selector that is not null, and where it is. */
static enum v3_emul_result desc_read(struct v3_emu *e, const struct v3_emul_cpu *cpu,
				     uint16_t selector, uint64_t *desc, uint64_t *linear)
{
	uint32_t offset = selector & ~(V3_SEL_TI | V3_SEL_RPL_MASK), limit = cpu->gdt.limit;
	uint64_t base = cpu->gdt.base;

	if (selector & V3_SEL_TI) {
		if (!(cpu->ldt.attrib & V3_SEG_P))
			return seg_fault(e, V3_EXCP_GP, selector);
		base = cpu->ldt.base;
		limit = cpu->ldt.limit;
	}
	if ((uint64_t)offset + 7 > limit)
		return seg_fault(e, V3_EXCP_GP, selector);
	*linear = base + offset;
	if (!(e->regs->efer & V3_EFER_LMA))
		*linear = (uint32_t)*linear;
	/* Tables of 64-bit code, or one across the 4 GiB line: the ops need not have them. */
	if (*linear > 0xfffffff8)
		return V3_EMUL_UNHANDLED;
	return v3_emu_load(e, *linear, 8, V3_EMUL_ACCESS_SYSTEM, desc);
}

static enum v3_emul_result mark_accessed(struct v3_emu *e, uint64_t linear, uint64_t *desc)
{
	uint64_t byte = *desc >> 40 & 0xff;

	if (byte & V3_SEG_ACCESSED)
		return V3_EMUL_OK;
	*desc |= (uint64_t)V3_SEG_ACCESSED << 40;
	return v3_emu_store(e, linear + DESC_ACCESSED_BYTE, 1,
			    V3_EMUL_ACCESS_WRITE | V3_EMUL_ACCESS_SYSTEM, byte | V3_SEG_ACCESSED);
}

static struct v3_emul_seg desc_seg(uint16_t selector, uint64_t desc)
{
	return (struct v3_emul_seg){ selector, v3_desc_attr(desc), v3_desc_limit(desc),
				     v3_desc_base(desc) };
}

/* SS: writable data of the present privilege level. */
static enum v3_emul_result check_stack(struct v3_emu *e, uint16_t selector, uint16_t attrib)
{
	const uint16_t type = V3_SEG_S | V3_SEG_CODE | V3_SEG_WRITABLE;

	if ((selector & V3_SEL_RPL_MASK) != e->regs->cpl || V3_SEG_DPL(attrib) != e->regs->cpl ||
	    (attrib & type) != (V3_SEG_S | V3_SEG_WRITABLE))
		return seg_fault(e, V3_EXCP_GP, selector);
	return attrib & V3_SEG_P ? V3_EMUL_OK : seg_fault(e, V3_EXCP_SS, selector);
}

/* DS, ES, FS, GS: data or readable code. */
static enum v3_emul_result check_data(struct v3_emu *e, uint16_t selector, uint16_t attrib)
{
	const uint16_t conforming = V3_SEG_CODE | V3_SEG_CONFORMING;
	unsigned int rpl = selector & V3_SEL_RPL_MASK, dpl = V3_SEG_DPL(attrib);

	if (!(attrib & V3_SEG_S) || (attrib & (V3_SEG_CODE | V3_SEG_READABLE)) == V3_SEG_CODE ||
	    ((attrib & conforming) != conforming && (rpl > dpl || e->regs->cpl > dpl)))
		return seg_fault(e, V3_EXCP_GP, selector);
	return attrib & V3_SEG_P ? V3_EMUL_OK : seg_fault(e, V3_EXCP_NP, selector);
}

enum v3_emul_result v3_emu_load_seg(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t reg,
				    uint16_t selector)
{
	struct v3_emul_seg *seg = &e->regs->seg[reg];
	uint64_t desc, linear;

	if (!v3_emu_protected(e)) {
		*seg = real_seg(seg, selector);
	} else if (is_null(selector)) {
		if (reg == V3_SEG_SS)
			return seg_fault(e, V3_EXCP_GP, 0);
		*seg = (struct v3_emul_seg){ .selector = selector };
	} else {
		V3_TRY(desc_read(e, cpu, selector, &desc, &linear));
		V3_TRY(reg == V3_SEG_SS ? check_stack(e, selector, v3_desc_attr(desc))
					: check_data(e, selector, v3_desc_attr(desc)));
		V3_TRY(mark_accessed(e, linear, &desc));
		*seg = desc_seg(selector, desc);
	}
	cpu->changed = true;
	return V3_EMUL_OK;
}

/* Gates and task state segments lead elsewhere; what is no code segment otherwise, nowhere. */
static enum v3_emul_result check_system(struct v3_emu *e, uint16_t selector, uint16_t attrib)
{
	const uint32_t leads = 1u << V3_SEG_TYPE_TSS16 | 1u << V3_SEG_TYPE_CALL16 |
			       1u << V3_SEG_TYPE_TASK_GATE | 1u << V3_SEG_TYPE_TSS |
			       1u << V3_SEG_TYPE_CALL;

	if (!(attrib & V3_SEG_S) && leads >> (attrib & V3_SEG_TYPE_MASK) & 1)
		return V3_EMUL_UNHANDLED;
	return seg_fault(e, V3_EXCP_GP, selector);
}

/* A jump or call stays at its privilege level; a return to an outer one is not for us. */
static enum v3_emul_result check_code(struct v3_emu *e, enum v3_far how, uint16_t selector,
				      uint16_t attrib)
{
	unsigned int rpl = selector & V3_SEL_RPL_MASK, dpl = V3_SEG_DPL(attrib);
	unsigned int cpl = e->regs->cpl;

	if (!(attrib & V3_SEG_S) || !(attrib & V3_SEG_CODE))
		return how == V3_FAR_JUMP ? check_system(e, selector, attrib)
					  : seg_fault(e, V3_EXCP_GP, selector);
	if (how == V3_FAR_RETURN && rpl > cpl)
		return V3_EMUL_UNHANDLED;
	if (how == V3_FAR_RETURN ? rpl < cpl : rpl > cpl && !(attrib & V3_SEG_CONFORMING))
		return seg_fault(e, V3_EXCP_GP, selector);
	if (attrib & V3_SEG_CONFORMING ? dpl > cpl : dpl != cpl)
		return seg_fault(e, V3_EXCP_GP, selector);
	if (e->regs->efer & V3_EFER_LMA && attrib & V3_SEG_L && attrib & V3_SEG_DB)
		return seg_fault(e, V3_EXCP_GP, selector);
	return attrib & V3_SEG_P ? V3_EMUL_OK : seg_fault(e, V3_EXCP_NP, selector);
}

enum v3_emul_result v3_emu_far_target(struct v3_emu *e, struct v3_emul_cpu *cpu, enum v3_far how,
				      uint16_t selector, uint64_t offset, struct v3_emul_seg *cs)
{
	uint64_t desc, linear;

	if (!v3_emu_protected(e)) {
		*cs = real_seg(&e->regs->seg[V3_SEG_CS], selector);
		return offset > cs->limit ? v3_emu_fault(e, V3_EXCP_GP) : V3_EMUL_OK;
	}
	if (is_null(selector))
		return seg_fault(e, V3_EXCP_GP, 0);
	V3_TRY(desc_read(e, cpu, selector, &desc, &linear));
	V3_TRY(check_code(e, how, selector, v3_desc_attr(desc)));
	*cs = desc_seg((uint16_t)((selector & ~V3_SEL_RPL_MASK) | e->regs->cpl), desc);
	/* 64-bit code has no limit, and an offset of 32 bits is always canonical. */
	if (!(e->regs->efer & V3_EFER_LMA && cs->attrib & V3_SEG_L) && offset > cs->limit)
		return seg_fault(e, V3_EXCP_GP, 0);
	V3_TRY(mark_accessed(e, linear, &desc));
	cs->attrib |= V3_SEG_ACCESSED;
	return V3_EMUL_OK;
}
