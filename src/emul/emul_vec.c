/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSE and AVX loads and stores that move data: whole registers, parts, elements, and copies of
 * them. Nothing that calculates.
 */
#include "emul_internal.h"

#define AVX_ON (V3_XCR0_SSE | V3_XCR0_AVX)

/* How a load fills what it has not read. */
enum vec_fill {
	FILL_ZERO,
	FILL_BROADCAST,		/* copies of what was read, up to the vector's length */
	FILL_EVEN,		/* odd elements of `unit` bytes get copies of even ones below, */
	FILL_ODD,		/* or the other way round */
};

/* What a vector move does with memory. */
struct vec_move {
	uint8_t size;		/* bytes of memory; 0: not one of ours */
	uint8_t at;		/* where in the register they are */
	uint8_t keep;		/* loads: bytes of a register that stay around them: 0, 16, 32 */
	uint8_t fill;		/* loads: enum vec_fill */
	uint8_t unit;
	bool store;
	bool aligned;		/* #GP(0) unless aligned to size */
};

static uint8_t vector_length(const struct v3_insn *insn)
{
	return insn->vl ? 32 : 16;
}

static struct vec_move full(const struct v3_insn *insn, bool store, bool aligned)
{
	return (struct vec_move){
		.size = vector_length(insn), .store = store, .aligned = aligned,
	};
}

static struct vec_move part(uint8_t size, bool store)
{
	return (struct vec_move){ .size = size, .store = store };
}

/* MOVLPS, MOVHPS */
static struct vec_move half(bool store, bool high)
{
	return (struct vec_move){ .size = 8, .store = store, .at = high ? 8 : 0, .keep = 16 };
}

/* Element `index` of a register of `of` bytes. */
static struct vec_move element(uint8_t size, uint64_t index, uint8_t of, bool store)
{
	return (struct vec_move){
		.size = size, .at = (uint8_t)(index * size & (of - 1u)), .keep = of, .store = store,
	};
}

static struct vec_move broadcast(uint8_t size)
{
	return (struct vec_move){ .size = size, .fill = FILL_BROADCAST };
}

/* MOVSLDUP, MOVSHDUP, and MOVDDUP of 32 bytes */
static struct vec_move duplicate(const struct v3_insn *insn, uint8_t unit, enum vec_fill fill)
{
	struct vec_move m = full(insn, false, !(insn->flags & V3_INSN_VEX));

