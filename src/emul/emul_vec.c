/* SPDX-License-Identifier: BSD-2-Clause */
/* SSE and AVX loads and stores that move data and do nothing else. */
#include "emul_internal.h"

#define AVX_ON (V3_XCR0_SSE | V3_XCR0_AVX)

/* What a vector move does with memory. */
struct vec_move {
	uint8_t size;		/* bytes of memory; 0: not one of ours */
	bool store;
	bool aligned;		/* #GP(0) unless aligned to size */
	bool high;		/* MOVHPS: the register's bytes 8..15 */
	bool half;		/* MOVLPS, MOVHPS: a load keeps the other half */
	bool gpr_size;		/* MOVD, MOVQ: 4 or 8 by operand size */
};

static struct vec_move full(const struct v3_insn *insn, bool store, bool aligned)
{
	return (struct vec_move){
		.size = insn->vl ? 32 : 16, .store = store, .aligned = aligned,
	};
}

static struct vec_move part(uint8_t size, bool store)
{
	return (struct vec_move){ .size = size, .store = store };
}

static struct vec_move half(bool store, bool high)
{
	return (struct vec_move){ .size = 8, .store = store, .high = high, .half = true };
}

/* 10, 11, 2B: packed by none and 66, single by F3, double by F2. */
static struct vec_move by_prefix(const struct v3_insn *insn, bool store, bool aligned)
{
	if (insn->pp == 2)
		return part(4, store);
	if (insn->pp == 3)
		return part(8, store);
	return full(insn, store, aligned);
}

static struct vec_move classify_0f(const struct v3_insn *insn)
{
	static const struct vec_move none;
	uint8_t pp = insn->pp;

	switch (insn->opcode) {
	case 0x10: case 0x11:
		return by_prefix(insn, insn->opcode & 1, false);
	case 0x2b:
		return by_prefix(insn, true, pp < 2);
	case 0x28: case 0x29:
		return full(insn, insn->opcode & 1, true);
	case 0x12: case 0x13: case 0x16: case 0x17:
		return pp < 2 ? half(insn->opcode & 1, insn->opcode & 4) : none;
	case 0x6e:
		return pp == 1 ? part(insn->opsize == 8 ? 8 : 4, false) : none;
	case 0x7e:
		if (pp == 2)
			return part(8, false);
		return pp == 1 ? part(insn->opsize == 8 ? 8 : 4, true) : none;
	case 0x6f: case 0x7f:
		return pp == 0 ? none : full(insn, insn->opcode == 0x7f, pp == 1);
	case 0xd6:
		return pp == 1 ? part(8, true) : none;
	case 0xe7:
		return pp == 1 ? full(insn, true, true) : none;
	case 0xf0:
		return full(insn, false, false);
	default:
		return none;
	}
}

static struct vec_move classify(const struct v3_insn *insn)
{
	if (insn->map == V3_MAP_0F)
		return classify_0f(insn);
	if (insn->map == V3_MAP_0F38 && insn->opcode == 0x2a && insn->pp == 1)	/* MOVNTDQA */
		return full(insn, false, true);
	return (struct vec_move){ .size = 0 };
}

/* APM2 8.2.7, SDM2 2.4 and 2.8: is the unit on, and may the guest use it now? */
static enum v3_emul_result check_enabled(struct v3_emu *e)
{
	const struct v3_emul_regs *r = e->regs;
	bool vex = e->insn->flags & V3_INSN_VEX;

	if (vex && (!(r->cr4 & V3_CR4_OSXSAVE) || (r->xcr0 & AVX_ON) != AVX_ON ||
		    !v3_emu_protected(e)))
		return v3_emu_fault(e, V3_EXCP_UD);
	if (!vex && ((r->cr0 & V3_CR0_EM) || !(r->cr4 & V3_CR4_OSFXSR)))
		return v3_emu_fault(e, V3_EXCP_UD);
	if (r->cr0 & V3_CR0_TS)
		return v3_emu_fault(e, V3_EXCP_NM);
	return V3_EMUL_OK;
}

static enum v3_emul_result vec_store(struct v3_emu *e, const struct vec_move *m, uint64_t linear)
{
	uint8_t buf[32];
	enum v3_emul_result res;

	res = e->ctx->ops->vec_get(e->ctx->opaque, e->insn->reg, buf, m->high ? 16 : m->size);
	if (res != V3_EMUL_OK)
		return res;
	return e->ctx->ops->write(e->ctx->opaque, linear, buf + (m->high ? 8 : 0), m->size,
				  V3_EMUL_ACCESS_WRITE, &e->ctx->fault);
}

static enum v3_emul_result vec_load(struct v3_emu *e, const struct vec_move *m, uint64_t linear)
{
	bool vex = e->insn->flags & V3_INSN_VEX;
	uint8_t buf[32] = { 0 };
	enum v3_emul_result res;

	/* VEX takes the half that stays from another register. */
	if (m->half) {
		res = e->ctx->ops->vec_get(e->ctx->opaque, vex ? e->insn->vvvv : e->insn->reg,
					   buf, 16);
		if (res != V3_EMUL_OK)
			return res;
	}
	res = e->ctx->ops->read(e->ctx->opaque, linear, buf + (m->high ? 8 : 0), m->size, 0,
				&e->ctx->fault);
	if (res != V3_EMUL_OK)
		return res;
	return e->ctx->ops->vec_set(e->ctx->opaque, e->insn->reg, buf,
				    m->size == 32 ? 32 : 16, vex);
}

enum v3_emul_result v3_emu_vector(struct v3_emu *e)
{
	const struct v3_insn *insn = e->insn;
	struct vec_move m;
	enum v3_emul_result res;
	uint64_t linear;

	if (!(insn->flags & V3_INSN_MEM) || !e->ctx->ops->vec_get || !e->ctx->ops->vec_set)
		return V3_EMUL_UNHANDLED;
	m = classify(insn);
	if (!m.size)
		return V3_EMUL_UNHANDLED;
	res = check_enabled(e);
	if (res != V3_EMUL_OK)
		return res;
	res = v3_emu_operand(e, m.size, m.store, &linear);
	if (res != V3_EMUL_OK)
		return res;
	if (m.aligned && (linear & (m.size - 1u)))
		return v3_emu_fault(e, V3_EXCP_GP);
	return m.store ? vec_store(e, &m, linear) : vec_load(e, &m, linear);
}
