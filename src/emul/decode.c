/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction decoder. The order of work is the order of the bytes: legacy prefixes and REX,
 * escape or VEX/EVEX/XOP prefix, opcode, ModRM, SIB, displacement, immediates (APM3 1.1).
 */
#include "decode.h"
#include "decode_internal.h"
#include "decode_tables.h"

/* Base and index of 16-bit addressing, by ModRM.rm. */
static const uint8_t base16[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
static const uint8_t index16[8] = { 6, 7, 6, 7, V3_INSN_NO_REG, V3_INSN_NO_REG,
				    V3_INSN_NO_REG, V3_INSN_NO_REG };

/* This is on the path of every MMIO exit: one call frame for the common case. */
#define always_inline inline __attribute__((always_inline))
#define out_of_line __attribute__((__noinline__))

/* Out of bytes: either the caller gave too few or the instruction is longer than any may be. */
static enum v3_decode_status out_of_bytes(const struct v3_cursor *c)
{
	return c->end == V3_INSN_MAX_LEN ? V3_DECODE_TOO_LONG : V3_DECODE_TRUNCATED;
}

/* Little-endian value of `size` bytes at the cursor, sign-extended. The caller checked. */
static inline int64_t take(struct v3_cursor *c, uint32_t size)
{
	const uint8_t *p = c->bytes + c->pos;
	uint64_t v;

	c->pos += size;
	switch (size) {
	case 1:
		return (int8_t)p[0];
	case 2:
		return (int16_t)(p[0] | p[1] << 8);
	case 4:
		return (int32_t)(p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
	default:
		v = p[0] | p[1] << 8 | p[2] << 16 | (uint64_t)p[3] << 24;
		v |= (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40;
		v |= (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
		return (int64_t)v;
	}
}

static inline bool have(const struct v3_cursor *c, uint32_t size)
{
	return c->end - c->pos >= size;
}

/* One legacy prefix byte. */
static void legacy_prefix(struct v3_insn *out, uint8_t b)
{
	switch (b) {
	case 0x66:
		out->flags |= V3_INSN_OPSIZE;
		return;
	case 0x67:
		out->flags |= V3_INSN_ADDRSIZE;
		return;
	case 0xf0:
		out->flags |= V3_INSN_LOCK;
		return;
	case 0xf2:
		out->flags = (uint16_t)((out->flags & ~V3_INSN_REP) | V3_INSN_REPNE);
		return;
	case 0xf3:
		out->flags = (uint16_t)((out->flags & ~V3_INSN_REPNE) | V3_INSN_REP);
		return;
	case 0x64:
	case 0x65:
		out->seg = (uint8_t)(b - 0x64 + V3_SEG_FS);
		break;
	default:	/* 26, 2E, 36, 3E: ES, CS, SS, DS; no effect in 64-bit mode (APM3 1.2.4) */
		if (out->mode == V3_INSN_MODE_64)
			return;
		out->seg = (uint8_t)((b - 0x26) >> 3);
		break;
	}
	out->flags |= V3_INSN_SEG_OVERRIDE;
}

/* One prefix byte; false if `b` is an opcode after all. */
static bool take_prefix(struct v3_insn *out, uint8_t b)
{
	if ((b & 0xf0) == 0x40) {
		if (out->mode != V3_INSN_MODE_64)
			return false;
		out->flags |= V3_INSN_REX;
		out->rex = b & 0x0f;
		return true;
	}
	/* A REX that is not right before the opcode does not count. */
	out->flags &= (uint16_t)~V3_INSN_REX;
	out->rex = 0;
	legacy_prefix(out, b);
	return true;
}

/* Prefixes up to the opcode byte, which is returned, or -1 when the bytes end before it. */
static always_inline int read_prefixes(struct v3_cursor *c, struct v3_insn *out)
{
	while (c->pos < c->end) {
		uint8_t b = c->bytes[c->pos++];

		if (!(v3_attr_one[b] & V3_AT_PREFIX) || !take_prefix(out, b))
			return b;
	}
	return -1;
}

static enum v3_decode_status read_sib(struct v3_cursor *c, struct v3_insn *out)
{
	uint8_t sib;

	if (!have(c, 1))
		return out_of_bytes(c);
	sib = c->bytes[c->pos++];
	out->scale = sib >> 6;
	out->index = (uint8_t)((sib >> 3 & 7) | (out->rex & V3_REX_X) << 2);
	if (out->index == 4)
		out->index = V3_INSN_NO_REG;
	if ((sib & 7) == 5 && out->mod == 0)
		out->disp_size = 4;
	else
		out->base = (uint8_t)((sib & 7) | (out->rex & V3_REX_B) << 3);
	return V3_DECODE_OK;
}

static void address16(struct v3_insn *out)
{
	if (out->rm == 6 && out->mod == 0) {
		out->disp_size = 2;
		return;
	}
	out->base = base16[out->rm];
	out->index = index16[out->rm];
	if (out->mod == 2)
		out->disp_size = 2;
}

/* The memory operand that mod and rm (without REX.B) name. */
static always_inline enum v3_decode_status read_memory(struct v3_cursor *c, struct v3_insn *out,
						       uint32_t mod, uint32_t rm)
{
	uint16_t flags = out->flags | V3_INSN_MEM;

	out->disp_size = mod == 1;
	if (out->addrsize == 2) {
		address16(out);
	} else {
		if (mod == 2)
			out->disp_size = 4;
		if (rm == 4) {
			enum v3_decode_status st = read_sib(c, out);

			if (st != V3_DECODE_OK)
				return st;
		} else if (rm == 5 && mod == 0) {
			out->disp_size = 4;
			if (out->mode == V3_INSN_MODE_64)
				flags |= V3_INSN_RIP_REL;
		} else {
			out->base = (uint8_t)(rm | (out->rex & V3_REX_B) << 3);
		}
	}
	out->flags = flags;
	/* BP, SP and their wide forms as base mean the stack segment. */
	if ((out->base & 0xfe) == 4 && !(flags & V3_INSN_SEG_OVERRIDE))
		out->seg = V3_SEG_SS;
	if (out->disp_size) {
		if (!have(c, out->disp_size))
			return out_of_bytes(c);
		out->disp = take(c, out->disp_size);
	}
	return V3_DECODE_OK;
}

/* ModRM, SIB and displacement. */
static always_inline enum v3_decode_status read_modrm(struct v3_cursor *c, struct v3_insn *out,
						      uint32_t attr)
{
	uint32_t m, mod, rm;

	if (!have(c, 1))
		return out_of_bytes(c);
	m = c->bytes[c->pos++];
	mod = attr & V3_AT_REG ? 3 : m >> 6;
	rm = m & 7;
	out->flags |= V3_INSN_MODRM;
	out->mod = (uint8_t)mod;
	out->rm = (uint8_t)rm;
	out->reg = (uint8_t)((m >> 3 & 7) | (out->rex & V3_REX_R) << 1);
	if (mod != 3)
		return read_memory(c, out, mod, rm);
	out->rm |= (uint8_t)((out->rex & V3_REX_B) << 3);
	return V3_DECODE_OK;
}

/* A main immediate of `size` bytes, then `second` more for imm2. */
static enum v3_decode_status read_imms(struct v3_cursor *c, struct v3_insn *out, uint32_t size,
				       uint32_t second)
{
	if (!have(c, size + second))
		return out_of_bytes(c);
	out->imm_size = (uint8_t)size;
	out->imm = (uint64_t)take(c, size);
	if (second == 1)
		out->imm2 = c->bytes[c->pos++];
	else if (second == 2)
		out->imm2 = (uint16_t)take(c, 2);
	return V3_DECODE_OK;
}

static enum v3_decode_status read_moffs(struct v3_cursor *c, struct v3_insn *out)
{
	if (!have(c, out->addrsize))
		return out_of_bytes(c);
	out->flags |= V3_INSN_MEM | V3_INSN_MOFFS;
	out->disp_size = out->addrsize;
	out->disp = take(c, out->addrsize);
	if (out->addrsize == 2)
		out->disp &= 0xffff;
	else if (out->addrsize == 4)
		out->disp &= 0xffffffff;
	return V3_DECODE_OK;
}

static enum v3_decode_status read_immediate(struct v3_cursor *c, struct v3_insn *out,
					    uint32_t kind)
{
	uint32_t z = out->opsize == 2 ? 2 : 4;

	switch (kind) {
	case V3_IMM_B:
		return read_imms(c, out, 1, 0);
	case V3_IMM_Z:
		return read_imms(c, out, z, 0);
	case V3_IMM_V:
		return read_imms(c, out, out->opsize, 0);
	case V3_IMM_W:
		return read_imms(c, out, 2, 0);
	case V3_IMM_WB:
		return read_imms(c, out, 2, 1);
	case V3_IMM_MOFFS:
		return read_moffs(c, out);
	case V3_IMM_FAR:
		return read_imms(c, out, z, 2);
	case V3_IMM_JB:
		out->flags |= V3_INSN_REL;
		return read_imms(c, out, 1, 0);
	case V3_IMM_JZ:
		out->flags |= V3_INSN_REL;
		return read_imms(c, out, z, 0);
	case V3_IMM_D:
		return read_imms(c, out, 4, 0);
	case V3_IMM_BB:
		return read_imms(c, out, 1, 1);
	default:
		return V3_DECODE_OK;
	}
}

static inline void set_opsize(struct v3_insn *out, uint32_t attr)
{
	bool wide = out->mode != V3_INSN_MODE_16;

	if (attr & V3_AT_BYTE) {
		out->flags |= V3_INSN_BYTE_OP;
		out->opsize = 1;
		return;
	}
	if (out->flags & V3_INSN_OPSIZE)
		wide = !wide;
	out->opsize = wide ? 4 : 2;
	/* REX.W is never set outside of 64-bit mode. */
	if ((out->rex & V3_REX_W) ||
	    (out->mode == V3_INSN_MODE_64 && (attr & (V3_AT_F64 | V3_AT_D64)) &&
	     ((attr & V3_AT_F64) || wide)))
		out->opsize = 8;
}

/* What ModRM.reg or a prefix changes about size and immediate of a few opcodes. */
static uint16_t special_attr(struct v3_insn *out, uint16_t attr)
{
	uint8_t reg = out->reg & 7;

	if (out->map == V3_MAP_ONE) {
		switch (out->opcode) {
		case 0xf6:
			return reg < 2 ? attr | V3_IMM_B : attr;
		case 0xf7:
			return reg < 2 ? attr | V3_IMM_Z : attr;
		case 0xff:
			if (reg == 2 || reg == 4)
				set_opsize(out, V3_AT_F64);
			else if (reg == 6)
				set_opsize(out, V3_AT_D64);
			break;
		default:
			break;
		}
		return attr;
	}
	if (out->map != V3_MAP_0F)
		return attr;
	if (attr & V3_AT_REG)	/* MOV to and from CR, DR: never 16 bits */
		out->opsize = out->mode == V3_INSN_MODE_64 ? 8 : 4;
	else if (out->opcode == 0x78 && (out->pp & 1))	/* EXTRQ, INSERTQ */
		attr |= V3_IMM_BB;
	return attr;
}

/* 0F and what follows: opcode, map and attributes. */
static enum v3_decode_status read_0f(struct v3_cursor *c, struct v3_insn *out, uint16_t *attr,
				     uint8_t *pp_mask)
{
	uint8_t op;

	if (!have(c, 1))
		return out_of_bytes(c);
	op = c->bytes[c->pos++];
	if (op != 0x38 && op != 0x3a) {
		out->map = V3_MAP_0F;
		out->opcode = op;
		*attr = v3_attr_0f[op];
		*pp_mask = v3_pp_0f[op];
		return V3_DECODE_OK;
	}
	if (!have(c, 1))
		return out_of_bytes(c);
	out->opcode = c->bytes[c->pos++];
	if (op == 0x38) {
		out->map = V3_MAP_0F38;
		*attr = V3_AT_MODRM;
		*pp_mask = v3_pp_0f38[out->opcode];
	} else {
		out->map = V3_MAP_0F3A;
		*attr = V3_AT_MODRM | V3_IMM_B;
		*pp_mask = v3_pp_0f3a[out->opcode];
	}
	return V3_DECODE_OK;
}

/* No prefix but segment and address size may stand before VEX, EVEX, XOP (SDM2 2.3.2-2.3.4). */
static bool bad_vex_prefix(const struct v3_insn *out)
{
	return out->flags & (V3_INSN_LOCK | V3_INSN_REP | V3_INSN_REPNE | V3_INSN_OPSIZE |
			     V3_INSN_REX);
}

/* The byte with W, vvvv, L and pp, which VEX and XOP share. */
static void vex_payload(struct v3_insn *out, uint8_t p)
{
	out->pp = p & 3;
	out->vl = p >> 2 & 1;
	out->vvvv = (uint8_t)(~p >> 3 & 0xf);
}

/* The bytes between the first one and the opcode: map, extension bits, W, vvvv, L, pp. */
static void vex_prefix(struct v3_insn *out, uint8_t first, const uint8_t *p)
{
	out->rex = (uint8_t)(~p[0] >> 5 & 7);	/* R X B */
	if (first == 0xc5) {
		out->map = V3_MAP_0F;
		out->rex &= V3_REX_R;
		vex_payload(out, p[0]);
	} else {
		out->map = p[0] & (first == 0x62 ? 0x07 : 0x1f);
		vex_payload(out, p[1]);
		if (p[1] & 0x80)
			out->rex |= V3_REX_W;
	}
	if (first == 0x62)
		out->vl = p[2] >> 5 & 3;
	if (out->mode != V3_INSN_MODE_64)
		out->rex &= V3_REX_W;
	out->opsize = (out->rex & V3_REX_W) && out->mode == V3_INSN_MODE_64 ? 8 : 4;
}

/* Sets the kind of encoding; false if there is no such map, fixed bit or VEX opcode. */
static bool vex_kind(struct v3_insn *out, uint8_t first, const uint8_t *p)
{
	if (first == 0x62) {
		out->flags |= V3_INSN_EVEX;
		return !(p[0] & 0x08) && (p[1] & 0x04) && out->map != 0 && out->map != 4 &&
		       out->map != 7;
	}
	if (first == 0x8f) {
		out->flags |= V3_INSN_XOP;
		return out->map <= V3_MAP_XOPA && !out->pp;
	}
	out->flags |= V3_INSN_VEX;
	return out->map >= V3_MAP_0F && out->map <= V3_MAP_0F3A &&
	       v3_vex_attr[out->map - 1][out->opcode][out->pp];
}

static uint32_t vex_immediate(const struct v3_insn *insn)
{
	switch (insn->map) {
	case V3_MAP_0F:
		return v3_attr_0f[insn->opcode] & V3_IMM_KIND;
	case V3_MAP_0F3A:
	case V3_MAP_XOP8:
		return V3_IMM_B;
	case V3_MAP_XOPA:
		return V3_IMM_D;
	default:
		return V3_IMM_NONE;
	}
}

/* VEX (C4, C5), XOP (8F), EVEX (62) from the byte after the first one on. */
static enum v3_decode_status decode_vex(struct v3_cursor *c, struct v3_insn *out, uint8_t first)
{
	uint32_t n = first == 0xc5 ? 1 : first == 0x62 ? 3 : 2;	/* bytes before the opcode */
	const uint8_t *p = c->bytes + c->pos;
	enum v3_decode_status st;

	if (bad_vex_prefix(out))
		return V3_DECODE_INVALID;
	if (!have(c, n + 1))
		return out_of_bytes(c);
	c->pos += n + 1;
	out->opcode = p[n];
	vex_prefix(out, first, p);
	if (!vex_kind(out, first, p))
		return V3_DECODE_INVALID;
	/* VZEROUPPER and VZEROALL are the only ones without ModRM. */
	if (!(out->flags & V3_INSN_VEX) || out->map != V3_MAP_0F || out->opcode != 0x77) {
		st = read_modrm(c, out, V3_AT_MODRM);
		if (st != V3_DECODE_OK)
			return st;
	}
	if ((out->flags & V3_INSN_VEX) && !v3_vex_valid(out))
		return V3_DECODE_INVALID;
	st = read_immediate(c, out, vex_immediate(out));
	out->length = (uint8_t)c->pos;
	return st;
}

/* C4, C5 and 62 are LES, LDS and BOUND outside of 64-bit mode unless the next byte looks like
 * a register form; 8F is POP unless its reg field and the map it would mean are not zero. */
static bool is_vex(const struct v3_cursor *c, const struct v3_insn *out, uint8_t op)
{
	if (op == 0x8f)
		return have(c, 1) && (c->bytes[c->pos] & 0x1f) >= V3_MAP_XOP8;
	if (op != 0xc4 && op != 0xc5 && op != 0x62)
		return false;
	return out->mode == V3_INSN_MODE_64 || (have(c, 1) && c->bytes[c->pos] >= 0xc0);
}

/* 3DNow has its opcode where others have an immediate. */
static void to_3dnow(struct v3_insn *out)
{
	out->map = V3_MAP_3DNOW;
	out->opcode = (uint8_t)out->imm;
	out->imm = 0;
	out->imm_size = 0;
}

/* What 66, 67, F2 and F3 mean beside the operand size. F2 and F3 win over 66 (SDM2 2.1.2). */
static void apply_prefixes(struct v3_insn *out)
{
	if (out->flags & V3_INSN_ADDRSIZE)
		out->addrsize = out->mode == V3_INSN_MODE_32 ? 2 : 4;
	if (out->flags & V3_INSN_REPNE)
		out->pp = 3;
	else if (out->flags & V3_INSN_REP)
		out->pp = 2;
	else if (out->flags & V3_INSN_OPSIZE)
		out->pp = 1;
}

/* The plainest opcodes have nothing that could be wrong. Neither has the first member of a
 * one-byte group: all of these exist (C7 /0 is the store of an immediate). */
static always_inline bool needs_check(const struct v3_insn *insn, uint32_t attr, uint32_t pp_mask)
{
	uint32_t check = attr & V3_AT_CHECK;

	if (pp_mask != 0xff || (insn->flags & V3_INSN_LOCK))
		return true;
	return check && (check != V3_AT_GROUP || insn->map != V3_MAP_ONE || (insn->reg & 7));
}

enum v3_decode_status v3_decode(const uint8_t *bytes, size_t avail, enum v3_insn_mode mode,
				struct v3_insn *out)
{
	struct v3_cursor c = { bytes, 0, 0 };
	enum v3_decode_status st;
	uint8_t pp_mask = 0xff;
	uint16_t attr;
	int op;

	c.end = avail < V3_INSN_MAX_LEN ? (uint32_t)avail : V3_INSN_MAX_LEN;
	*out = (struct v3_insn){
		.mode = (uint8_t)mode, .addrsize = (uint8_t)(2u << mode), .seg = V3_SEG_DS,
		.base = V3_INSN_NO_REG, .index = V3_INSN_NO_REG,
	};
	op = read_prefixes(&c, out);
	if (op < 0)
		return out_of_bytes(&c);
	if (out->flags & (V3_INSN_REP | V3_INSN_REPNE | V3_INSN_OPSIZE | V3_INSN_ADDRSIZE))
		apply_prefixes(out);
	attr = v3_attr_one[op];
	out->opcode = (uint8_t)op;
	if (attr & V3_AT_SPECIAL) {
		if (is_vex(&c, out, (uint8_t)op))
			return decode_vex(&c, out, (uint8_t)op);
		if (op == 0x0f) {
			st = read_0f(&c, out, &attr, &pp_mask);
			if (st != V3_DECODE_OK)
				return st;
		}
	}

	set_opsize(out, attr);
	if (attr & V3_AT_MODRM) {
		st = read_modrm(&c, out, attr);
		if (st != V3_DECODE_OK)
			return st;
	}
	if (attr & V3_AT_SPECIAL)
		attr = special_attr(out, attr);
	if (needs_check(out, attr, pp_mask) && !v3_legacy_valid(out, attr, pp_mask))
		return V3_DECODE_INVALID;
	if (attr & V3_IMM_KIND) {
		st = read_immediate(&c, out, attr & V3_IMM_KIND);
		if (st != V3_DECODE_OK)
			return st;
		if (out->map == V3_MAP_0F && out->opcode == 0x0f)
			to_3dnow(out);
	}
	out->length = (uint8_t)c.pos;
	return V3_DECODE_OK;
}
