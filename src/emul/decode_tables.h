/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opcode tables of the decoder (inside of src/emul only). Sources: APM3 appendix A, SDM 2
 * appendix A.
 */
#ifndef V3_EMUL_DECODE_TABLES_H
#define V3_EMUL_DECODE_TABLES_H

#include <stdint.h>

/* Attributes of an opcode. Low four bits: kind of immediate. */
#define V3_IMM_NONE	0x0000u
#define V3_IMM_B	0x0001u		/* 8 bits */
#define V3_IMM_Z	0x0002u		/* 16 or 32 bits by operand size */
#define V3_IMM_V	0x0003u		/* 16, 32 or 64 bits by operand size */
#define V3_IMM_W	0x0004u		/* 16 bits */
#define V3_IMM_WB	0x0005u		/* ENTER: 16 bits, then 8 */
#define V3_IMM_MOFFS	0x0006u		/* offset of address size */
#define V3_IMM_FAR	0x0007u		/* offset of operand size, then selector */
#define V3_IMM_JB	0x0008u		/* branch displacement, 8 bits */
#define V3_IMM_JZ	0x0009u		/* branch displacement, 16 or 32 bits */
#define V3_IMM_D	0x000au		/* 32 bits always (XOP map A) */
#define V3_IMM_BB	0x000bu		/* EXTRQ, INSERTQ: two bytes */
#define V3_IMM_KIND	0x000fu
#define V3_AT_MODRM	0x0010u
#define V3_AT_BYTE	0x0020u		/* byte operands */
#define V3_AT_INV64	0x0040u		/* invalid in 64-bit mode */
#define V3_AT_D64	0x0080u		/* 64-bit mode: operands default to 64 bits */
#define V3_AT_F64	0x0100u		/* 64-bit mode: operands are 64 bits */
#define V3_AT_LOCK	0x0200u		/* LOCK is valid with a memory operand */
#define V3_AT_MEM	0x0400u		/* memory operand only */
#define V3_AT_REG	0x0800u		/* ModRM.mod is taken as 3 whatever it says */
#define V3_AT_GROUP	0x1000u		/* ModRM.reg selects: look into v3_groups */
#define V3_AT_PREFIX	0x2000u		/* prefix, or REX in 64-bit mode */
#define V3_AT_INVALID	0x4000u
#define V3_AT_SPECIAL	0x8000u		/* more checks or a further map: decode.c knows */

/* Any of these: not every encoding of the opcode exists. */
#define V3_AT_CHECK	(V3_AT_GROUP | V3_AT_MEM | V3_AT_SPECIAL | V3_AT_INVALID | V3_AT_INV64)

extern const uint16_t v3_attr_one[256];
extern const uint16_t v3_attr_0f[256];

/*
 * Which mandatory prefixes an opcode exists with: bits 0..3 for a memory operand (or none at
 * all), bits 4..7 for a register operand; within each none, 66, F3, F2.
 */
extern const uint8_t v3_pp_0f[256];
extern const uint8_t v3_pp_0f38[256];
extern const uint8_t v3_pp_0f3a[256];

/*
 * Opcode extensions: bit n of a mask says that ModRM.reg = n exists. Masks 0..3 are for memory
 * operands with prefix none, 66, F3, F2; 4..7 for register operands.
 */
struct v3_group {
	uint8_t map;
	uint8_t opcode;
	uint8_t lock;		/* which of them take LOCK */
	uint8_t valid[8];
};

extern const struct v3_group v3_groups[];
extern const unsigned int v3_group_count;

/* x87, D8..DF: valid ModRM.reg of memory forms, valid low six bits of ModRM of others. */
extern const uint8_t v3_x87_mem[8];
extern const uint64_t v3_x87_reg[8];

/* VEX opcodes: one byte for each map (0F, 0F38, 0F3A), opcode and pp; 0 does not exist. */
#define V3_VEX_M	0x01u		/* memory form exists */
#define V3_VEX_R	0x02u		/* register form exists */
#define V3_VEX_L0	0x04u		/* VEX.L may be 0 */
#define V3_VEX_L1	0x08u
#define V3_VEX_W0	0x10u		/* VEX.W may be 0 */
#define V3_VEX_W1	0x20u
#define V3_VEX_NV	0x40u		/* VEX.vvvv names no operand: must be 1111b */
#define V3_VEX_SP	0x80u		/* more rules: decode_vex.c knows */

extern const uint8_t v3_vex_attr[3][256][4];

#endif /* V3_EMUL_DECODE_TABLES_H */
