/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look at the few instructions that reach devices nearly every time, at a fraction of the
 * decoder's cost. tests/unit/emul compares it with the decoder.
 */
#include "emul/emul.h"

#define REX_W 0x08
#define REX_R 0x04
#define OP_STORE 0x89
#define OP_LOAD 0x8b
#define OP_STORE_IMM 0xc7

/* Bytes of SIB and displacement behind a ModRM byte with a memory operand (APM3 1.4). */
static unsigned int operand_length(uint8_t modrm, uint8_t sib)
{
	static const uint8_t disp_length[3] = { 0, 1, 4 };
	unsigned int mod = modrm >> 6, rm = modrm & 7, length = disp_length[mod];

	if (rm == 4) {
		length++;
		rm = sib & 7;
	}
	/* Base 5 without displacement: disp32, relative to RIP or absolute. */
	return mod == 0 && rm == 5 ? length + 4 : length;
}

static int32_t le32(const uint8_t *bytes)
{
	return (int32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24);
}

unsigned int v3_emul_quick_mmio(const uint8_t bytes[V3_INSN_MAX_LEN], struct v3_emul_simple *op)
{
	unsigned int rex = 0, length = 2;
	uint8_t opcode = bytes[0], modrm;

	if ((opcode & 0xf0) == 0x40) {
		rex = opcode;
		opcode = *++bytes;
		length = 3;
	}
	modrm = bytes[1];
	if (modrm >= 0xc0)
		return 0;
	length += operand_length(modrm, bytes[2]);
	op->size = op->reg_size = rex & REX_W ? 8 : 4;
	op->reg = (uint8_t)((modrm >> 3 & 7) | (rex & REX_R) << 1);
	op->high_byte = op->sign_extend = op->is_imm = false;
	op->write = opcode != OP_LOAD;
	if (opcode == OP_LOAD || opcode == OP_STORE)
		return length;
	if (opcode != OP_STORE_IMM || modrm & 0x38)
		return 0;
	op->is_imm = true;
	op->imm = (uint64_t)(int64_t)le32(bytes + length - (rex ? 1 : 0));
	if (op->size == 4)
		op->imm = (uint32_t)op->imm;
	return length + 4;
}