	m.unit = unit;
	m.fill = (uint8_t)fill;
	return m;
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

/* 12, 13, 16, 17 */
static struct vec_move halves(const struct v3_insn *insn)
{
	if (insn->pp < 2)
		return half(insn->opcode & 1, insn->opcode & 4);
	if (insn->pp == 2)
		return duplicate(insn, 4, insn->opcode & 4 ? FILL_ODD : FILL_EVEN);
	return insn->vl ? duplicate(insn, 8, FILL_EVEN) : broadcast(8);
}

static uint8_t gpr_size(const struct v3_insn *insn)
{
	return insn->opsize == 8 ? 8 : 4;
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
		return halves(insn);
	case 0x6e:
		return pp == 1 ? part(gpr_size(insn), false) : none;
	case 0x7e:
		if (pp == 2)
			return part(8, false);
		return pp == 1 ? part(gpr_size(insn), true) : none;
	case 0x6f: case 0x7f:
		return pp == 0 ? none : full(insn, insn->opcode == 0x7f, pp == 1);
	case 0xc4:
		return pp == 1 ? element(2, insn->imm, 16, false) : none;	/* PINSRW */
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

static struct vec_move classify_0f38(const struct v3_insn *insn)
{
	static const struct vec_move none;

	if (insn->pp != 1)
		return none;
	if (insn->opcode == 0x2a)	/* MOVNTDQA */
		return full(insn, false, true);
	if (!(insn->flags & V3_INSN_VEX))
		return none;
	switch (insn->opcode) {	/* VBROADCASTxx, VPBROADCASTx */
	case 0x78:
		return broadcast(1);
	case 0x79:
		return broadcast(2);
	case 0x18: case 0x58:
		return broadcast(4);
	case 0x19: case 0x59:
		return broadcast(8);
	case 0x1a: case 0x5a:
		return broadcast(16);
	default:
		return none;
	}
}

static struct vec_move classify_0f3a(const struct v3_insn *insn)
{
	static const struct vec_move none;
	bool vex = insn->flags & V3_INSN_VEX;

	if (insn->pp != 1)
		return none;
	switch (insn->opcode) {
	case 0x14:	/* PEXTRB, PEXTRW, PEXTRD and PEXTRQ, EXTRACTPS */
		return element(1, insn->imm, 16, true);
	case 0x15:
		return element(2, insn->imm, 16, true);
	case 0x16:
		return element(gpr_size(insn), insn->imm, 16, true);
	case 0x17:
		return element(4, insn->imm, 16, true);
	case 0x20:	/* PINSRB, PINSRD and PINSRQ */
		return element(1, insn->imm, 16, false);
	case 0x22:
		return element(gpr_size(insn), insn->imm, 16, false);
	case 0x18: case 0x38:	/* VINSERTF128, VINSERTI128 */
		return vex ? element(16, insn->imm, 32, false) : none;
	case 0x19: case 0x39:	/* VEXTRACTF128, VEXTRACTI128 */
		return vex ? element(16, insn->imm, 32, true) : none;
	default:
		return none;
	}
}

static struct vec_move classify(const struct v3_insn *insn)
{
	switch (insn->map) {
	case V3_MAP_0F:
		return classify_0f(insn);
	case V3_MAP_0F38:
		return classify_0f38(insn);
	case V3_MAP_0F3A:
		return classify_0f3a(insn);
	default:
		return (struct vec_move){ .size = 0 };
	}
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

	res = e->ctx->ops->vec_get(e->ctx->opaque, e->insn->reg, buf,
				   m->at + m->size > 16 ? 32 : 16);
	if (res != V3_EMUL_OK)
		return res;
	return e->ctx->ops->write(e->ctx->opaque, linear, buf + m->at, m->size,
				  V3_EMUL_ACCESS_WRITE, &e->ctx->fault);
}

static void fill(uint8_t *buf, const struct vec_move *m, uint32_t length)
{
	uint32_t odd = m->fill == FILL_ODD ? m->unit : 0;

	switch (m->fill) {
	case FILL_BROADCAST:
		for (uint32_t i = m->size; i < length; i++)
			buf[i] = buf[i - m->size];
		break;
	case FILL_EVEN:
	case FILL_ODD:
		for (uint32_t i = 0; i < length; i += 2u * m->unit)
			for (uint32_t k = 0; k < m->unit; k++)
				buf[i + m->unit - odd + k] = buf[i + odd + k];
		break;
	default:
		break;
	}
}

static enum v3_emul_result vec_load(struct v3_emu *e, const struct vec_move *m, uint64_t linear)
{
	bool vex = e->insn->flags & V3_INSN_VEX;
	uint32_t length = vector_length(e->insn);
	uint8_t buf[32] = { 0 };
	enum v3_emul_result res;

	/* VEX takes what stays from another register. */
	if (m->keep) {
		res = e->ctx->ops->vec_get(e->ctx->opaque, vex ? e->insn->vvvv : e->insn->reg,
					   buf, m->keep);
		if (res != V3_EMUL_OK)
			return res;
	}
	res = e->ctx->ops->read(e->ctx->opaque, linear, buf + m->at, m->size, 0, &e->ctx->fault);
	if (res != V3_EMUL_OK)
		return res;
	fill(buf, m, length);
	return e->ctx->ops->vec_set(e->ctx->opaque, e->insn->reg, buf, length, vex);
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
